"""`secscore init`: each answer is checked when it is typed, and nothing that was answered rightly is asked again."""

import os
import pty
import signal
import subprocess
import sys
import uuid

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from secscore_pipeline.azure.credentials import ClientCertificate
from secscore_pipeline.azure.errors import SignInError
from secscore_pipeline.cli.questions import ask_for_settings
from secscore_pipeline.config.env_file import read_env
from secscore_pipeline.emulator.world import World
from secscore_pipeline_tests.conftest import secscore
from testbed.waiting import DEADLINE

GUID = "00000000-0000-0000-0000-0000000000aa"


@pytest.fixture(scope="module")
def azure(module_azure):
    return module_azure(World(subscriptions=3))


def options(azure, *without):
    """Return the options that lead to a local Azure."""
    given = azure.settings()
    names = ("AZURE_AUTHORITY_HOST", "SECSCORE_ARM_ENDPOINT", "SECSCORE_CA_BUNDLE")
    return [part for name in names for part in ("--set", f"{name}={given[name]}")]


def answer(tmp_path, *lines, options=(), check=0):
    """Run `init` with answers from a pipe."""
    return secscore("init", "--ask", *options, cwd=tmp_path, input="".join(f"{line}\n" for line in lines), check=check)


@pytest.mark.slow
def test_each_wrong_answer_is_asked_again_with_its_reason_and_nothing_is_lost(azure, tmp_path):
    given = azure.settings()
    tenant, client, secret = (given[f"AZURE_{name}"] for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"))
    first, second, third = azure.world.subscriptions.values()
    done = answer(
        tmp_path,
        "foo", GUID, "me", GUID, client, str(uuid.uuid4()), "not-the-secret", tenant, "", "", secret,
        "soon", "<", secret, "2030-01-31", "nosuch", f"{first.name}, {second.subscription_id}", "",
        options=options(azure),
    )  # fmt: skip
    reasons = [
        "AZURE_TENANT_ID (3 characters) is neither a GUID nor a domain.",
        "AZURE_CLIENT_ID (2 characters) is no GUID.",
        "AZURE_TENANT_ID and AZURE_CLIENT_ID are the same id.",
        "AZURE_CLIENT_SECRET is a GUID, as the secret's ID is.",
        f"does not know the tenant {GUID}",
        "[secret-wrong]",
        "SECSCORE_SECRET_EXPIRES (4 characters) is no date.",
        "No subscription has that name.",
    ]
    positions = [done.stderr.find(reason) for reason in reasons]
    assert -1 not in positions, done.stderr
    assert [done.stderr.count(reason) for reason in reasons] == [1] * len(reasons)
    assert done.stdout.count("Certificate file") == 1  # and back to the secret
    for subscription in (first, second, third):  # listed before it is asked which
        listed = done.stdout.index(f"{subscription.subscription_id}  {subscription.name}")
        assert listed < done.stdout.index("Subscriptions: IDs or names")
    assert secret not in done.stdout + done.stderr
    assert "not-the-secret" not in done.stdout + done.stderr
    written = read_env(tmp_path / ".env")
    assert written["AZURE_TENANT_ID"] == tenant
    assert written["AZURE_CLIENT_SECRET"] == secret
    assert written["SECSCORE_SECRET_EXPIRES"] == "2030-01-31"
    assert written["AZURE_SUBSCRIPTION_IDS"] == f"{first.subscription_id},{second.subscription_id}"
    secscore("sync", cwd=tmp_path)


@pytest.mark.slow
def test_what_the_file_holds_wrongly_is_asked_again_and_the_rest_is_kept(azure, tmp_path):
    given = azure.settings()
    (tmp_path / ".env").write_text(
        f"# ours\nAZURE_TENANT_ID=foo\nAZURE_CLIENT_ID={given['AZURE_CLIENT_ID']}\n"
        f"AZURE_CLIENT_SECRET={given['AZURE_CLIENT_SECRET']}\nAZURE_SUBSCRIPTION_IDS=*\n"
    )
    answer(tmp_path, given["AZURE_TENANT_ID"], "", options=options(azure))
    assert (tmp_path / ".env").read_text().startswith(f"# ours\nAZURE_TENANT_ID={given['AZURE_TENANT_ID']}\n")


def test_one_can_go_back_to_any_answer_and_keep_those_that_are_right(tmp_path):
    (tmp_path / ".env").write_text("AZURE_CLIENT_CERTIFICATE_PATH=none.pem\n")
    right = GUID.replace("aa", "bb")
    answers = [
        "contoso.com",
        GUID,
        "",
        "<",
        right,
        "<",
        "<",
        "",
        "",
        "a-secret-value",
        "<",
        "b-secret-value",
        "",
        "*",
        "",
    ]
    done = answer(tmp_path, *answers, options=["--no-test"])
    assert f"Application (client) ID, also called client key [{GUID}]" in done.stdout
    assert done.stdout.count("< goes back") == 1
    assert read_env(tmp_path / ".env") == {
        "AZURE_CLIENT_CERTIFICATE_PATH": "", "AZURE_TENANT_ID": "contoso.com", "AZURE_CLIENT_ID": right,
        "AZURE_CLIENT_SECRET": "b-secret-value", "AZURE_SUBSCRIPTION_IDS": "*",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "event_types"),
    [
        (["", ""], None),
        (["", "No"], None),
        (["", "perhaps", "Y"], "secure_scores,secure_score_controls,assessments"),
        (["", "<", "", "yes"], "secure_scores,secure_score_controls,assessments"),
    ],
)
def test_recommendations_are_read_where_somebody_says_so(answers, event_types):
    known = {"AZURE_TENANT_ID": GUID, "AZURE_CLIENT_ID": GUID.replace("aa", "bb"), "AZURE_CLIENT_SECRET": "a-secret"}
    given, asked, said = iter(answers), [], []

    def ask(question):
        asked.append(question)
        return next(given)

    ask_for_settings(known, ask, str, said.append, connects=False)
    assert known.get("SECSCORE_EVENT_TYPES") == event_types
    assert known["AZURE_SUBSCRIPTION_IDS"] == "*"
    assert next(given, None) is None
    assert asked[-1].default == "no"
    assert "one record for each recommendation and resource" in asked[-1].text
    assert said == (["Answer yes or no."] if "perhaps" in answers else [])


