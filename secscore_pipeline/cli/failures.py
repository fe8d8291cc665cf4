"""What a person sees of a failure: a sentence for each problem, and the exit code."""

import logging
import os
import sys
import traceback
from contextlib import suppress

from rich.text import Text

from secscore_pipeline.cli.console import error_console, print_error
from secscore_pipeline.cli.exit_codes import EXIT_FAILURE, EXIT_WRONG_SETTINGS
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import SECRETS
from secscore_pipeline.errors import ExplainedError, explain
from secscore_pipeline.system.redaction import quote_answer, redact, register_secrets
from secscore_pipeline.text import printable

log = logging.getLogger(__name__)


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
