"""`secscore`, the command line: a thin face; every command calls what the assets call."""

import gc
import json
import logging
import os
import re
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secscore_pipeline.azure.clouds import CLOUDS
from secscore_pipeline.cli import first_steps
from secscore_pipeline.config.env_file import env_text, load_env, read_env, update_env
from secscore_pipeline.config.feeds import Feed, configured_feeds
from secscore_pipeline.config.settings import (
    DEFAULTS,
    EXPORTS,
    REQUIRED,
    SECRETS,
    SETTINGS,
    SettingsError,
    azure_settings,
    batch_size,
    expand_path,
    export_layout,
    exported_formats,
    kept_days,
    lake_settings,
    parallel_runs,
    signal_settings,
    value,
)
from secscore_pipeline.errors import ExplainedError, explained
from secscore_pipeline.system import stopping
from secscore_pipeline.system.encodings import EncodingError, decode_text
from secscore_pipeline.system.files import FileError, refuse_unwritable, replace_file, write_file
from secscore_pipeline.system.redaction import RedactingFormatter, quoted, redact, register_secrets
from secscore_pipeline.system.streams import write_json, write_output
from secscore_pipeline.text import count_subscriptions, describe_value, printable, show_path, suggest

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd

    from secscore_pipeline.cli.prompt_commands import Question
    from secscore_pipeline.emulator.faults import Fault
    from secscore_pipeline.emulator.limits import Limit
    from secscore_pipeline.emulator.server import LocalAzure
    from secscore_pipeline.ingest.batches import Batch
    from secscore_pipeline.posture.query import Rows
    from secscore_pipeline.posture.status import Standing
    from secscore_pipeline.warehouse.warehouse import Warehouse

EXIT_NOTHING_STORED = 1
EXIT_WRONG_SETTINGS = 2
EXIT_INCOMPLETE = 3
EXIT_UNPUBLISHED = 4

_LONGEST_VARIABLE = 1 << 17
"""Bytes of a variable with its name that Linux passes to another process at most."""

_LISTABLE = 3_000
"""How many subscriptions fit into one variable of the environment, which Linux holds to 128 kB."""

_DEMO_SCORES = 8
"""How many scores the demo prints."""

_ENV_MARK = "# Settings of a local Azure, by secscore emulator, which removes this file when it ends.\n"

log = logging.getLogger(__name__)
# Names and messages are never markup, whatever they hold.
_PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
console = Console(**_PLAIN)
answers = Console(**_PLAIN)
"""For what was asked for: --quiet leaves it."""
complaints = Console(stderr=True, **_PLAIN)


def _load_settings() -> None:
    """Read the file .env of the working directory into the environment, which wins, and check every setting.

    Raises:
        SettingsError: the file cannot be read, the working directory is gone, or a setting is malformed.
    """
    try:
        file = Path.cwd() / ".env"
    except FileNotFoundError as error:
        what = "The working directory is not there any more."
        raise SettingsError([explained(what, "working-directory-gone")]) from error
    names, warnings = load_env(file)
    for warning in warnings:
        _warn(warning)
    try:
        secrets = [name for feed in configured_feeds() for name in feed.secrets.values()]
    except SettingsError:  # the check says so, with all the others
        secrets = []
    _check_settings(names, secrets, configured_feeds)


def _check_settings(file: Iterable[str], also: Iterable[str], *more: Callable[[], object]) -> None:
    """Warn of names that look like settings and are none, and check all that are.

    Args:
        file: the names in the file of settings.
        also: further names that are known.
        more: further checks.

    Raises:
        SettingsError: one is malformed.
    """
    from secscore_pipeline.config.checking import check_settings, unknown_settings

    for warning in unknown_settings(os.environ, file, also):
        _warn(warning)
    check_settings(*more)


def _warn(message: str) -> None:
    complaints.print(Text(f"! {message}", style="yellow"), soft_wrap=True)


class _Command(click.Command):
    """A command that works with the settings: all of them are read and checked before it begins.

    Its options are read before that, so that --help works whatever the settings are.
    """

    def invoke(self, context: click.Context) -> Any:
        self.prepare()
        return super().invoke(context)

    def prepare(self) -> None:
        """Read and check the settings."""
        _load_settings()


class _CommandWithoutFile(_Command):
    """A command whose settings are its own: .env and feeds.yaml of the working directory must not reach it."""

    def prepare(self) -> None:
        """Check the settings of the environment."""
        _check_settings((), ())


class _CommandOfItsOwn(_Command):
    """A command that mends settings, needs none, or says in its own way that they are wrong."""

    def prepare(self) -> None:
        """Leave the settings to the command."""


_AFTER_A_STOP = {
    "sync": " Nothing half-read was stored; start it again at any time.",
    "demo": " The days that are stored stay; start it again, and it goes on after them.",
    "export": " Each file that is there is whole; start it again, and it writes the others.",
    "maintain": " What was stored is whole; start it again at any time.",
    "migrate": " The file is as it was; start it again, and it goes on where it was.",
}
"""What a command that was stopped leaves behind, by its name; the others leave nothing."""


class _Commands(click.Group):
    """The commands, with every expected failure shown as a sentence and an exit code instead of a traceback."""

    command_class = _Command

    def invoke(self, context: click.Context) -> object:
        try:
            result = super().invoke(context)
        except SettingsError as error:
            for problem in error.problems:
                complaints.print(Text(f"✗ {problem}", style="red"), soft_wrap=True)
            context.exit(EXIT_WRONG_SETTINGS)
        except BaseException as error:
            # Libraries turn an interrupt into errors of their own: what the process was told is what counts.
            if not (stopping.is_requested() or isinstance(error, KeyboardInterrupt)):
                raise
        else:
            if not stopping.is_requested():
                return result
        complaints.print(f"Stopped.{_AFTER_A_STOP.get(context.invoked_subcommand or '', '')}", soft_wrap=True)
        raise click.exceptions.Exit(stopping.exit_code())

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run a command and exit; whatever it raises is a sentence and an exit code."""
        code: Any = 0
        try:
            super().main(*arguments, **options)
        except SystemExit as ended:
            code = ended.code
        except Exception as error:  # noqa: BLE001 - the one place where nothing may pass
            code = _report_error(error)
        sys.exit(_flush(code))


def _report_error(error: Exception) -> int:
    """Say what an exception means in a sentence, its traceback only with --verbose; return the exit code."""
    register_secrets(*(os.environ.get(name, "").strip() for name in SECRETS))
    if isinstance(error, SettingsError):
        messages, code = error.problems, EXIT_WRONG_SETTINGS
    elif isinstance(error, ExplainedError):  # the message says it all
        messages, code = [str(error)], EXIT_NOTHING_STORED
    elif (
        isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason
    ):  # Python's bytes that are no characters
        what = f"A name or an argument holds bytes that are no characters here ({sys.getfilesystemencoding()})."
        messages, code = [explained(what, "locale-too-small")], EXIT_NOTHING_STORED
    elif isinstance(error, BrokenPipeError):  # who read has seen enough (`| head`)
        messages, code = [], EXIT_NOTHING_STORED
    elif isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        messages, code = [explained(f"{error.strerror or type(error).__name__}{where}.", "system-refused")], 1
    elif "duckdb" in type(error).__module__ and type(error).__name__ in ("CatalogException", "BinderException"):
        what = f"The database lacks what this version asks for ({quoted(str(error).splitlines()[0])})."
        messages, code = [explained(what, "database-outdated")], EXIT_NOTHING_STORED
    else:
        what = f"Something unforeseen happened ({quoted(f'{type(error).__name__}: {error}')})."
        messages, code = [explained(what, "unforeseen")], EXIT_NOTHING_STORED
    with suppress(OSError):  # nobody hears it: the exit code says it
        for message in messages:
            complaints.print(Text(f"✗ {printable(message)}", style="red"), soft_wrap=True)
        if log.isEnabledFor(logging.DEBUG):
            complaints.print(Text(redact("".join(traceback.format_exception(error)))), soft_wrap=True)
    return code


def _flush(code: Any) -> Any:
    """Write out what was printed; return the exit code, which says so where that cannot be done."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            if stream is sys.stdout and not code and isinstance(error, OSError):
                code = _report_error(error)
            # Python tries again when it ends, and would say so in its own words.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return code


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("secscore_pipeline"), prog_name="secscore")
@click.option("--verbose", "-v", is_flag=True, help="Show the log of every request.")
@click.option("--quiet", "-q", is_flag=True, help="Print what failed, and nothing else but what was asked for.")
def main(verbose: bool, quiet: bool) -> None:
    """Azure secure scores in, OCSF Assessment Findings in DuckDB out.

    Settings come from the environment and from a file .env in the working directory; the environment wins.
    .env.example explains each.
    """
    stopping.watch()
    os.umask(0o077)  # whatever a command makes is for its owner alone
    console.quiet = quiet
    if quiet:
        logging.disable(logging.INFO)
    if verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(RedactingFormatter(logging.BASIC_FORMAT))
        logging.basicConfig(level=logging.DEBUG, handlers=[handler])


