"""What commands with settings share: .env is read and every setting checked before they begin."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from secscore_pipeline.cli.console import print_warning
from secscore_pipeline.config.checking import check_settings, find_unknown_settings
from secscore_pipeline.config.env_file import load_env
from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.errors import explain


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
    for warning in find_unknown_settings(os.environ, file_names, known_names):
        print_warning(warning)
    check_settings(*checks)