@pytest.mark.parametrize("answers", [[], ["foo"], ["contoso.com", GUID], ["contoso.com", GUID, "a-secret-value"]])
def test_a_pipe_that_ends_early_is_said_and_leaves_no_file(tmp_path, answers):
    (tmp_path / ".env").write_text("SECSCORE_INCLUDE=prod-*\n")
    done = answer(tmp_path, *answers, options=["--no-test"], check=2)
    assert "The input ended before every question was answered, and nothing was written." in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".env"]
    assert (tmp_path / ".env").read_text() == "SECSCORE_INCLUDE=prod-*\n"


def test_a_certificate_is_opened_when_it_is_typed(tmp_path):
    from secscore_pipeline_tests.ingest.test_connecting import certificate, key, pem_of

    ours = key()
    (tmp_path / "text.pem").write_text("no certificate")
    (tmp_path / "ours.pem").write_bytes(pem_of(ours, certificate(ours), b"open"))
    answers = ["contoso.com", GUID, "", "none.pem", "text.pem", "ours.pem", "wrong", "ours.pem", "open", "*", "no"]
    done = answer(tmp_path, *answers, options=["--no-test"])
    for reason in ("No such file", "holds no certificate with a private key", "does not open with that password"):
        assert done.stderr.count(reason) == 1
    written = read_env(tmp_path / ".env")
    assert (written["AZURE_CLIENT_CERTIFICATE_PATH"], written["AZURE_CLIENT_CERTIFICATE_PASSWORD"]) == (
        "ours.pem",
        "open",
    )
    assert "AZURE_CLIENT_SECRET" not in written


def test_a_wrong_password_that_decrypts_to_something_is_a_wrong_password(tmp_path):
    from secscore_pipeline_tests.ingest.test_connecting import certificate, key

    ours, file = key(), tmp_path / "ours.pem"
    encrypted = ours.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"open")
    )  # of which one wrong password in 256 leaves the padding of a key
    file.write_bytes(encrypted + certificate(ours).public_bytes(Encoding.PEM))
    for number in range(5000):
        with pytest.raises(SignInError) as raised:
            _ = ClientCertificate("contoso.com", GUID, file, f"wrong{number}").expires_at
        assert raised.value.failure == "certificate-password"
        if "password" not in str(raised.value.__cause__).lower():
            break
    else:
        pytest.fail("no password left the padding of a key")


