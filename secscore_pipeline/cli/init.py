"""`secscore init`: writes the settings of a connection to .env; `questions.py` asks for what is missing."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import click
from rich.text import Text

from secscore_pipeline.azure.clouds import CLOUDS
from secscore_pipeline.cli.connection import run_connection_test
from secscore_pipeline.cli.console import console, error_console, print_error, print_warning
from secscore_pipeline.cli.exit_codes import EXIT_FAILURE
from secscore_pipeline.cli.options import read_text
from secscore_pipeline.cli.settings import check_environment
from secscore_pipeline.config.azure_settings import read_azure_settings
from secscore_pipeline.config.env_file import read_env, update_env
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import SECRETS, SETTINGS
from secscore_pipeline.errors import explain
from secscore_pipeline.system.environment import changed_environment
from secscore_pipeline.system.files import refuse_unwritable
from secscore_pipeline.text import suggest


@click.command
@click.option("--tenant-id", "--tenant", help="Directory (tenant) ID.")
@click.option("--client-id", "--client-key", help="Application (client) ID.")
@click.option(
    "--token-url",
    help="https://login.../<tenant>/oauth2/.../token: the tenant and the sign-in host are taken from it.",
)
@click.option("--subscription-id", "subscription_ids", multiple=True, help="A subscription to read. Repeatable.")
@click.option("--client-secret-file", type=click.File("rb"), help="File with the client secret; - reads stdin.")
@click.option("--set", "others", multiple=True, metavar="NAME=VALUE", help="Any other setting. Repeatable.")
@click.option("--env-file", default=Path(".env"), show_default=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--ask/--no-ask", default=None, help="Ask for missing settings. Default: only on a terminal.")
@click.option("--test/--no-test", default=True, show_default=True, help="Test the connection afterwards.")
def init(
    tenant_id: str | None,
    client_id: str | None,
    token_url: str | None,
    subscription_ids: tuple[str, ...],
    client_secret_file: BinaryIO | None,
    others: tuple[str, ...],
    env_file: Path,
    ask: bool | None,
    test: bool,
) -> None:
    """Write the settings of a connection to .env and test them.

    Asks for missing settings. Settings in the file are kept unless an option replaces them. A secret is never an
    option, since the shell's history would keep it: it is asked for without echo, or read from a file.

    Exit code: that of the connection test; 2 for wrong settings, which are not written.
    """
    before = {name: text for name, text in read_env(env_file).items() if text}
    given = {"AZURE_TENANT_ID": tenant_id, "AZURE_CLIENT_ID": client_id, **_parse_token_url(token_url)}
    if subscription_ids:
        given["AZURE_SUBSCRIPTION_IDS"] = ",".join(subscription_ids)
    if client_secret_file:
        given["AZURE_CLIENT_SECRET"] = read_text(client_secret_file).strip("\r\n")
    given |= _parse_pairs(others)
    known = {**before, **{name: text for name, text in given.items() if text}}
    refuse_unwritable(env_file)
    may_work = True
    if sys.stdin.isatty() if ask is None else ask:
        _refuse_malformed(known, given)
        may_work = _ask_for_settings(known, connects=test)
    read_azure_settings(known)
    _write_settings(env_file, before, known)
    if not may_work:  # the reason is printed already
        console.print("Test the connection again: secscore test-connection")
        raise click.exceptions.Exit(EXIT_FAILURE)
    if test and (code := run_connection_test((Feed(),))):
        raise click.exceptions.Exit(code)


def _write_settings(env_file: Path, before: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Check all settings together, and write those that have changed.

    Args:
        env_file: where to.
        before: what the file had.
        known: what it is to have.
    """
    elsewhere = [setting.name for setting in SETTINGS if os.environ.get(setting.name) and setting.name not in known]
    os.environ.update(known)
    check_environment(read_env(env_file))
    changed = [name for name in {**before, **known} if before.get(name) != known.get(name)]
    update_env(env_file, {name: known.get(name, "") for name in changed})  # a secret may have replaced a certificate
    console.print(f"Written: {env_file} (readable only by you).")
    if elsewhere:
        print_warning(f"These settings are in this shell's environment only, not in the file: {', '.join(elsewhere)}.")


def _parse_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return the settings of --set."""
    settings = {}
    for number, pair in enumerate(pairs, 1):
        name, equals, text = pair.partition("=")
        _refuse_unsettable(number, name, is_pair=bool(equals))
        settings[name] = text
    return settings


def _refuse_unsettable(number: int, name: str, *, is_pair: bool) -> None:
    """Raise where a --set names no setting that it takes, with the one that may be meant.

    The name itself is not shown: something else, such as a secret, may stand in its place.

    Args:
        number: which of the options it is, from 1.
        name: what stands before the =.
        is_pair: whether there is one.
    """
    from secscore_pipeline.config.checking import find_nearest_settings

    if not is_pair:
        raise click.BadParameter(f"--set {number} is no NAME=VALUE.")
    if name in {setting.name for setting in SETTINGS} - set(SECRETS):
        return
    meant = find_nearest_settings(name) or find_nearest_settings(f"SECSCORE_{name}")
    if not set(SECRETS).isdisjoint(meant):
        raise click.BadParameter(f"--set {number} names a secret: that is asked for, or read from a file.")
    raise click.BadParameter(f"--set {number} names no setting.{suggest(meant)}")


def _refuse_malformed(known: Mapping[str, str], given: Mapping[str, str | None]) -> None:
    """Check the settings that will not be asked for, before the first question: no answer is lost to them.

    Args:
        known: the settings of the file and of the options.
        given: those of the options.

    Raises:
        SettingsError: one is malformed.
    """
    from secscore_pipeline.cli.questions import ASKED_FOR
    from secscore_pipeline.config.checking import check_settings

    fixed = {name: text for name, text in known.items() if name not in ASKED_FOR or given.get(name)}
    with changed_environment(fixed):
        check_settings()


def _parse_token_url(url: str | None) -> dict[str, str]:
    """Return the settings that a token URL contains: the tenant is in its path."""
    if not url:
        return {}
    parts = urlsplit(url if "://" in url else f"https://{url}")
    tenant = parts.path.strip("/").split("/")[0]
    if not tenant or "/oauth2/" not in parts.path:
        raise click.BadParameter(
            "That is no token URL. It looks like https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token."
        )
    host = f"https://{parts.netloc}"
    cloud = next((name for name, known in CLOUDS.items() if known.authority_host == host), None)
    where = {"AZURE_CLOUD": cloud} if cloud else {"AZURE_AUTHORITY_HOST": host}
    return {"AZURE_TENANT_ID": tenant, **where}


def _ask_for_settings(known: dict[str, str], *, connects: bool) -> bool:
    """Ask for the settings that every connection has and `known` lacks; return whether the connection may work.

    Raises:
        SettingsError: the input ended before all were answered.
    """
    from secscore_pipeline.cli.questions import Question, ask_for_settings

    def ask(question: Question) -> str:
        is_hidden = question.is_secret and sys.stdin.isatty()
        is_shown = bool(question.default)
        return str(click.prompt(question.text, default=question.default, show_default=is_shown, hide_input=is_hidden))

    def print_text(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    try:
        return ask_for_settings(known, ask, print_text, print_error, connects=connects)
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            what = "The input ended before every question was answered, and nothing was written."
            raise SettingsError([explain(what, "answers-ended")]) from error
        error_console.print("Nothing was written.")
        raise KeyboardInterrupt from error