def _known_feeds(_context: click.Context, _option: click.Parameter, typed: str) -> list[str]:
    """Return the feeds whose names begin with what was typed."""
    try:
        return [feed.name for feed in configured_feeds() if feed.name.startswith(typed)]
    except SettingsError:  # completing is no place to complain
        return []


_feed_option = click.option(
    "--feed",
    "names",
    multiple=True,
    shell_complete=_known_feeds,
    help="Only this feed of feeds.yaml, as often as given.",
)


@main.command()
@_feed_option
def sync(names: tuple[str, ...]) -> None:
    """Read every subscription once, store it, normalize it, check it.

    With several feeds each has a run of its own, and one that fails does not touch the others.

    Exit code: 0 when all went well, 1 when nothing could be stored, 2 for wrong settings, 3 when what could be read is
    stored and published, but a part could not be read or exported, 4 when it is stored, but not published. Some
    unreadable subscriptions are 0, unless SECSCORE_PARTIAL_FAILURE is fail.
    """
    _start_lightly()
    result = _sync(_feeds(names))
    if result is Synced.NOTHING:
        raise click.exceptions.Exit(EXIT_NOTHING_STORED)
    if result is Synced.UNPUBLISHED:
        _say_unpublished()
        raise click.exceptions.Exit(EXIT_UNPUBLISHED)
    _print_scores()
    _print_coverage()
    console.print(f"Database: {_warehouse().shown}", soft_wrap=True)
    if result is Synced.IN_PART:
        raise click.exceptions.Exit(EXIT_INCOMPLETE)


@main.command("test-connection")
@click.option("--json", "as_json", is_flag=True, help="Print the steps as JSON, for machines.")
@_feed_option
def test_connection(as_json: bool, names: tuple[str, ...]) -> None:
    """Try the connection step by step: settings, network, sign-in, subscriptions, and each one's data.

    It shows what works, how long it took, and the cause and the cure of what does not; it changes nothing.

    Exit code: 0 when everything could be read, 1 when something could not, 2 for wrong settings.
    """
    code = _test_connection(_feeds(names), as_json=as_json)
    if code:
        raise click.exceptions.Exit(code)


