"""Options that several commands have, and how their values are read."""

from typing import BinaryIO

import click

from secscore_pipeline.config.feeds import Feed, read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.system.encodings import EncodingError, decode_text
from secscore_pipeline.system.files import FileError
from secscore_pipeline.text import printable


def _complete_feeds(_context: click.Context, _option: click.Parameter, typed: str) -> list[str]:
    """Return the feeds whose names begin with what was typed."""
    try:
        return [feed.name for feed in read_feeds() if feed.name.startswith(typed)]
    except SettingsError:  # a completion prints no errors
        return []


feed_option = click.option(
    "--feed",
    "names",
    multiple=True,
    shell_complete=_complete_feeds,
    help="Only this feed of feeds.yaml. Repeatable.",
)


def select_feeds(names: tuple[str, ...]) -> tuple[Feed, ...]:
    """Return the feeds of these names, or all of them."""
    feeds = read_feeds()
    if unknown := set(names) - {feed.name for feed in feeds}:
        known = ", ".join(feed.name for feed in feeds)
        raise click.BadParameter(f"There is no feed {', '.join(sorted(unknown))}. Feeds: {known}.")
    return tuple(feed for feed in feeds if feed.name in names or not names)


def read_text(file: BinaryIO) -> str:
    """Return the text of a file that an option names.

    Raises:
        FileError: its encoding is not certain.
    """
    try:
        return decode_text(file.read())
    except EncodingError as error:
        name = "standard input" if file.name in (0, "<stdin>") else printable(str(file.name))
        raise FileError(f"{name} cannot be read: {error}.", "encoding-unknown") from error
