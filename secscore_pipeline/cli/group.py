"""What all commands share: settings are read before they begin, and failures become sentences and exit codes."""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from secscore_pipeline.cli.console import error_console, print_error, print_warning
from secscore_pipeline.config.env_file import load_env
from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import SECRETS
from secscore_pipeline.errors import ExplainedError, explain
from secscore_pipeline.system import stopping
from secscore_pipeline.system.redaction import quote_answer, redact, register_secrets
from secscore_pipeline.text import printable

EXIT_FAILURE = 1
EXIT_WRONG_SETTINGS = 2
EXIT_PARTIAL = 3
EXIT_UNPUBLISHED = 4

log = logging.getLogger(__name__)

_AFTER_STOP = {
    "sync": " No incomplete fetch was stored; run it again at any time.",
    "demo": " The days that are stored stay; run it again to continue after them.",
    "export": " Each file that exists is complete; run it again to write the others.",
    "maintain": " The database is intact; run it again at any time.",
    "migrate": " The source file is unchanged; run it again to continue.",
}
"""What a stopped command leaves behind, by its name; the others leave nothing."""


class SettingsCommand(click.Command):
    """A command that reads .env and checks all settings before it begins.

    Its options are parsed before that: --help works whatever the settings are.
    """

    def invoke(self, context: click.Context) -> Any:
        """Load the settings, then run the command."""
        load_settings()
        return super().invoke(context)


class IsolatedCommand(click.Command):
    """A command with settings of its own: it checks the environment's, and reads neither .env nor feeds.yaml."""

    def invoke(self, context: click.Context) -> Any:
        """Check the environment, then run the command."""
        check_environment()
        return super().invoke(context)


class CommandGroup(click.Group):
    """The commands, with every failure shown as a sentence and an exit code instead of a traceback."""

    def invoke(self, context: click.Context) -> object:
        """Run a command; of one that was stopped, print what it left behind."""
        try:
            result = super().invoke(context)
        except BaseException as error:
            # Libraries convert an interrupt to errors of their own: what counts is the signal that the process got.
            if not (stopping.is_requested() or isinstance(error, KeyboardInterrupt)):
                raise
        else:
            if not stopping.is_requested():
                return result
        error_console.print(f"Stopped.{_AFTER_STOP.get(context.invoked_subcommand or '', '')}", soft_wrap=True)
        raise click.exceptions.Exit(stopping.exit_code())

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run a command and exit."""
        code: Any = 0
        try:
            super().main(*arguments, **options)
        except SystemExit as error:
            code = error.code
        except Exception as error:  # noqa: BLE001 - the one place where nothing may pass
            code = report_error(error)
        sys.exit(_flush_streams(code))


def load_settings() -> None:
    """Read the file .env of the working directory into the environment, which wins, and check every setting.

    Raises:
        SettingsError: the file cannot be read, the working directory is gone, or a setting is malformed.
    """
    try:
        file = Path.cwd() / ".env"
    except FileNotFoundError as error:
        what = "The working directory does not exist any more."
        raise SettingsError([explain(what, "working-directory-gone")]) from error
    names, warnings = load_env(file)
    for warning in warnings:
        print_warning(warning)
    try:
        secrets = [name for feed in read_feeds() for name in feed.secrets.values()]
    except SettingsError:  # reported below, with all the others
        secrets = []
    check_environment(names, secrets, read_feeds)


def check_environment(
    file_names: Iterable[str] = (), known_names: Iterable[str] = (), *checks: Callable[[], object]
) -> None:
    """Check the settings in the environment, and warn of names that look like settings and are none.

    Args:
        file_names: the names in the file of settings.
        known_names: further names that are settings.
        checks: further checks, which raise SettingsError.

    Raises:
        SettingsError: a setting is malformed.
    """
    from secscore_pipeline.config.checking import check_settings, find_unknown_settings

    for warning in find_unknown_settings(os.environ, file_names, known_names):
        print_warning(warning)
    check_settings(*checks)


def report_error(error: Exception) -> int:
    """Print an exception as sentences, its traceback only with --verbose; return the exit code."""
    register_secrets(*(os.environ.get(name, "").strip() for name in SECRETS))
    code = EXIT_WRONG_SETTINGS if isinstance(error, SettingsError) else EXIT_FAILURE
    with suppress(OSError):  # where nothing can be printed, the exit code remains
        for message in _describe_error(error):
            print_error(printable(message))
        if log.isEnabledFor(logging.DEBUG):
            error_console.print(Text(redact("".join(traceback.format_exception(error)))), soft_wrap=True)
    return code


def _describe_error(error: Exception) -> list[str]:
    """Return a sentence for each problem that an exception stands for."""
    if isinstance(error, ExplainedError):
        return list(error.problems)
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:  # Python's bytes that are no characters
        what = f"A name or an argument holds bytes that are no characters here ({sys.getfilesystemencoding()})."
        return [explain(what, "locale-too-small")]
    if isinstance(error, BrokenPipeError):  # the reader has closed its end (`| head`)
        return []
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return [explain(f"{error.strerror or type(error).__name__}{where}.", "system-refused")]
    if "duckdb" in type(error).__module__ and type(error).__name__ in ("CatalogException", "BinderException"):
        what = f"The database lacks what this version needs ({quote_answer(str(error).splitlines()[0])})."
        return [explain(what, "database-outdated")]
    return [explain(f"Unexpected error ({quote_answer(f'{type(error).__name__}: {error}')}).", "unforeseen")]


def _flush_streams(code: Any) -> Any:
    """Write out what was printed; return the exit code, which is a failure where that is impossible."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            if stream is sys.stdout and not code and isinstance(error, OSError):
                code = report_error(error)
            # Python tries again when it ends, and would report it in its own words.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return code