@main.command(cls=_CommandOfItsOwn)
@click.option("--tenant-id", "--tenant", help="Directory (tenant) ID.")
@click.option("--client-id", "--client-key", help="Application (client) ID.")
@click.option(
    "--token-url", help="https://login.../<tenant>/oauth2/.../token: the tenant and the sign-in host are taken from it."
)
@click.option("--subscription-id", "subscription_ids", multiple=True, help="A subscription to read, as often as given.")
@click.option("--client-secret-file", type=click.File("rb"), help="A file with the client secret; - reads stdin.")
@click.option("--set", "others", multiple=True, metavar="NAME=VALUE", help="Any other setting, as often as given.")
@click.option("--env-file", default=Path(".env"), show_default=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--ask/--no-ask", default=None, help="Ask for what is missing; by default where there is a terminal.")
@click.option("--test/--no-test", default=True, show_default=True, help="Try the connection afterwards.")
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
    """Write the settings of a connection to .env, asking for what is missing, and try it.

    What the file holds already is kept, unless it is given anew. A secret is never an option: it would stay in the
    shell's history. It is asked for, unseen, or read from a file.

    Exit code: that of the test; 2 for wrong settings, which are not written.
    """
    known = {name: text for name, text in read_env(env_file).items() if text}
    before = dict(known)
    given = {"AZURE_TENANT_ID": tenant_id, "AZURE_CLIENT_ID": client_id, **_from_token_url(token_url)}
    if subscription_ids:
        given["AZURE_SUBSCRIPTION_IDS"] = ",".join(subscription_ids)
    if client_secret_file:
        given["AZURE_CLIENT_SECRET"] = _text_of(client_secret_file).strip("\r\n")
    for number, other in enumerate(others, 1):
        name, equals, text = other.partition("=")
        _refuse_unsettable(number, name, is_pair=bool(equals))
        given[name] = text
    known |= {name: text for name, text in given.items() if text}
    refuse_unwritable(env_file)
    may_work = True
    if sys.stdin.isatty() if ask is None else ask:
        _refuse_malformed(known, given)
        may_work = _ask_for(known, connects=test)
    azure_settings(known)
    elsewhere = [setting.name for setting in SETTINGS if os.environ.get(setting.name) and setting.name not in known]
    os.environ.update(known)
    _check_settings(read_env(env_file), ())
    changed = [name for name in {**before, **known} if before.get(name) != known.get(name)]
    update_env(env_file, {name: known.get(name, "") for name in changed})  # a secret may have replaced a certificate
    console.print(f"Written: {env_file} (for you alone).")
    if elsewhere:
        _warn(f"These settings are in this shell's environment alone, not in the file: {', '.join(elsewhere)}.")
    if not may_work:  # why is said already
        console.print("Try the connection again: secscore test-connection")
        raise click.exceptions.Exit(EXIT_NOTHING_STORED)
    if test and (code := _test_connection((Feed(),))):
        raise click.exceptions.Exit(code)


def _refuse_unsettable(number: int, name: str, *, is_pair: bool) -> None:
    """Raise where a --set names no setting that it takes, with the one that may be meant.

    The name itself is not shown: something else, such as a secret, may stand in its place.

    Args:
        number: which of the options it is, from 1.
        name: what stands before the =.
        is_pair: whether there is one.
    """
    from secscore_pipeline.config.checking import nearest_settings

    if not is_pair:
        raise click.BadParameter(f"--set {number} is no NAME=VALUE.")
    if name in {setting.name for setting in SETTINGS} - set(SECRETS):
        return
    meant = nearest_settings(name) or nearest_settings(f"SECSCORE_{name}")
    if not set(SECRETS).isdisjoint(meant):
        raise click.BadParameter(f"--set {number} names a secret: that is asked for, or read from a file.")
    raise click.BadParameter(f"--set {number} names no setting.{suggest(meant)}")


def _refuse_malformed(known: Mapping[str, str], given: Mapping[str, str | None]) -> None:
    """Check what will not be asked for, before anything is asked: no answer is lost to it.

    Args:
        known: the settings of the file and of the options.
        given: those of the options.

    Raises:
        SettingsError: one is malformed.
    """
    from secscore_pipeline.cli.questions import ASKED_FOR, settings_in_environment
    from secscore_pipeline.config.checking import check_settings

    fixed = {name: text for name, text in known.items() if name not in ASKED_FOR or given.get(name)}
    with settings_in_environment(fixed):
        check_settings()


def _text_of(file: BinaryIO) -> str:
    """Return the text of a file that an option names.

    Raises:
        FileError: its encoding is not certain.
    """
    try:
        return decode_text(file.read())
    except EncodingError as error:
        name = "standard input" if file.name in (0, "<stdin>") else printable(str(file.name))
        raise FileError(f"{name} cannot be read: {error}.", "encoding-unknown") from error


def _from_token_url(url: str | None) -> dict[str, str]:
    """Return the settings that a token URL holds: the tenant is in its path."""
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


def _ask_for(known: dict[str, str], *, connects: bool) -> bool:
    """Ask for the settings that every connection has and `known` lacks; return whether the connection may work.

    Raises:
        SettingsError: the input ended before all were answered.
    """
    from secscore_pipeline.cli.questions import Question, ask_for_settings

    def ask(question: Question) -> str:
        is_hidden = question.is_secret and sys.stdin.isatty()
        is_shown = bool(question.default)
        return str(click.prompt(question.text, default=question.default, show_default=is_shown, hide_input=is_hidden))

    def tell(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    def complain(text: str) -> None:
        complaints.print(Text(f"✗ {text}", style="red"), soft_wrap=True)

    try:
        return ask_for_settings(known, ask, tell, complain, connects=connects)
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            what = "The input ended before every question was answered, and nothing was written."
            raise SettingsError([explained(what, "answers-ended")]) from error
        complaints.print("Nothing was written.")
        raise KeyboardInterrupt from error


def _plain(given: str) -> str:
    """Return a name that means nothing to a shell."""
    if not re.fullmatch(r"[\w.() -]+", given):
        raise click.BadParameter(
            f"A name of {len(given)} characters holds more than letters, digits, blanks and . - _ ( )."
        )
    return given


@main.command("azure-setup", cls=_CommandWithoutFile)
@click.option(
    "--subscription-id",
    "subscription_ids",
    multiple=True,
    callback=lambda _context, _option, given: tuple(_plain(one) for one in given),
    help="Where it may read, as often as given.",
)
@click.option(
    "--management-group",
    callback=lambda _context, _option, given: given and _plain(given),
    help="Or a management group: with everything below it.",
)
@click.option(
    "--name",
    default="secscore-reader",
    show_default=True,
    callback=lambda _context, _option, given: _plain(given),
    help="What the application is called.",
)
@click.option(
    "--custom-role",
    is_flag=True,
    help="A role of the actions needed, instead of Security Reader; a management group has it always.",
)
@click.option("--write", "folder", type=click.Path(file_okay=False, path_type=Path), help="Save the files there.")
def azure_setup(
    subscription_ids: tuple[str, ...], management_group: str | None, name: str, custom_role: bool, folder: Path | None
) -> None:
    """Print what makes the identity that reads: az commands, Bicep and Terraform, with least privilege.

    The endpoints of Azure Resource Manager need no Microsoft Graph permission; SecurityEvents.Read.All would be for
    Microsoft 365's secure score, which is another product.
    """
    from secscore_pipeline.azure.identity import recipes

    if not subscription_ids and not management_group:
        subscription_ids = ("<subscription id>",)
    found = recipes(name, subscription_ids, management_group, custom_role=custom_role)
    if folder is None:
        for file, text in found.items():
            write_output(f"# ---- {file}\n{text}\n")
        return
    folder.mkdir(parents=True, exist_ok=True)
    paths = {folder / file: text for file, text in found.items()}
    for path, text in paths.items():  # all are looked at before the first is written
        if path.exists() and not (path.is_file() and path.read_bytes() == text.encode()):
            raise FileError(f"{path} is there already, with other content.", "file-foreign")
    for path, text in paths.items():
        write_file(path, text)
    console.print(f"Written: {', '.join(str(folder / file) for file in found)}")


@main.command(cls=_CommandWithoutFile)
@click.option("--subscriptions", default=8, show_default=True, type=click.IntRange(1, 50_000), help="How many.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same world.")
@click.option("--mixed/--normal", default=True, show_default=True, help="Some without a score, some forbidden.")
@click.option(
    "--custom-controls",
    default=0,
    show_default=True,
    type=click.IntRange(0, 1000),
    help="Controls of the tenant's own beside Microsoft's 15; they give no points.",
)
@click.option(
    "--customers",
    default=0,
    show_default=True,
    type=click.IntRange(0, 100),
    help="Customers' tenants that have each delegated two subscriptions by Azure Lighthouse.",
)
@click.option("--port", default=0, help="0 lets the system choose.", show_default=True, type=click.IntRange(0, 65535))
@click.option("--latency", default=0.0, help="Seconds before each answer of ARM.", show_default=True)
@click.option(
    "--limit",
    metavar="TOKENS:REFILL[:shared]",
    callback=lambda _context, _option, given: given and _limit(given),
    help="How many requests each identity may make of a subscription: a bucket of tokens and how many come back each "
    "second (Azure documents 250:25); shared: of all subscriptions together.",
)
@click.option("--page-size", type=click.IntRange(min=1), help="Items on a page; one page when not given.")
@click.option(
    "--date",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day it is there: the world has lived, day by day, up to it. The day it was born when not given.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[:NAME=VALUE,...]",
    callback=lambda _context, _option, given: _faults(given),
    help="What goes wrong, as often as given: status, reset, handshake, stall, cut, echo or gzip; with path (a regular "
    "expression; a subscription's id is part of it), share (0 to 1), times, position (bytes of the body that still "
    "come), status, retry_after, body, seed. Example: status:status=429,retry_after=1,share=0.05",
)
@click.option(
    "--bodies",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with <subscription id>/secureScores.json and secureScoreControls.json to serve verbatim.",
)
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    default="data/emulator.env",
    show_default=True,
    help="Where to write the settings that lead to it (owner-only: it holds the secret).",
)
def emulator(
    subscriptions: int,
    seed: int,
    mixed: bool,
    custom_controls: int,
    customers: int,
    port: int,
    latency: float,
    limit: "Limit | None",
    page_size: int | None,
    date: datetime | None,
    faults: "list[Fault]",
    bodies: Path | None,
    env_file: Path,
) -> None:
    """Serve a local Azure (Entra and Azure Resource Manager over TLS) until Ctrl-C.

    It tells of a seeded, simulated world. The settings that lead a client to it are written to a file.
    """
    from secscore_pipeline.emulator.server import LocalAzure
    from secscore_pipeline.emulator.world import World

    world = World(seed, subscriptions, mixed=mixed and subscriptions > 3, custom_controls=custom_controls)
    for _ in range(customers):
        world.add_customer(2)
    if date is not None:
        world.live_until(date.date())
    with LocalAzure(world, latency=latency, page_size=page_size, port=port, limit=limit) as azure:
        azure.faults.extend(faults)
        for folder in sorted(bodies.iterdir()) if bodies else []:
            if folder.name.lower() not in world.subscriptions:
                world.add_subscription(folder.name)
            for file in folder.glob("*.json"):
                azure.arm.verbatim[folder.name.lower(), file.stem] = file.read_bytes()
        written = _ENV_MARK + env_text(azure.settings(*(["*"] if len(world.subscriptions) > _LISTABLE else [])))
        replace_file(env_file, written, [_ENV_MARK])
        try:
            console.print(f"Local Azure at {azure.url}, {len(world.subscriptions)} subscriptions (simulated).")
            shown = f"Settings: {env_file}   (use: set -a; . {env_file}; set +a)   Ctrl-C ends it."
            console.print(shown, soft_wrap=True)
            threading.Event().wait()  # until a signal
        finally:
            with suppress(OSError):  # it is gone, or somebody has put a folder there: nothing of ours is left
                if env_file.read_text(encoding="utf-8") == written:
                    env_file.unlink()


def _limit(given: str) -> "Limit":
    from secscore_pipeline.emulator.limits import Limit

    found = re.fullmatch(r"(\d+):(\d+)(:shared)?", given)
    if not found or not all(map(int, found.groups()[:2])):
        raise click.BadParameter(f"{given!r} is no limit: write 250:25 or 250:25:shared.")
    return Limit(int(found[1]), int(found[2]), is_shared=bool(found[3]), clock=time.monotonic)


def _faults(given: tuple[str, ...]) -> "list[Fault]":
    from secscore_pipeline.emulator.faults import Fault

    try:
        return [Fault.parse(text) for text in given]
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@main.command(cls=_CommandWithoutFile)
@click.option(
    "--subscriptions",
    default=8,
    show_default=True,
    type=click.IntRange(1, 50_000),
    help="How many the simulated tenant begins with.",
)
@click.option("--days", default=90, show_default=True, type=click.IntRange(0, 3650), help="How long the past is.")
def demo(subscriptions: int, days: int) -> None:
    """Run everything once against a local Azure with a simulated past, and print what came of it.

    The data is simulated and goes into a database of its own.
    """
    from secscore_pipeline.clock import utc_now

    today = utc_now()
    with _local_azure(subscriptions) as azure:
        console.rule(f"1. The {days} days before today (simulated)")
        _simulate_past(azure, today, days)
        azure.world.live_until(today.date())
        os.environ.update(azure.settings())
        console.print(
            f"The simulated tenant began with {count_subscriptions(subscriptions)} and has "
            f"{len(azure.world.subscriptions)} today."
        )
        # After the past, in which subscriptions came: the same number of them is then seen, read and counted.
        console.rule("2. Connection")
        _print_connection()
        console.rule("3. Today: materialize every asset")
        with _without_log():
            result = _sync((Feed(),), names_unread=False)
        if result is Synced.NOTHING:
            raise click.exceptions.Exit(EXIT_NOTHING_STORED)
        rows = {row["table"]: row["rows"] for row in _rows("posture/count_rows")}
        console.print(f"{rows['raw.fetches']:,} fetches and {rows['ocsf.assessment_findings']:,} findings are stored.")
        console.rule("4. Scores (simulated data)")
        _print_scores(_DEMO_SCORES)
        _print_path()
        _print_opportunities()
        console.rule("5. Summary")
        _print_summary()
        _write_report(None)
        database, report = value("SECSCORE_DATABASE"), value("SECSCORE_REPORT")
        warehouse = _warehouse()
        shown = warehouse.shown if warehouse.lake else first_steps.show_near(warehouse.published_path)
    console.print(f"Database: {shown} (simulated data; never locked)", soft_wrap=True)
    console.print("\nNext: ask it in SQL (help explains), see how it stands, open the report:")
    for command in first_steps.next_commands(database, report):
        console.print(f"  {command}", soft_wrap=True)


@contextmanager
def _without_log() -> Iterator[None]:
    """Leave out what assets log in the block, unless --verbose asks for it."""
    before = logging.root.manager.disable
    if not log.isEnabledFor(logging.DEBUG):
        logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def _print_connection() -> None:
    """Try the connection up to the list of the subscriptions, and print each step."""
    from secscore_pipeline.clock import utc_now
    from secscore_pipeline.ingest.connection import AzureConnection
    from secscore_pipeline.ingest.connection_test import diagnose

    for step in diagnose(AzureConnection.of(Feed()), utc_now):
        if step.subscription_id:
            break
        mark, style = _MARKS[step.state]
        console.print(Text(f"{mark} {printable(step.line)}", style=style))


def _print_summary() -> None:
    """Print what was read and what was not, each cause once, the score, and what the words in it mean."""
    from secscore_pipeline.posture.coverage import unread_causes

    with _warehouse().get_published() as connection:
        causes = unread_causes(connection)
    _print_coverage()
    for cause in causes:
        console.print(Text(f"✗ {cause.sentence}", style="red"))
    if causes:
        console.print("It is simulated so: `secscore status` names it, and exits with 1 for it.")
    for row in _rows("posture/list_tenant_scores"):
        if row["fraction"] is not None:
            console.print(
                f"Score of the tenant: {100 * row['fraction']:.2f} %, over {row['subscriptions']} subscriptions."
            )


def _simulate_past(azure: "LocalAzure", today: datetime, days: int) -> None:
    """Store a snapshot for each of the days before today that the store has none of, as if it had been taken then."""
    from rich.progress import track

    from secscore_pipeline.config.settings import EVENT_TYPES
    from secscore_pipeline.ingest.connection import AzureConnection
    from secscore_pipeline.ingest.fetches import take_snapshot
    from secscore_pipeline.ingest.listing import list_subscriptions
    from secscore_pipeline.ocsf.mapping import Normalization
    from secscore_pipeline.system.sql_files import load_sql
    from secscore_pipeline.warehouse.store import normalize

    warehouse = _warehouse()
    with warehouse.get_connection() as connection:
        (known,) = connection.execute(load_sql("posture/select_newest_day")).fetchone() or (None,)
    this_morning = today.replace(hour=5, minute=0, second=0, microsecond=0)
    mornings = [this_morning - timedelta(days=ago) for ago in range(days, 0, -1)]
    missing = [morning for morning in mornings if known is None or morning.date() > known]
    for morning in track(missing, description="days", console=complaints, disable=not complaints.is_terminal):
        azure.world.live_until(morning.date())
        os.environ.update(azure.settings())
        connection_to_azure: AzureConnection = AzureConnection.from_environment()
        snapshot_id, clock = f"simulated-{morning:%Y-%m-%d}", partial(_same, morning)
        list_subscriptions(connection_to_azure, warehouse, snapshot_id, value("SECSCORE_OWNER_TAG"), clock)
        for event_type in EVENT_TYPES.values():
            take_snapshot(connection_to_azure, warehouse, event_type, snapshot_id, clock)
    with warehouse.get_connection() as connection:
        added = normalize(connection, Normalization().mapping())
    console.print(f"{len(missing)} days and {added:,} findings added.")


@main.command()
@click.argument("sql", required=False)
@click.option("--file", type=click.File("rb"), help="Read the SQL from a file; - reads standard input.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "csv", "json", "markdown")),
    default="table",
    show_default=True,
    help="How rows are printed.",
)
@click.option("--at", type=click.DateTime(), help="With a lake: as it was then, UTC.")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="PATH",
    help="A file or folder that the SQL may read beside the database, as often as given.",
)
@click.option("--all", "has_all", is_flag=True, help="On a terminal: leave out no column, however wide.")
def query(
    sql: str | None, file: BinaryIO | None, form: str, at: datetime | None, allowed: tuple[str, ...], has_all: bool
) -> None:
    """Ask the database a question in SQL, and print the rows. It is opened for reading only.

    The SQL reads the database and what --allow names; it writes nothing, and reaches no other file and no network.

    Without SQL there is a prompt on a terminal; elsewhere the tables and views are listed. What does not fit a terminal
    is printed without the columns that say least, or a record after the other; --all prints every column.

    Where there is no database but the demo's, it asks that one.

    Exit code: 0 when it was answered, 1 when it could not be.
    """
    _use_demo_database()
    from secscore_pipeline.posture.query import asked, reachable_paths
    from secscore_pipeline.system.sql_files import load_sql

    warehouse = _warehouse()
    if at and not warehouse.lake:
        raise click.UsageError("Only a lake can be shown as it was; a file is as the newest run left it.")
    published = partial(
        warehouse.get_published, at and at.replace(tzinfo=UTC), reachable=reachable_paths(Path(one) for one in allowed)
    )
    if not (file or sql) and sys.stdin.isatty() and sys.stdout.isatty():
        from secscore_pipeline.cli.prompt import prompt

        prompt(published, partial(_print_rows, form=form), complaints, has_all=has_all)
        return
    text = _text_of(file) if file else sql or load_sql("posture/list_objects")
    question = _command_in(text) or partial(asked, text=text)
    with published() as connection:
        columns, rows = question(connection)
    _print_rows(columns, rows, form=form, has_all=has_all)


