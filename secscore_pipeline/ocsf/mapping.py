"""How raw records become findings: the SQL of the mapping, in the order it runs in, and its parameters."""

from dataclasses import dataclass

from secscore_pipeline.ocsf.plain_text import Run, convert_texts
from secscore_pipeline.system.sql_files import load_sql


@dataclass
class Mapping:
    """The statements that make findings of what is not normalized yet.

    Attributes:
        versions: of record versions, in the order they run in.
        events: of the fetches that they were observed in, after those: what has changed, and what is gone.
        notes: what is noted in the end.
        parameters: of all of them, by name.
    """

    versions: tuple[str, ...]
    events: tuple[str, ...]
    notes: tuple[str, ...]
    parameters: dict[str, object]

    def prepare(self, run: Run, part: dict[str, object], /) -> None:
        """Make the temporary tables that the statements on versions use: what SQL cannot work out.

        Args:
            run: executes statements.
            part: which record versions: those after `after`, up to `upto`.
        """
        convert_texts(run, part)


@dataclass(frozen=True)
class Normalization:
    """How findings are rated and marked.

    Attributes:
        informational_from, low_from, medium_from: a failing control whose current/max is at least this has that
            severity; below all of them: High.
        extension_version: the value of metadata.extensions[0].version.
    """

    informational_from: float = 0.9
    low_from: float = 0.7
    medium_from: float = 0.5
    extension_version: str = "0.1.0-local"

    def build_mapping(self) -> Mapping:
        """Return the mapping's SQL, in the order it runs in, with its parameters."""
        return Mapping(
            versions=_load(
                "select_new_versions",
                "select_new_assessments",
                "load_definitions",
                "load_findings",
                "parse_versions",
                "parse_assessments",
                "parse_metadata",
                "update_findings",
            ),
            events=_load("close_findings", "load_recommendation_events"),
            notes=_load("note_normalized", "load_subscription_versions"),
            parameters={
                "informational_from": self.informational_from,
                "low_from": self.low_from,
                "medium_from": self.medium_from,
                "extension_version": self.extension_version,
            },
        )


def _load(*names: str) -> tuple[str, ...]:
    return tuple(load_sql(f"ocsf/{name}") for name in names)
