"""Which subscriptions are read, and why others are not: what the settings name, compared with what Azure lists."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from secscore_pipeline.azure.errors import RequestError
from secscore_pipeline.azure.subscriptions import ListedSubscription, SubscriptionListing
from secscore_pipeline.config.scope import Scope


class Reason(StrEnum):
    """Why a subscription is out of scope: `raw.scope_changes.reason`."""

    DELETED = "deleted"
    DISABLED = "disabled"
    NOT_LISTED = "not_listed"
    MOVED = "moved"
    EXCLUDED = "excluded"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """The reason as people read it."""
        return _WORDS[self]


_WORDS = {
    Reason.DELETED: "deleted",
    Reason.DISABLED: "disabled",
    Reason.NOT_LISTED: "no longer listed",
    Reason.MOVED: "moved out of the management group",
    Reason.EXCLUDED: "excluded by a setting",
    Reason.UNKNOWN: "no longer read",
}


@dataclass(frozen=True)
class ResolvedScope:
    """The scope of a feed at one moment.

    Attributes:
        subscription_ids: those to read.
        not_read: those that Azure lists and that are not to be read, and why.
        reason_of_others: why any other subscription is not read; None where that is not known, since the list could not
            be read.
    """

    subscription_ids: tuple[str, ...]
    not_read: Mapping[str, Reason] = field(default_factory=dict)
    reason_of_others: Reason | None = None

    def with_read(self, subscription_ids: Iterable[str]) -> "ResolvedScope":
        """Return the same scope, but with these to be read too."""
        added = dict.fromkeys(subscription_ids)
        not_read = {one: reason for one, reason in self.not_read.items() if one not in added}
        return replace(self, subscription_ids=(*self.subscription_ids, *added), not_read=not_read)


def resolve_scope(scope: Scope, listing: SubscriptionListing, *, checks_states: bool) -> ResolvedScope:
    """Return which subscriptions are to be read now.

    Args:
        scope: what the settings name.
        listing: what Azure lists.
        checks_states: where the settings name subscriptions, leave out those that Azure lists as disabled or deleted.
            A list that cannot be read then leaves out none.

    Raises:
        AzureError: the settings name none, and they could not be listed, or none is listed.
    """
    if scope.subscription_ids is not None:
        return _resolve_named(scope.subscription_ids, listing, checks_states=checks_states)
    seen = listing.visible
    if not seen:  # an identity that has just lost its roles, more likely than a tenant without subscriptions
        raise RequestError("Azure lists no subscription for this identity.", "no-subscriptions")
    scope = scope.with_names(one.name for one in seen)
    within = listing.below(scope.management_group).subscription_ids if scope.management_group else None
    reasons = {one.subscription_id: _reason(one, scope, within) for one in seen}
    return ResolvedScope(
        tuple(one for one, reason in reasons.items() if reason is None),
        {one: reason for one, reason in reasons.items() if reason},
        Reason.NOT_LISTED,
    )


def refuse_empty(resolved: ResolvedScope) -> tuple[str, ...]:
    """Return the subscriptions to read.

    Raises:
        RequestError: there are none.
    """
    if not resolved.subscription_ids:
        what = f"None of the {len(resolved.not_read)} subscriptions it sees is to be read."
        raise RequestError(what, "nothing-in-scope")
    return resolved.subscription_ids


def _resolve_named(
    subscription_ids: Sequence[str], listing: SubscriptionListing, *, checks_states: bool
) -> ResolvedScope:
    """Return the scope where the settings name the subscriptions."""
    listed = listing.visible_or_none() if checks_states else []
    if listed is None:
        return ResolvedScope(tuple(subscription_ids))
    ended = {one.subscription_id: reason for one in listed if (reason := _find_end(one))}
    return ResolvedScope(
        tuple(one for one in subscription_ids if one not in ended),
        {one: ended[one] for one in subscription_ids if one in ended},
        Reason.EXCLUDED,
    )


def _reason(one: ListedSubscription, scope: Scope, within: frozenset[str] | None) -> Reason | None:
    """Return why a subscription that is listed is not to be read; None where it is."""
    if end := _find_end(one):
        return end
    if not scope.takes(one.subscription_id, one.name):
        return Reason.EXCLUDED
    if within is not None and one.subscription_id not in within:
        return Reason.MOVED
    return None


def _find_end(one: ListedSubscription) -> Reason | None:
    """Return why a subscription that is listed has no score any more; None where it may have one."""
    if one.is_enabled:
        return None
    return Reason.DELETED if one.state.lower() == Reason.DELETED else Reason.DISABLED