def _command_in(text: str) -> "Question | None":
    r"""Return the question of a command such as `\d` or `show tables`; None where it is SQL that DuckDB answers."""
    from secscore_pipeline.cli.prompt_commands import command_question

    is_sql = re.match(r"\s*(describe|desc|show)\s+\S", text, re.IGNORECASE) and not re.search(
        r"\b(tables|views)\s*;?\s*$", text, re.IGNORECASE
    )
    return None if is_sql else command_question(text)


def _print_rows(columns: list[str], rows: "Rows", *, form: str, has_all: bool = False) -> None:
    """Print the answer to a question in one of the forms; what is no terminal gets every column."""
    from secscore_pipeline.cli.terminal_table import as_text, fit_answer
    from secscore_pipeline.posture.query import FORMS

    if form != "table":
        (write_json if form == "json" else write_output)(FORMS[form](columns, rows))
    elif not answers.is_terminal:
        write_output(as_text(columns, rows))
    else:
        answer = fit_answer(columns, rows, answers.width, has_all=has_all)
        answers.print(answer.shown)
        if not rows:
            complaints.print("No rows.")
        if answer.note and not console.quiet:
            complaints.print(Text(answer.note, style="dim"))


@main.command()
@click.option(
    "--retention-days",
    type=click.IntRange(min=1),
    help="Delete fetches observed more than this many days before the newest one. Default: SECSCORE_RETENTION_DAYS; "
    "empty keeps everything.",
)
def maintain(retention_days: int | None) -> None:
    """Compact the database, and let go of old looks where a retention is set.

    What was first seen or last changed before then is remembered, and findings rebuilt from what is kept are the same.
    """
    from secscore_pipeline.clock import utc_now

    days = retention_days or kept_days(value("SECSCORE_RETENTION_DAYS"))
    warehouse = _warehouse()
    with console.status("Compacting"):
        done = warehouse.maintain(utc_now(), days)
    held = _rows("warehouse/measure_storage")[0]
    for warning in done.warnings:
        complaints.print(Text(f"! {warning}", style="yellow"), soft_wrap=True)
    if done.cutoff:
        console.print(f"What was observed before {done.cutoff:%Y-%m-%d %H:%M} UTC is deleted.")
    kept = f"since {held['oldest']:%Y-%m-%d}" if held["finding_looks"] else "empty"
    each = f", {done.after / held['finding_looks']:.0f} bytes for each" if held["finding_looks"] else ""
    console.print(
        f"{done.before / 1e6:.1f} MB became {done.after / 1e6:.1f} MB: "
        f"{held['finding_looks']:,} observations {kept}{each}.",
    )


