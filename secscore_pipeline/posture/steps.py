"""The first steps: the recommendations whose fix adds most to a tenant's score for the effort.

The report, the briefing and the command line all ask here, so that they agree.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import duckdb

from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.statements import has_rows, select_rows

STEPS = 5
"""How many steps a tenant has at most."""

RESOURCES = 1_000
"""How many resources of a step are listed at most; the counts are those of all."""


class StepResource(NamedTuple):
    """One resource that is unhealthy in the recommendation of a step.

    Attributes:
        name, type, resource_group: of the resource; the last two are None where Azure does not say.
        subscription: its subscription's name, or its ID where that is not known; owner: that subscription's, or None.
        since: since when it is unhealthy, UTC.
        gain: percentage points of the tenant's score that its fix adds; 0 where another recommendation of the same
            control is unhealthy on it too.
        portal_url: the resource in the Azure portal; None where that is not known.
    """

    name: str
    type: str | None
    resource_group: str | None
    subscription: str
    owner: str | None
    since: datetime | None
    gain: float
    portal_url: str | None


class StepSubscription(NamedTuple):
    """One subscription in which a step adds to the score: its name or ID, its owner, and how many resources do it."""

    name: str
    owner: str | None
    resources: int


class Step(NamedTuple):
    """One step: one recommendation, to be fixed on every resource of a tenant.

    Attributes:
        rank: 1 for the largest gain relative to the effort.
        control: the control in which it gains most.
        gain: percentage points that it adds to the tenant's score when nothing else is fixed.
        effort, user_impact, severity: None where Azure does not say.
        gaining_resources: how many resources gain something; unhealthy_resources: how many are unhealthy in all.
        subscriptions: those of the resources that gain, most gain first.
        resources: the unhealthy ones, at most as many as were asked for, most gain first.
        remediation: what to do, as plain text; None where Azure does not say.
    """

    tenant_id: str
    rank: int
    recommendation_id: str
    recommendation: str
    control: str
    gain: float
    effort: str | None
    user_impact: str | None
    severity: str | None
    gaining_resources: int
    unhealthy_resources: int
    subscriptions: Sequence[StepSubscription]
    resources: Sequence[StepResource]
    remediation: str | None

    @property
    def owners(self) -> list[str]:
        """The owners of the subscriptions that are known, each once, in their order."""
        return list(dict.fromkeys(one.owner for one in self.subscriptions if one.owner))


def has_assessments(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether a store holds assessments: where it does not, whatever is derived from them is empty."""
    return has_rows(connection, "posture/count_assessments")


def list_steps(connection: duckdb.DuckDBPyConnection, most: int = STEPS, resources: int = RESOURCES) -> list[Step]:
    """Return the first steps of each tenant, in the order of their tenants and ranks; none without assessments.

    Args:
        connection: open for reading.
        most: how many of each tenant.
        resources: how many resources of each step.
    """
    if not has_assessments(connection):
        return []
    rows = select_rows(connection, load_sql("posture/list_steps"), {"steps": most, "resources": resources})
    return [
        Step(
            **{
                **row,
                "subscriptions": [StepSubscription(**one) for one in row["subscriptions"]],
                "resources": [StepResource(**one) for one in row["resources"]],
            }
        )
        for row in rows
    ]
