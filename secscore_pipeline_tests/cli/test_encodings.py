"""Characters: files as other people's editors write them, and consoles that cannot show everything."""

import codecs
import json
from pathlib import Path

import pytest

from secscore_pipeline.config.azure_settings import read_azure_settings
from secscore_pipeline.config.env_file import load_env, read_env, update_env
from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline.system.encodings import EncodingError, decode_text
from secscore_pipeline_tests.conftest import secscore

NAME = "Größe 東京 🚀"
TEXT = "a=1\r\nb=ü\n"
WRITTEN = {
    "utf-8": TEXT.encode(),
    "utf-8 with a mark": codecs.BOM_UTF8 + TEXT.encode(),
    "utf-16 of Notepad": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "utf-16, big end first": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "utf-32": codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
    "appended to one with a mark": b"a=1\r\n" + codecs.BOM_UTF8 + "b=ü\n".encode(),
    "two marks": codecs.BOM_UTF8 * 2 + TEXT.encode(),
}


@pytest.mark.parametrize("content", WRITTEN.values(), ids=WRITTEN)
def test_a_text_is_read_as_what_it_says_it_is(content):
    assert decode_text(content) == TEXT


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_ascii_in_utf_16_needs_no_mark(codec):
    assert decode_text("AZURE_TENANT_ID=x\n".encode(codec)) == "AZURE_TENANT_ID=x\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a=1\nb=ü".encode("cp1252"), r"no text in UTF-8 \(line 2\)"),
        (codecs.BOM_UTF16_LE + b"a\0=\0\xd8", r"begins as UTF-16 and is none"),
        (codecs.BOM_UTF8 + b"\xff", r"begins as UTF-8 and is none \(line 1\)"),
    ],
)
def test_what_is_not_certain_is_refused_by_its_line(content, message):
    with pytest.raises(EncodingError, match=message):
        decode_text(content)


@pytest.mark.parametrize("content", WRITTEN.values(), ids=WRITTEN)
def test_settings_are_read_and_changed_in_any_of_them(tmp_path, content):
    path = tmp_path / ".env"
    path.write_bytes(content)
    assert read_env(path) == {"a": "1", "b": "ü"}
    update_env(path, {"a": "2"})
    assert path.read_bytes() in (b"a=2\r\nb=\xc3\xbc\n", b"a=2\r\n\xef\xbb\xbfb=\xc3\xbc\n")


def test_settings_of_another_encoding_are_refused_by_file_and_encoding(tmp_path, monkeypatch):
    path = tmp_path / "wrong.env"
    path.write_bytes("SECRET=schlüssel".encode("cp1252"))
    with pytest.raises(SettingsError, match=r"wrong\.env cannot be read as settings: it is no text in UTF-8") as told:
        list(load_env(path))
    assert "schl" not in str(told.value)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_feeds_are_read_with_a_mark(tmp_path, monkeypatch, codec):
    path = tmp_path / "feeds.yaml"
    path.write_text(
        "feeds:\r\n  - name: a\r\n    tenant_id: contoso.com\r\n    client_id: 00000000-0000-0000-0000-000000000001\r\n"
        "    credential: {secret: {env: S}}\r\n",
        encoding=codec,
    )
    monkeypatch.setenv("SECSCORE_FEEDS", str(path))
    assert [feed.name for feed in read_feeds()] == ["a"]
    path.write_bytes("feeds: ä".encode("cp1252"))
    with pytest.raises(SettingsError, match=r"feeds\.yaml cannot be read as text: it is no text in UTF-8 \(line 1\)"):
        read_feeds()


@pytest.mark.parametrize("mark", ["\ufeff", "\u200b"])
def test_an_invisible_character_is_no_part_of_a_secret(local_azure, mark):
    settings = local_azure(World(subscriptions=1)).settings()
    for secret in (mark + settings["AZURE_CLIENT_SECRET"], settings["AZURE_CLIENT_SECRET"] + mark):
        with pytest.raises(SettingsError, match="AZURE_CLIENT_SECRET begins or ends with an invisible character"):
            read_azure_settings({**settings, "AZURE_CLIENT_SECRET": secret})