@main.command()
@click.option(
    "--to", "target", required=True, help="The lake: ducklake:postgres:host=... dbname=..., without a password."
)
@click.option("--data-path", help="Its folder or URL of Parquet files; SECSCORE_DATA_PATH when not given.")
def migrate(target: str, data_path: str | None) -> None:
    """Move the DuckDB file into a lake, and compare every row of both.

    Stopped in the middle, it goes on where it was. The file stays as it is. docs/scale.md says when a lake is worth it.
    """
    from secscore_pipeline.warehouse.lake import Lake
    from secscore_pipeline.warehouse.moving import move

    warehouse = _warehouse()
    where = lake_settings(target, data_path or value("SECSCORE_DATA_PATH"), value("SECSCORE_WORK_DATABASE"))
    if where is None:
        raise click.BadParameter("That is no lake: it begins with ducklake:.", param_hint="--to")
    if warehouse.lake:
        raise click.UsageError(f"SECSCORE_DATABASE is a lake already: {warehouse.shown}.")
    if warehouse.path.exists():
        warehouse.publish()  # what runs have stored and not published yet is moved too
    moved = move(warehouse.published_path, Lake(*where), console.print)
    console.print(f"{sum(moved.values()):,} rows in {len(moved)} tables. From now on:")
    lines = f"SECSCORE_DATABASE={target}\nSECSCORE_DATA_PATH={where.data_path}"
    answers.print(Text(lines), soft_wrap=True)


def _known_views(_context: click.Context, _option: click.Parameter, typed: str) -> list[str]:
    """Return the views whose names begin with what was typed."""
    from secscore_pipeline.exports.export import list_views
    from secscore_pipeline.warehouse.connection import WarehouseError

    try:
        with _warehouse().get_published() as connection:
            return [view for view in list_views(connection) if view.startswith(typed)]
    except (SettingsError, WarehouseError):  # completing is no place to complain
        return []


@main.command()
@click.option(
    "--format",
    "forms",
    multiple=True,
    required=True,
    type=click.Choice(EXPORTS),
    help="What to write, as often as given.",
)
@click.option("--output", help="A folder, or a URL that fsspec knows; SECSCORE_EXPORT_URL when not given.")
@click.option(
    "--view",
    "views",
    multiple=True,
    shell_complete=_known_views,
    help="With csv and xlsx: only this view of the schema posture, as often as given.",
)
@click.option("--all", "everything", is_flag=True, help="Write again what is there already.")
def export(forms: tuple[str, ...], output: str | None, views: tuple[str, ...], everything: bool) -> None:
    """Write findings or views as files for other programs: what is not there yet, or has changed.

    jsonl: a line of OCSF 1.8.0 for each finding. parquet: the same, nested. security-lake: OCSF 1.3.0 in the layout of
    Amazon Security Lake. xlsx: a workbook for spreadsheet programs, with a sheet for each posture view. csv: a file for
    each posture view. Stopped in the middle, it goes on where it was.
    """
    _use_demo_database()
    from secscore_pipeline.exports.destination import Destination
    from secscore_pipeline.exports.export import OF_VIEWS, Lake, list_views
    from secscore_pipeline.exports.export import export as write

    if views and (others := [form for form in forms if form not in OF_VIEWS]):
        raise click.UsageError(f"--view goes with {' and '.join(OF_VIEWS)}: {others[0]} holds findings.")
    lake, warehouse = Lake(*export_layout()), _warehouse()
    views = tuple(view.lower().removeprefix("posture.") for view in views)
    with warehouse.get_published() as connection:  # before anything is made at the destination
        _refuse_unknown_views(views, list_views(connection))
    destination = Destination(output or value("SECSCORE_EXPORT_URL"))
    with (
        destination.scratch_folder(warehouse.path) as folder,
        warehouse.get_published(reachable=[folder]) as connection,
        console.status("Exporting") as shown,
    ):
        for form in dict.fromkeys(forms):
            done = write(
                connection, form, destination, lake, folder, everything=everything, views=views, tell=shown.update
            )
            console.print(
                f"{form}: {done.units} written, {done.unchanged} unchanged, {done.files} files, "
                f"{done.rows:,} rows, {done.bytes / 1e6:.1f} MB",
            )
            for note in done.notes:
                _warn(note)
    console.print(Text(f"Destination: {destination.shown}"), soft_wrap=True)


def _refuse_unknown_views(views: Sequence[str], known: Sequence[str]) -> None:
    """Raise where a name is that of no view, with the nearest that is one."""
    if unknown := [view for view in views if view not in known]:
        what = f"{describe_value('--view', unknown[0], *known)} names no view of the schema posture."
        raise click.BadParameter(explained(what, "view-unknown", views=", ".join(known)))


class _UnknownStateError(click.BadParameter):
    """A wrong option of a check: a monitoring system takes click's exit code 2 for CRITICAL."""

    exit_code = 3


def _max_age(_context: click.Context, _option: click.Parameter, given: str | None) -> timedelta | None:
    from secscore_pipeline.cli.monitoring import parse_age

    try:
        return None if given is None else parse_age(given)
    except ValueError as error:
        raise _UnknownStateError(str(error)) from error


@main.command(cls=_CommandOfItsOwn)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, for machines.")
@click.option(
    "--max-age",
    metavar="AGE",
    callback=_max_age,
    help="Check as a Nagios plugin does that the last complete sync of each feed is no older than this: 26h, 90m, 2d.",
)
def status(as_json: bool, max_age: timedelta | None) -> None:
    """Show how things stand: what each feed read last, the scores and their change, and what wants attention.

    It reads the published database and asks no network. Exit code: 0 when nothing wants attention, 1 when something
    does, such as a subscription that could not be read: the lines that begin with ! say what. It is shown in full all
    the same.

    With --max-age the first line is for a monitoring system, and so is the exit code: 2 (CRITICAL) when a feed had no
    complete sync within that time, never had one, or has one from the future; 1 (WARNING) when something else wants
    attention; 3 (UNKNOWN) when there is no database, or it or the settings cannot be read; else 0 (OK). A sync is
    complete when each subscription in scope was read, for each event type in SECSCORE_EVENT_TYPES, of all batches
    together. Its age counts from the end of its last fetch, once it is published.
    """
    if max_age:
        raise click.exceptions.Exit(_check_age(max_age, as_json=as_json))
    _load_settings()
    _use_demo_database()
    found, database = _standing(None)
    if as_json:
        write_json(_as_json({**found.record, "database": database}))
    else:
        _print_standing(found, configured_feeds())
        line = f"Database: {database['path']} ({database['bytes'] / 1e6:.1f} MB)"
        answers.print(Text(line), soft_wrap=True)
        if found.attention:
            answers.print("Exit code 1: what begins with ! wants attention.")
    if found.attention:
        raise click.exceptions.Exit(1)


def _standing(max_age: timedelta | None) -> "tuple[Standing, dict[str, Any]]":
    """Return how things stand, and where the published database is and how large."""
    from secscore_pipeline.alerts.journal import alert_problems_of
    from secscore_pipeline.clock import utc_now
    from secscore_pipeline.posture.status import standing

    warehouse, feeds = _warehouse(), configured_feeds()
    with warehouse.get_published() as connection:
        found = standing(connection, feeds, utc_now(), max_age, alert_problems_of(warehouse.published_path))
    return found, {"path": warehouse.shown, "bytes": warehouse.published_size()}


def _check_age(max_age: timedelta, *, as_json: bool) -> int:
    """Print what a monitoring system is told, and return the exit code that says the same."""
    import duckdb

    from secscore_pipeline.cli.monitoring import State, Verdict, judge
    from secscore_pipeline.warehouse.connection import WarehouseError

    record: dict[str, Any] = {}
    try:
        _load_settings()
        found, database = _standing(max_age)
    except (SettingsError, WarehouseError, OSError, duckdb.Error) as error:
        problem, *others = str(error).splitlines() or [type(error).__name__]
        verdict = Verdict(State.UNKNOWN, problem, tuple(others))
    else:
        verdict = judge(found, max_age, database["bytes"])
        record = {**found.record, "database": database}
    if as_json:
        write_json(_as_json({**verdict.record, "max_age_seconds": int(max_age.total_seconds()), **record}))
    else:
        write_output("".join(f"{printable(line)}\n" for line in verdict.lines))
    return verdict.state


def _as_json(record: Mapping[str, object]) -> str:
    return f"{json.dumps(record, indent=2, default=str, ensure_ascii=False)}\n"


def _print_standing(found: "Standing", feeds: tuple[Feed, ...]) -> None:
    schedules = {feed.name: f"{feed.schedule} {feed.time_zone}" for feed in feeds}
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("Feed", "Schedule", "Last look", "Read", "No score", "Not read"):
        table.add_column(name, no_wrap=name != "Feed")
    for row in found.feeds:
        numbers = (f"{row['read']} of {row['subscriptions']}", str(row["without_score"]), str(row["not_read"]))
        seen = f"{row['observed_at']:%Y-%m-%d %H:%M} UTC"
        table.add_row(Text(printable(row["feed"])), schedules.get(row["feed"], "not configured"), seen, *numbers)
    answers.print(table)
    for row in found.scores:
        before = row["fraction_before"]
        moved = "" if before is None else f", {100 * (row['fraction'] - before):+.2f} percentage points in 7 days"
        line = f"Tenant {row['tenant_id']}: {100 * row['fraction']:.2f} %{moved} ({row['day']})"
        answers.print(Text(printable(line), style="bold"), soft_wrap=True)
    for line in found.attention:
        answers.print(Text(f"! {printable(line)}", style="yellow"), soft_wrap=True)


