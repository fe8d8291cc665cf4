"""Who reads the same lists from the same local Azure: `secscore sync`, its peers, and the floor below all of them."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bench.processes import (
    STORE,
    Measures,
    environment_of,
    find_environment,
    measure,
    measure_sync,
    medians,
    new_folder,
)
from secscore_pipeline.azure.event_types import EventType
from secscore_pipeline.emulator.server import LocalAzure

HERE = Path(__file__).resolve().parent

SYNC, FLOOR, DLT, SDK = "secscore sync", "floor", "dlt", "azure-mgmt-security"

CONNECTIONS: dict[str, tuple[int, ...]] = {FLOOR: (64, 128, 256), DLT: (64, 256), SDK: (16, 64, 256)}
"""How many connections each is tried with; its best is the fastest of them."""

SCRIPTS = {DLT: "dlt_peer", SDK: "azure_sdk_peer"}

HOPELESS = 1.25
"""A number of connections that takes more than this times the best one's time is measured once only."""

Found = dict[str, dict[str, Measures]]
"""Medians by name and number of connections; that of a sync is `default`."""


@dataclass(frozen=True)
class Contender:
    """A program that reads a tenant.

    Attributes:
        name: one of the names above.
        variant: its number of connections, as text, or `default` where it finds that itself.
        run: measures its whole process against a local Azure, in a new folder.
    """

    name: str
    variant: str
    run: Callable[[LocalAzure, Path], Measures]


def list_contenders(names: Sequence[str], event_types: Sequence[EventType]) -> Iterator[Contender]:
    """Yield those of some names, with each number of connections that they are tried with."""
    lists = {one.collection: {"api-version": one.api_versions[0], **one.params} for one in event_types}
    for name in names:
        if name == SYNC:
            yield Contender(name, "default", make_sync(event_types))
        else:
            for connections in CONNECTIONS[name]:
                yield Contender(name, str(connections), make_reader(name, connections, lists))


def make_sync(
    event_types: Sequence[EventType], environment: Mapping[str, str] = MappingProxyType({})
) -> Callable[[LocalAzure, Path], Measures]:
    """Return what measures a sync of some event types, all other settings as by default, with some more variables."""
    wanted = {"SECSCORE_EVENT_TYPES": ",".join(one.name for one in event_types), **environment}
    return lambda azure, folder: measure_sync({**environment_of(azure), **wanted}, folder / STORE)


def make_reader(
    name: str, connections: int, lists: Mapping[str, Mapping[str, str]]
) -> Callable[[LocalAzure, Path], Measures]:
    """Return what measures the floor, or a peer in an environment of its own, with a number of connections."""
    if name == FLOOR:
        command = [sys.executable, str(HERE / "floor.py")]
    else:
        python = find_environment(HERE / "peers" / f"{SCRIPTS[name]}.txt") / "bin" / "python"
        command = [str(python), str(HERE / "peers" / f"{SCRIPTS[name]}.py")]
    options = {"PEER_CONNECTIONS": str(connections), "PEER_LISTS": json.dumps(lists)}
    return lambda azure, folder: measure([*command, str(folder)], {**environment_of(azure), **options}, folder)


def compare(azure: LocalAzure, contenders: Sequence[Contender], runs: int) -> Found:
    """Measure contenders by turns, so that what else the machine does strikes all of them; return their medians."""
    took: dict[Contender, list[Measures]] = {contender: [] for contender in contenders}
    for _ in range(runs):
        for contender in contenders:
            if is_worth_measuring(contender, took):
                with new_folder() as folder:
                    took[contender].append(contender.run(azure, folder))
                print_progress(contender, took[contender][-1])
    found: Found = {}
    for contender, measures in took.items():
        found.setdefault(contender.name, {})[contender.variant] = medians(measures)
    return found


def is_worth_measuring(contender: Contender, took: Mapping[Contender, Sequence[Measures]]) -> bool:
    """Return whether a contender may be the best of its name, by what was measured so far."""
    if not took[contender]:
        return True
    best = min(one["wall_s"] for other, all_ in took.items() if other.name == contender.name for one in all_)
    return min(one["wall_s"] for one in took[contender]) <= HOPELESS * best


def print_progress(contender: Contender, took: Measures) -> None:
    """Print what one process took at once: the whole takes long."""
    figures = f"{took['wall_s']:.1f} s, CPU {took['cpu_s']:.1f} s, {took['peak_mb']:.0f} MB"
    print(f"  {contender.name} ({contender.variant}): {figures}", file=sys.stderr, flush=True)


def find_best(found: Found, name: str) -> tuple[str, Measures]:
    """Return the number of connections that a contender was fastest with, and its measures."""
    return min(found[name].items(), key=lambda variant: variant[1]["wall_s"])


def find_fastest_peer(found: Found) -> tuple[str, Measures]:
    """Return the name of the peer that is fastest at its best, and its measures."""
    peers = {name: find_best(found, name)[1] for name in SCRIPTS if name in found}
    return min(peers.items(), key=lambda one: one[1]["wall_s"])