def test_a_bundle_that_openssl_would_pass_over_is_refused(local_azure, tmp_path):
    settings = local_azure(World(subscriptions=1)).settings()
    pem = Path(settings["SECSCORE_CA_BUNDLE"]).read_text(encoding="ascii")
    for codec, why in (("utf-8-sig", "begins with a byte order mark"), ("utf-16", "UTF-16")):
        bundle = tmp_path / f"{codec}.pem"
        bundle.write_text(pem, encoding=codec)
        with pytest.raises(SettingsError, match=why):
            read_azure_settings({**settings, "SECSCORE_CA_BUNDLE": str(bundle)})


@pytest.mark.parametrize(("codec", "end"), [("utf-8-sig", "\r\n"), ("utf-16", "")])
def test_a_secret_file_holds_the_secret_alone(local_azure, tmp_path, codec, end):
    azure = local_azure(World(subscriptions=1))
    given = azure.settings()
    (tmp_path / "secret.txt").write_bytes(f"{given['AZURE_CLIENT_SECRET']}{end}".encode(codec))
    options = ["--tenant-id", given["AZURE_TENANT_ID"], "--client-id", given["AZURE_CLIENT_ID"], "--no-test"]
    secscore("init", *options, "--client-secret-file", "secret.txt", cwd=tmp_path)
    assert read_env(tmp_path / ".env")["AZURE_CLIENT_SECRET"] == given["AZURE_CLIENT_SECRET"]


def test_an_instance_file_that_dagster_cannot_read_is_named(local_azure, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-16")
    env = {**local_azure(World(subscriptions=1)).settings(), "DAGSTER_HOME": str(home)}
    done = secscore("sync", cwd=tmp_path, env=env, check=2)
    assert "dagster.yaml" in done.stderr
    assert "UTF-16" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def named(module_azure, tmp_path_factory):
    """Return the settings of a database whose subscriptions have names that no old console can show."""
    world = World(subscriptions=2)
    world.add_subscription("00000000-0000-0000-0000-00000000000f", State.FORBIDDEN)
    for subscription in world.subscriptions.values():
        subscription.name = NAME
    azure = module_azure(world)
    folder = tmp_path_factory.mktemp("named")
    env = {**azure.settings(), "SECSCORE_DATABASE": str(folder / "scores.duckdb")}
    secscore("sync", cwd=folder, env=env)
    return env


SQL = "select subscription_name from posture.current_scores limit 1"
COMMANDS = {
    ("--verbose", "sync"): 0,
    ("test-connection",): 1,
    ("test-connection", "--json"): 1,
    ("query", "--format", "csv", SQL): 0,
    ("query", f"selekt '{NAME}'"): 1,
    ("status",): 1,
    ("status", "--max-age", "9d"): 2,
    ("report", "--output", f"{NAME}.html"): 0,
    ("export", "--format", "csv", "--output", "out"): 0,
}
IN_EACH = {("query", SQL): 0, ("query", "--format", "json", SQL): 0}
NO_UTF_8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
CONSOLES = {
    "a Windows console": ({"PYTHONIOENCODING": "cp1252"}, "cp1252", {**IN_EACH, **COMMANDS}),
    "ascii": ({"PYTHONIOENCODING": "ascii:strict", "LC_ALL": "C"}, "ascii", IN_EACH),
    "the C locale": (NO_UTF_8, "ascii", {**IN_EACH, ("report", "--output", f"{NAME}.html"): 0}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("console", "encoding", "commands"), CONSOLES.values(), ids=CONSOLES)
def test_what_a_console_cannot_show_is_replaced_and_the_exit_code_tells_of_the_work(
    named, tmp_path, console, encoding, commands
):
    said = {}
    for arguments, code in commands.items():
        done = secscore(*arguments, cwd=tmp_path, env={**named, **console}, check=None, encoding=encoding)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert "codec" not in done.stderr
        said[arguments] = done.stdout
    assert json.loads(said["query", "--format", "json", SQL]) == [{"subscription_name": NAME}]
    assert NAME.encode(encoding, "replace").decode(encoding) in said["query", SQL]


@pytest.mark.slow
def test_a_name_that_the_locale_has_no_characters_for_is_a_sentence(named, tmp_path):
    arguments = ("export", "--format", "csv", "--output", NAME)
    done = secscore(*arguments, cwd=tmp_path, env={**named, **NO_UTF_8}, check=1)
    assert "[locale-too-small]" in done.stderr