@main.command(cls=_CommandOfItsOwn)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands and options.

    bash: secscore completion bash > ~/.local/share/bash-completion/completions/secscore; zsh and fish alike, in a
    folder of fpath as _secscore, or in ~/.config/fish/completions/secscore.fish.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.BadParameter(f"click cannot complete for {shell}.")
    write_output(f"{kind(main, {}, 'secscore', '_SECSCORE_COMPLETE').source()}\n")


@main.command()
@click.option("--test", "is_test", is_flag=True, help="Send a test message over every channel that is set.")
@click.option("--acknowledge", is_flag=True, help="Remove alerts that were set aside from `secscore status`.")
def alert(is_test: bool, acknowledge: bool) -> None:
    """Tell Slack, Teams or a webhook what is new: the sensor `alerts` does the same in Dagster, by itself.

    Each thing is told once over each channel. What a channel does not take is sent again: for a day where it refuses
    it, for a week where it cannot be reached. Then it is set aside, and `secscore status` says so.

    Exit code: 0 when every channel took everything, 1 when one did not.
    """
    from secscore_pipeline.alerts.journal import journal_path
    from secscore_pipeline.alerts.notify import acknowledge_alerts, channels, send_test, tell_news
    from secscore_pipeline.warehouse.connection import WarehouseError

    if acknowledge:
        console.print(f"{acknowledge_alerts()} alerts acknowledged.")
        return
    if not channels():
        what = "No channel is set: SECSCORE_ALERT_SLACK_TOKEN, SECSCORE_ALERT_TEAMS or SECSCORE_ALERT_WEBHOOK."
        raise SettingsError([explained(what, "setting-missing")])
    if not (is_test or journal_path(_warehouse().published_path).exists()):  # what waits is sent without a database too
        try:
            _warehouse().refuse_absent()
        except WarehouseError as error:
            if error.failure != "database-absent":
                raise
            _warn(str(error))
            console.print("0 messages sent.")
            return
    told = send_test() if is_test else tell_news(configured_feeds())
    console.print(f"{told.sent} messages sent.")
    for name, why in told.failed.items():
        complaints.print(Text(f"✗ {name}: {why}", style="red"), soft_wrap=True)
    for sentence in told.set_aside:
        complaints.print(Text(f"✗ Set aside, and not sent again: {sentence}", style="red"), soft_wrap=True)
    if told.failed:
        raise click.exceptions.Exit(EXIT_NOTHING_STORED)


@main.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it; SECSCORE_REPORT when not given.",
)
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
def report(output: Path | None, show: bool) -> None:
    """Write the report: one HTML file with the score, its path, what moved it, and what is still to win.

    It asks for nothing from any network: mail it, print it, keep it.
    """
    _use_demo_database()
    path = _write_report(output)
    if show and not _has_browser():
        complaints.print("There is no browser here: copy the file to a machine that has one.")
    elif show:
        click.launch(path.as_uri())


