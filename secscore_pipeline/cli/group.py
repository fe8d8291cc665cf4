"""The group of all commands: each is imported when it is called, and its failures become sentences and exit codes."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from secscore_pipeline.system import stopping

_AFTER_STOP = {
    "sync": " No incomplete fetch was stored; run it again at any time.",
    "demo": " The days that are stored stay; run it again to continue after them.",
    "export": " Each file that exists is complete; run it again to write the others.",
    "maintain": " The database is intact; run it again at any time.",
    "migrate": " The source file is unchanged; run it again to continue.",
}
"""What a stopped command leaves behind, by its name; the others leave nothing."""


class DeferredCommand(click.Command):
    """A command in the list of commands, whose module is imported when it is called or its options are asked for.

    Args:
        name: what it is called by.
        module: the module of this package that has it, as a function of the same name.
        short_help: the first sentence of its help.
    """

    def __init__(self, name: str, module: str, short_help: str) -> None:
        super().__init__(name, help=short_help)
        self._module = module

    def load(self) -> click.Command:
        """Return the command itself."""
        module = import_module(f"secscore_pipeline.cli.{self._module}")
        command: click.Command = getattr(module, str(self.name).replace("-", "_"))
        return command


class CommandGroup(click.Group):
    """The commands, with every failure shown as a sentence and an exit code instead of a traceback.

    Args:
        deferred: the commands.
    """

    def __init__(self, *, deferred: Sequence[DeferredCommand], **attributes: Any) -> None:
        super().__init__(commands=deferred, **attributes)

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that arguments begin with, imported, and the arguments that are left."""
        name, command, rest = super().resolve_command(context, arguments)
        return name, command.load() if isinstance(command, DeferredCommand) else command, rest

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
        # A terminal's, which a list of the commands does not need.
        from secscore_pipeline.cli.console import error_console

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
            code = _report(error)
        sys.exit(_flush_streams(code))


def _flush_streams(code: Any) -> Any:
    """Write out what was printed; return the exit code, which is a failure where that is impossible."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            if stream is sys.stdout and not code and isinstance(error, OSError):
                code = _report(error)
    return code


def _report(error: Exception) -> int:
    """Print an exception, and return the exit code."""
    from secscore_pipeline.cli.failures import report_error  # 0.1 s, for a command that fails

    return report_error(error)