def test_a_client_that_is_the_tenant_is_asked_for_again_and_the_tenant_stays():
    known = {"AZURE_CLIENT_ID": GUID, "AZURE_CLIENT_SECRET": "a-secret-value"}
    other = GUID.replace("aa", "bb")
    answers, said = iter([GUID, other, "", "*", ""]), []
    ask_for_settings(known, lambda question: next(answers), str, said.append, connects=False)
    assert (known["AZURE_TENANT_ID"], known["AZURE_CLIENT_ID"]) == (GUID, other)
    assert [message.rpartition("[")[2] for message in said] == ["tenant-is-client]"]


def test_settings_given_as_options_are_checked_too_before_anything_is_written(tmp_path):
    options = ("--tenant-id", "contoso.com", "--client-id", GUID, "--no-test")
    (tmp_path / "secret").write_text("a-secret-value")
    for wrong in ("SECSCORE_SCHEDULE=every day", "SECSCORE_EXPORTS=xml", "SECSCORE_DATABASE=/tmp"):
        given = (*options, "--client-secret-file", "secret", "--set", wrong)
        assert wrong.partition("=")[0] in secscore("init", *given, cwd=tmp_path, check=2).stderr
    for wrong, said in (
        ("SECSCORE_SHEDULE=x", "--set 1 names no setting. Did you mean SECSCORE_SCHEDULE?"),
        ("retention=30", "Did you mean SECSCORE_RETENTION_DAYS?"),
        ("AZURE_MANAGEMENT_GROUP=x", "Did you mean AZURE_MANAGEMENT_GROUP_ID?"),
        ("AZURE_CLIENT_SECRT=hidden", "--set 1 names a secret: that is asked for, or read from a file."),
        ("hidden", "--set 1 is no NAME=VALUE."),
    ):
        done = secscore("init", *options, "--set", wrong, cwd=tmp_path, check=2)
        assert said in done.stderr
        assert "hidden" not in done.stderr
    for wrong in (["--set", "AZURE_CLOUD=Azur"], ["--set", "SECSCORE_TIMEZONE=Berlin"], ["--tenant-id", "foo"]):
        done = secscore("init", "--ask", *wrong, cwd=tmp_path, input="x\n", check=2)
        assert done.stdout == ""  # nothing was asked, so that nothing is lost
    (tmp_path / "file").touch()
    done = secscore("init", "--ask", "--env-file", "file/.env", cwd=tmp_path, input="x\n", check=1)
    assert "[file-unwritable]" in done.stderr
    assert "Directory" not in done.stdout  # nothing was asked
    assert not (tmp_path / ".env").exists()


@pytest.mark.slow
def test_an_azure_that_cannot_be_reached_costs_no_answer(tmp_path):
    nowhere = [
        "--set",
        "AZURE_AUTHORITY_HOST=https://127.0.0.1:9",
        "--set",
        "SECSCORE_ARM_ENDPOINT=https://127.0.0.1:9",
    ]
    done = answer(tmp_path, "contoso.com", GUID, "a-secret-value", "", "*", "", options=nowhere, check=1)
    assert [line.rpartition("[")[2] for line in done.stderr.splitlines()] == ["sign-in-failing]"]  # and nothing else
    assert "Test the connection again: secscore test-connection" in done.stdout
    assert read_env(tmp_path / ".env")["AZURE_TENANT_ID"] == "contoso.com"


def test_ctrl_c_at_a_terminal_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / ".env").write_text("SECSCORE_INCLUDE=prod-*\n")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "secscore_pipeline.cli", "init", "--no-test"],
        cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    for expected, typed in ((b"(tenant) ID", b"contoso.com\n"), (b"(client) ID", None)):
        while expected not in seen:
            seen += os.read(ours, 4096)
        if typed:
            os.write(ours, typed)
        else:
            process.send_signal(signal.SIGINT)
    assert process.wait(timeout=DEADLINE) == 130
    os.close(ours)
    assert (tmp_path / ".env").read_text() == "SECSCORE_INCLUDE=prod-*\n"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]