def _has_browser() -> bool:
    """Tell whether a page can be opened where this runs: on Linux that takes a display, or BROWSER."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _write_report(output: Path | None) -> Path:
    """Write the report of what is published, say where it is, and return its path."""
    from secscore_pipeline.clock import utc_now
    from secscore_pipeline.report.page import gather, report_path, write_report

    path = report_path(str(output) if output else value("SECSCORE_REPORT"))
    with _warehouse().get_published() as connection:
        made = gather(connection, utc_now())
    size = write_report(made, path)
    console.print(f"Report: {first_steps.show_near(path)} ({size / 1e6:.2f} MB)", soft_wrap=True)
    return path


@main.command()
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Port of the UI.")
def dev(port: int) -> None:
    """Open Dagster's UI on this project, on loopback.

    With no Azure settings a local Azure is started with it; with them, the real one is used.
    """
    if configured_feeds()[0].partition:
        _serve(port)
        return
    if any(os.environ.get(name, "").strip() for name in REQUIRED):
        azure_settings(os.environ)
        _serve(port)
        return
    from secscore_pipeline.clock import utc_now

    with _local_azure(8) as azure:
        azure.world.live_until(utc_now().date())  # it goes on where the past of `secscore demo` ends
        os.environ.update(azure.settings())
        console.print("No Azure settings: using a local Azure with simulated data.")
        _serve(port)


@main.command()
@click.option("--runs", default=1, show_default=True, type=click.IntRange(min=1), help="How many at once.")
def worker(runs: int) -> None:
    """Take runs from a cluster's queue, one after the other, until it is stopped.

    DAGSTER_HOME holds the cluster's instance file, deploy/cluster/dagster.yaml; docs/scale.md has the rest. Told to
    stop, it ends the run that it has; after a second Ctrl-C it lets go of it, and another worker takes it up.
    """
    try:
        from secscore_pipeline.defs.worker import work
    except ModuleNotFoundError as error:
        what = f"The package {error.name} is not installed."
        raise SettingsError([explained(what, "queue-missing")]) from error
    stopping.hand_over()  # to Celery, whose workers end their run first
    work(runs)


def _refuse_long_settings() -> None:
    """Refuse settings that no process can be started with.

    Raises:
        SettingsError: names them.
    """
    long = [name for name in DEFAULTS if len(f"{name}={os.environ.get(name, '')}".encode()) >= _LONGEST_VARIABLE]
    if long:
        raise SettingsError(
            [explained(f"{name} is longer than a process can take.", "setting-too-long") for name in long]
        )


def _serve(port: int) -> None:
    from secscore_pipeline.cli.service import serve_all
    from secscore_pipeline.defs.metadata import POOL

    if os.environ.get("DAGSTER_HOME", "").strip():
        with _instance() as instance:  # the default limit of dagster.yaml holds from a pool's second run on only
            instance.event_log_storage.set_concurrency_slots(POOL, parallel_runs())
    _refuse_long_settings()
    code = serve_all(port, lambda: console.print(f"Dagster's UI: http://127.0.0.1:{port}   Ctrl-C ends it."))
    if code > 128:  # by a signal
        complaints.print("Stopped.")
    raise click.exceptions.Exit(code)


@contextmanager
def _local_azure(subscriptions: int) -> Iterator["LocalAzure"]:
    """Start a local Azure in this process and point the settings to it, whatever they were."""
    from secscore_pipeline.emulator.server import LocalAzure
    from secscore_pipeline.emulator.world import World

    with LocalAzure(World(subscriptions=subscriptions, mixed=subscriptions > 3)) as azure:
        database = os.environ.get("SECSCORE_DATABASE") or first_steps.DATABASE
        # An empty file of feeds: what is in the working directory leads elsewhere.
        report = os.environ.get("SECSCORE_REPORT") or first_steps.REPORT
        settings = {
            **azure.settings(),
            "SECSCORE_DATABASE": database,
            "SECSCORE_REPORT": report,
            "SECSCORE_FEEDS": os.devnull,
        }
        before = {setting.name: os.environ.pop(setting.name, None) for setting in SETTINGS}
        os.environ.update(settings)
        try:
            yield azure
        finally:
            for name, text in before.items():
                os.environ.pop(name, None)
                if text is not None:
                    os.environ[name] = text


class Synced(Enum):
    """How a run of the whole job ended."""

    WHOLLY = auto()
    IN_PART = auto()
    UNPUBLISHED = auto()
    NOTHING = auto()


def _start_lightly() -> None:
    """Save a process that only syncs half a second and 46 MB, as the bench measures it."""
    # Imports make objects that stay: looking through them for garbage again and again finds none.
    gc.disable()
    # DuckDB imports pandas with a process's first parameter, to tell a NaT. Where that fails it does without.
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]


def _feeds(names: tuple[str, ...]) -> tuple[Feed, ...]:
    """Return the feeds of these names, or all of them."""
    feeds = configured_feeds()
    if unknown := set(names) - {feed.name for feed in feeds}:
        known = ", ".join(feed.name for feed in feeds)
        raise click.BadParameter(f"There is no feed {', '.join(sorted(unknown))}; there are {known}.")
    return tuple(feed for feed in feeds if feed.name in names or not names)


def _sync(feeds: tuple[Feed, ...], *, names_unread: bool = True) -> Synced:
    """Run the job once for each feed; say what failed, and return how they ended together.

    Args:
        feeds: whose subscriptions are read.
        names_unread: whether to say which subscriptions could not be read, and why.
    """
    if not feeds[0].partition:
        azure_settings(os.environ)
    signal_settings()
    log.debug("runs write %s", _warehouse().path)  # wrong settings are told before anything is read
    results = []
    with _instance() as instance:
        for feed in feeds:
            if feed.partition:
                console.rule(f"Feed {feed.name}")
            sync_id = str(uuid.uuid4())
            results.append(_sync_feed(instance, feed, sync_id))
            if names_unread:
                _say_unread(sync_id)
    return _together(results)


def _together(results: "Sequence[Synced]") -> Synced:
    """Return how several runs ended together."""
    if len(set(results)) == 1:
        return results[0]
    return Synced.UNPUBLISHED if Synced.UNPUBLISHED in results else Synced.IN_PART


def _sync_feed(instance: "dg.DagsterInstance", feed: Feed, sync_id: str) -> Synced:
    from secscore_pipeline.defs.assets.posture import DATABASE

    if batch_size():
        return _sync_round(instance, feed, sync_id)
    result = _run(instance, feed, None, run_id=sync_id)
    _complain(result)
    if result.success:
        return Synced.WHOLLY
    if not _stored_something(result.run_id):
        return Synced.NOTHING
    return Synced.IN_PART if _made(result, DATABASE) else Synced.UNPUBLISHED


def _sync_round(instance: "dg.DagsterInstance", feed: Feed, round_id: str) -> Synced:
    """Run the job for each batch of a feed, one after the other, then publish; say what failed and how it ended."""
    from secscore_pipeline.azure.errors import AzureError
    from secscore_pipeline.defs.assets.posture import DATABASE
    from secscore_pipeline.defs.jobs import READING
    from secscore_pipeline.defs.schedules import round_of

    try:
        batches = round_of(feed, instance)
    except AzureError as error:
        complaints.print(Text(f"✗ {error}", style="red"), soft_wrap=True)
        return Synced.NOTHING
    ended = []
    for number, batch in enumerate(batches, 1):
        console.print(f"Batch {batch.key} ({number} of {len(batches)})")
        result = _run(instance, feed, READING, batch, round_id)
        _complain(result)
        stored = _stored_something(result.run_id)
        ended.append(Synced.WHOLLY if result.success else Synced.IN_PART if stored else Synced.NOTHING)
    if set(ended) == {Synced.NOTHING}:
        return Synced.NOTHING
    shown = _run(instance, feed, _shown_without_batches(), round_id=round_id)
    _complain(shown)
    if not _made(shown, DATABASE):
        return Synced.UNPUBLISHED
    return Synced.WHOLLY if shown.success and set(ended) == {Synced.WHOLLY} else Synced.IN_PART


def _shown_without_batches() -> "list[dg.AssetKey]":
    """Return what is made once of all batches: the report has a command of its own."""
    from secscore_pipeline.defs.assets.exports import key_of
    from secscore_pipeline.defs.assets.posture import DATABASE

    return [DATABASE, *map(key_of, exported_formats())]


def _run(
    instance: "dg.DagsterInstance",
    feed: Feed,
    selection: "Sequence[dg.AssetKey] | None",
    batch: "Batch | None" = None,
    round_id: str | None = None,
    run_id: str | None = None,
) -> "dg.ExecuteInProcessResult":
    from secscore_pipeline.cli.progress import bars
    from secscore_pipeline.definitions import defs
    from secscore_pipeline.defs.assets.exports import key_of
    from secscore_pipeline.defs.assets.report import REPORT
    from secscore_pipeline.defs.partitions import BY_HAND, ROUND, SHOWS
    from secscore_pipeline.defs.run_launcher import PROCESS_TAG, report_run_stopped
    from secscore_pipeline.system.processes import ProcessIdentity

    left_out = {REPORT, *(key_of(form) for form in EXPORTS if form not in exported_formats())}
    run_id = run_id or str(uuid.uuid4())
    tags = {
        **BY_HAND,
        "secscore/feed": feed.name,
        PROCESS_TAG: str(ProcessIdentity.of(os.getpid())),
        **({ROUND if batch else SHOWS: round_id} if round_id else {}),
    }
    gc.freeze()
    gc.enable()
    with (
        nullcontext() if console.quiet else bars(complaints),
        stopping.acts_last(partial(report_run_stopped, instance, run_id)),
    ):
        result = defs.resolve_job_def("sync").execute_in_process(
            instance=instance,
            run_config={"loggers": {"plain": {}}},
            raise_on_error=False,
            tags=tags,
            run_id=run_id,
            partition_key=batch.key if batch else None if batch_size() else feed.partition,
            # The report has a command of its own: what draws its charts takes a second and 200 MB.
            asset_selection=selection or [key for key in defs.resolve_all_asset_keys() if key not in left_out],
        )
    if stopping.is_requested():
        raise KeyboardInterrupt
    return result


def _made(result: "dg.ExecuteInProcessResult", key: "dg.AssetKey") -> bool:
    """Tell whether a run materialized an asset."""
    return any(event.asset_key == key for event in result.all_events if event.is_step_materialization)


def _stored_something(snapshot_id: str) -> bool:
    """Tell whether a run that failed stored a look that says how a subscription stands, or that one left the scope."""
    from secscore_pipeline.system.sql_files import load_sql
    from secscore_pipeline.warehouse.connection import WarehouseError, execute

    try:
        with _warehouse().get_reader() as connection:
            asked = {"snapshot_id": snapshot_id, "event_type": None}
            queries = map(load_sql, ("warehouse/count_stored_fetches", "ingest/count_departures"))
            counts = [execute(connection, query, asked).fetchone() for query in queries]
    except WarehouseError:
        return False  # the run has already said what is wrong with the file
    return any(count != (0,) for count in counts)


def _complain(result: "dg.ExecuteInProcessResult") -> None:
    """Say what failed and which checks did not pass.

    Not which subscriptions could not be read: `_say_unread` does, once for all steps and checks that noticed it.
    """
    import dagster as dg

    from secscore_pipeline.defs.asset_checks import CHECKS, COVERAGE
    from secscore_pipeline.defs.assets.raw import NAMES_READ, SUBSCRIPTIONS
    from secscore_pipeline.defs.metadata import READ
    from secscore_pipeline.text import from_markdown

    about_coverage = {check.title for check in CHECKS if check.file == COVERAGE}
    names_read = f"{'/'.join(SUBSCRIPTIONS.path)}: {NAMES_READ}"
    checks: dict[str, str] = {}
    unread, unlisted, is_read = [], [], False
    for check in result.get_asset_check_evaluations():
        title = f"{'/'.join(check.asset_key.path)}: {check.check_name}"
        description = from_markdown(check.description or "")
        is_read |= check.passed and check.check_name == READ
        if not check.passed and check.check_name == READ:
            unread.append(description)
        elif not check.passed and title == names_read:
            unlisted.append(description)
        elif not check.passed and title not in about_coverage:
            checks[f"{title}: {description}"] = "yellow" if check.severity is dg.AssetCheckSeverity.WARN else "red"
    if is_read:  # else what kept the list from being read kept everything
        checks |= dict.fromkeys(unlisted, "yellow")
    for message in dict.fromkeys([*unread, *_failures(result)]):
        if nothing_read := re.match(r"No \w+ could be read(?=:| \()", message):
            message = f"{nothing_read[0]}."
        elif any(message.startswith(f"{title}: ") for title in about_coverage):
            message = "Some subscriptions could not be read, and SECSCORE_PARTIAL_FAILURE is fail."
        if message not in checks:  # a check that ends the run is said once
            complaints.print(Text(f"✗ {message}", style="red"), soft_wrap=True)
    for line, style in checks.items():
        complaints.print(Text(f"! {line}", style=style), soft_wrap=True)


def _say_unread(sync_id: str) -> None:
    """Say why subscriptions could not be read in a sync, and what to do: each cause once, with their names."""
    from secscore_pipeline.posture.coverage import unread_causes
    from secscore_pipeline.warehouse.connection import WarehouseError

    try:
        with _warehouse().get_reader() as connection:
            causes = unread_causes(connection, sync_id)
    except WarehouseError:
        return  # the run has already said what is wrong with the file
    for cause in causes:
        complaints.print(Text(f"✗ {cause.sentence}", style="red"), soft_wrap=True)
        if cause.resolution:
            complaints.print(Text(f"  {cause.resolution}"), soft_wrap=True)
    if causes:
        complaints.print("  Each in full: secscore query \"from posture.read_results where result = 'not_read'\"")


def _say_unpublished() -> None:
    """Say what is stored, what readers have, and what to do, after a run that could not publish what it stored."""
    from secscore_pipeline.warehouse.connection import WarehouseError
    from secscore_pipeline.warehouse.retention import newest_fetch

    warehouse = _warehouse()
    try:
        with warehouse.get_published() as connection:
            until = newest_fetch(connection)
        readers = (
            f"{warehouse.shown} has what was observed until {until:%Y-%m-%d %H:%M} UTC" if until else "it is empty"
        )
    except WarehouseError as error:
        readers = f"there is nothing at {warehouse.shown} that could be read ({error.failure})"
    what = f"This run is stored in {warehouse.path}, but not published: {readers}."
    complaints.print(Text(explained(what, "run-unpublished"), style="red"), soft_wrap=True)


@contextmanager
def _instance() -> Iterator["dg.DagsterInstance"]:
    """Yield the instance of DAGSTER_HOME, or one of the moment that leaves nothing behind.

    Raises:
        SettingsError: DAGSTER_HOME is no folder that can be used, or what Dagster keeps there is damaged.
    """
    import dagster as dg
    from sqlalchemy.exc import SQLAlchemyError
    from yaml import YAMLError

    home = os.environ.get("DAGSTER_HOME", "").strip()
    if not home:
        with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
            yield instance
        return
    folder = expand_path("DAGSTER_HOME", home)
    if not folder.is_absolute():
        what = f"DAGSTER_HOME={show_path(folder)} is not an absolute path."
        raise SettingsError([explained(what, "folder-unusable", setting="DAGSTER_HOME")])
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        what = f"DAGSTER_HOME={show_path(folder)} cannot be made ({error.strerror})."
        raise SettingsError([explained(what, "folder-unusable", setting="DAGSTER_HOME")]) from error
    os.environ["DAGSTER_HOME"] = str(folder)
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    except (SQLAlchemyError, dg.DagsterError, YAMLError) as error:
        what = f"Dagster's records in {folder} cannot be used ({quoted(str(error).splitlines()[0], length=200)})."
        raise SettingsError([explained(what, "instance-unusable")]) from error


def _failures(result: "dg.ExecuteInProcessResult") -> Iterator[str]:
    """Yield what each failed step says, without a traceback where it was foreseen."""
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            yield from failure.user_failure_data.description.splitlines()
        elif failure.error:
            yield f"{event.step_key}: {failure.error.message.strip()} Run it with --verbose for the detail."


_MARKS = {"passed": ("✓", "green"), "warned": ("○", "yellow"), "failed": ("✗", "red")}


def _test_connection(feeds: tuple[Feed, ...], *, as_json: bool = False) -> int:
    """Show each step of the diagnosis of each feed, equal readings together, and return the exit code."""
    from secscore_pipeline.clock import utc_now
    from secscore_pipeline.ingest.connection import AzureConnection
    from secscore_pipeline.ingest.connection_test import State, Step, diagnose, group_readings, summary

    def show(state: State, text: str) -> None:
        mark, style = _MARKS[state]
        line = Text(f"{mark} {printable(text)}", style=style)
        (complaints if state is State.FAILED else console).print(line, soft_wrap=True)

    steps: dict[str, list[Step]] = {}
    for feed in feeds:
        ours = steps.setdefault(feed.name, [])
        if len(feeds) > 1 and not as_json:
            console.rule(f"Feed {feed.name}")
        with console.status("Reading") if not as_json else nullcontext():
            for step in diagnose(AzureConnection.of(feed), utc_now):
                ours.append(step)
                if not (as_json or step.subscription_id):
                    show(step.state, step.line)
        if not as_json:
            for group in group_readings(ours):
                show(group.state, group.line)
            console.print(Text(summary(ours)), soft_wrap=True)
    everything = [step for ours in steps.values() for step in ours]
    if as_json:
        shown = [{"feed": name, **step.record} for name, ours in steps.items() for step in ours]
        write_json(_as_json({"steps": shown, "summary": summary(everything)}))
    failed = {step.name for step in everything if step.state is State.FAILED}
    return EXIT_WRONG_SETTINGS if "settings" in failed else EXIT_NOTHING_STORED if failed else 0


def _use_demo_database() -> None:
    """Use the demo's database where there is no other, and say so."""
    if first_steps.is_all_there_is(os.environ):
        os.environ["SECSCORE_DATABASE"] = first_steps.DATABASE
        os.environ.setdefault("SECSCORE_REPORT", first_steps.REPORT)
        what = f"No database of your own yet: this is the demo's, {first_steps.DATABASE} (simulated data)."
        complaints.print(Text(what, style="dim"), soft_wrap=True)


