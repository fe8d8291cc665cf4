"""Batches: the subscriptions of a feed split into parts, each read, retried and shown as a run of its own."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Batch:
    """One part of a feed's subscriptions; a subscription belongs to the same one in every sync.

    Attributes:
        feed: whose subscriptions.
        number: which part, from 1.
        count: of how many, a power of two: twice as many split each part in two.
    """

    feed: str
    number: int
    count: int

    @property
    def key(self) -> str:
        """Its partition of the raw assets."""
        return f"{self.feed}.{self.number}-of-{self.count}"

    @classmethod
    def of(cls, key: str) -> "Batch":
        """Return the batch of a partition."""
        feed, _, part = key.rpartition(".")
        number, _, count = part.partition("-of-")
        return cls(feed, int(number), int(count))

    def takes(self, subscription_id: str) -> bool:
        """Return whether a subscription belongs to it."""
        digest = hashlib.sha256(subscription_id.lower().encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


class Part(NamedTuple):
    """The part that a run has in a sync: the batch that it reads, and the sync's id, which its other runs share."""

    batch: Batch
    sync_id: str


def split_into_batches(feed: str, subscription_ids: Iterable[str], size: int) -> list[Batch]:
    """Return the batches of a feed: as few as keep each at about `size` subscriptions, and those that are not empty."""
    subscription_ids = list(subscription_ids)
    count = 1
    while count * size < len(subscription_ids):
        count *= 2
    batches = [Batch(feed, number, count) for number in range(1, count + 1)]
    return [batch for batch in batches if any(map(batch.takes, subscription_ids))]
