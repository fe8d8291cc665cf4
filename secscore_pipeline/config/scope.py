"""The scope: which subscriptions a connection reads, and which of its patterns fit nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from secscore_pipeline.config.patterns import fits_pattern, normalize_name
from secscore_pipeline.errors import explain
from secscore_pipeline.text import describe_value, printable


@dataclass(frozen=True)
class Scope:
    """Which subscriptions are read.

    Attributes:
        subscription_ids: those that were listed, lower case; None for every enabled one that the identity sees.
        management_group: only those below it; None for anywhere.
        include, exclude: patterns (`*`, `?`) of names or ids; of an empty `include`, all are.
        names: every name that there is, as `normalize_name` spells it: a pattern that is one of them means that name.
    """

    subscription_ids: tuple[str, ...] | None
    management_group: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()

    def with_names(self, names: Iterable[str]) -> "Scope":
        """Return the scope with the names that there are."""
        return replace(self, names=frozenset(map(normalize_name, names)))

    def takes(self, subscription_id: str, name: str) -> bool:
        """Return whether the patterns leave a subscription in."""

        def fits(patterns: tuple[str, ...]) -> bool:
            return any(self._fits(pattern, subscription_id, name) for pattern in patterns)

        return (not self.include or fits(self.include)) and not fits(self.exclude)

    def describe_unmatched(self, names: Mapping[str, str]) -> list[str]:
        """Return a sentence for each pattern that fits nothing, and for those that are not used.

        Args:
            names: the names of all subscriptions that the identity sees, by their ids.
        """
        named, shown = self.with_names(names.values()), list(map(printable, names.values()))
        found = []
        for setting, patterns in (("SECSCORE_INCLUDE", self.include), ("SECSCORE_EXCLUDE", self.exclude)):
            if patterns and self.subscription_ids is not None:
                found.append(explain(f"{setting} has no effect.", "patterns-unused"))
                continue
            found += [
                explain(
                    f"{describe_value(f'{setting}, pattern {number}', pattern, *shown)} fits none of the "
                    f"{len(names)} subscriptions that the identity sees.",
                    "pattern-unmatched",
                )
                for number, pattern in enumerate(patterns, 1)
                if not any(named._fits(pattern, *one) for one in names.items())
            ]
        return found

    def _fits(self, pattern: str, *texts: str) -> bool:
        return any(fits_pattern(text, pattern, self.names) for text in texts)
