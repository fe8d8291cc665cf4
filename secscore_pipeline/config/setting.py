"""What a setting is: its name, group, kind, meaning and default; how its text and its typed value are read."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from secscore_pipeline.config.kinds import Kind, SettingsError
from secscore_pipeline.system.redaction import register_secrets

T = TypeVar("T")


class Group(Enum):
    """What somebody searches a setting for; the documents have a table of each."""

    CONNECTION = "Connection"
    SCOPE = "Scope"
    STORAGE = "Storage"
    SCHEDULE = "Schedule"
    ALERTS = "Alerts and monitoring"
    EXPORTS = "Reports and exports"
    SERVICE = "Service"


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One setting.

    Attributes:
        name: of the environment variable.
        group: for whom it is.
        kind: what it may hold; makes a typed value of its text.
        meaning: what it controls and what the default means.
        default: as text; None: it is required.
        is_secret: whether it never stands anywhere but in the environment, and is never shown.
        launchpad_field: its field in the configuration of a run in Dagster; empty: a run cannot change it.
    """

    name: str
    group: Group
    kind: Kind[T]
    meaning: str
    default: str | None = ""
    is_secret: bool = False
    launchpad_field: str = ""

    @property
    def help(self) -> str:
        """What it controls and the values that it takes, as sentences."""
        values = self.kind.values
        return f"{self.meaning} Takes {values}." if values else self.meaning

    def read_text(self, environment: Mapping[str, str] | None = None) -> str:
        """Return its text in the environment, else its default, else an empty text.

        Args:
            environment: by the settings' names; None for that of this process.
        """
        given = (os.environ if environment is None else environment).get(self.name, "").strip()
        if self.is_secret:
            register_secrets(given)
        return given or self.default or ""

    def read(self, environment: Mapping[str, str] | None = None) -> T:
        """Return its typed value.

        Args:
            environment: by the settings' names; None for that of this process.

        Raises:
            SettingsError: it is malformed.
        """
        return self.kind.parse(self.name, self.read_text(environment))

    def parse(self, text: str) -> T:
        """Return the typed value of a text; of an empty one, that of the default.

        Raises:
            SettingsError: it is malformed.
        """
        return self.read({self.name: text})


def collect_problems(*checks: Callable[[], object]) -> list[str]:
    """Return what all checks find: each raises SettingsError, and none keeps the next from being made."""
    problems: list[str] = []
    for check in checks:
        try:
            check()
        except SettingsError as error:
            problems += error.problems
    return list(dict.fromkeys(problems))