def _warehouse() -> "Warehouse":
    from secscore_pipeline.warehouse.warehouse import Warehouse

    return Warehouse.from_environment()


def _rows(name: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
    from secscore_pipeline.system.sql_files import load_sql
    from secscore_pipeline.warehouse.connection import select_rows

    with _warehouse().get_reader() as connection:
        return select_rows(connection, load_sql(name), dict(parameters or {}))


def _query(name: str, parameters: Mapping[str, object] | None = None) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(_rows(name, parameters))


def _print_coverage() -> None:
    """Say how many subscriptions the newest sync of each feed read."""
    from secscore_pipeline.posture.coverage import read_coverage

    with _warehouse().get_reader() as connection:
        console.print(f"{read_coverage(connection).sentence}.")


_WIDE = 120
"""From how many columns a terminal has room for ids and names."""


_OTHER_SCORES = (
    "a second score that Azure gives {n} of these subscriptions, where governance rules grant a grace period. It is "
    "stored; totals count ascScore only."
)

_MAIN_SCORE = "ascScore"
"""The score that totals count: Defender for Cloud gives a subscription others beside it."""


def _print_scores(most: int = 20) -> None:
    """Print the lowest scores, and what the words in them mean; other scores than the main one are only named."""
    found = _rows("posture/list_scores", {"limit": None})
    scores = [row for row in found if row["score"] == _MAIN_SCORE] or found
    which = f"the lowest {most} of {len(scores)}" if len(scores) > most else "lowest first"
    table = Table(title=f"Secure scores, {which}", title_justify="left", padding=(0, 1, 0, 0), box=None)
    is_named = any(row["subscription_name"] for row in scores)
    length = 8 if is_named and console.width < _WIDE else 36  # beside a name, the beginning of an id will do
    table.add_column("Subscription", min_width=length, no_wrap=True)
    if is_named:
        table.add_column("Name", overflow="ellipsis", no_wrap=True)
    for name in ("Points", "Percent", "Status", "Score"):
        table.add_column(name, justify="right" if name in ("Points", "Percent") else "left", no_wrap=True)
    for row in scores[:most]:
        percent = "–" if row["fraction"] is None else f"{100 * row['fraction']:.2f} %"
        points = "–" if None in (row["current"], row["max"]) else f"{row['current']:g} / {row['max']:g}"
        names = [row["subscription_name"] or ""] if is_named else []
        cells = (row["subscription_id"][:length], *names, points, percent, row["status"], str(row["score"]))
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console.print(table)
    if any(row["status"] == "Fail" for row in scores):
        console.print("Fail: less than 100 %, so there are points to win. Pass: 100 %.")
    others = sorted({row["score"] for row in found} - {row["score"] for row in scores})
    if others:
        console.print(f"{', '.join(map(printable, others))}: {_OTHER_SCORES.format(n=len(found) - len(scores))}")


def _same(moment: datetime) -> datetime:
    return moment


def _print_path() -> None:
    """Draw the tenants' score over the days, the lowest and highest as the ends of the scale."""
    path = _query("posture/list_tenant_trend").dropna()
    if len(path) < 2:
        return
    low, high = path["percentage"].min(), path["percentage"].max()
    marks = "▁▂▃▄▅▆▇█"
    every = -(-len(path) // (console.width - 2))  # days for each mark, the last day among them
    shown = path["percentage"][::-1][::every][::-1]
    steps = ((shown - low) / ((high - low) or 1) * (len(marks) - 1)).round().astype(int)
    ends = [f"{day['day']} ({day['percentage']:.2f} %)" for day in (path.iloc[0], path.iloc[-1])]
    console.print(f"\nScore from {ends[0]} to {ends[1]}")
    console.print(Text("".join(marks[step] for step in steps)))
    console.print(f"lowest {low:.2f} %, highest {high:.2f} %\n")


def _print_opportunities() -> None:
    table = Table(title="Controls with the most points to win", title_justify="left")
    for name in ("Control", "Points", "Unhealthy resources", "Subscriptions"):
        table.add_column(name, justify="left" if name == "Control" else "right")
    for row in _rows("posture/list_opportunities", {"limit": 5}):
        numbers = (f"{row['points_to_win']:.2f}", f"{row['unhealthy_resources']:g}", f"{row['subscriptions']}")
        table.add_row(Text(printable(str(row["control"]))), *numbers)
    console.print(table)
