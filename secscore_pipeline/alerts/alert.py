"""One thing to report, as it is found, queued and sent."""

from typing import NamedTuple


class Alert(NamedTuple):
    """One thing to report.

    Attributes:
        key: what makes it this one: no channel gets the same key twice.
        kind: score_dropped, control_failed, coverage_lost, scope_left, findings_new, findings_overdue, sync_overdue,
            run_failed, credential_ends, briefing or test.
        title: one line that says what happened.
        lines: what exactly, a line each.
        advice: what to do.
        run_id: the run that saw it; None where no run did.
    """

    key: str
    kind: str
    title: str
    lines: tuple[str, ...]
    advice: str
    run_id: str | None = None
