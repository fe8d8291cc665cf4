"""Commands that are killed: nothing torn, nothing worse published, and the next plain run finishes the work."""

import hashlib
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from secscore_pipeline.cli.exit_codes import EXIT_PARTIAL
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.warehouse.publishing import list_kept_files
from secscore_pipeline_tests.fuzzing.cases import KillCase
from secscore_pipeline_tests.fuzzing.commands import Ended
from secscore_pipeline_tests.fuzzing.spans import check_recommendations
from secscore_pipeline_tests.fuzzing.stores import live, readable_rows

if TYPE_CHECKING:
    from secscore_pipeline_tests.fuzzing.harness import Harness

COMMAND_SECONDS = 60
_COUNTS = ("select event_type, count(*) as n from raw.fetches group by all order by all",
           "select event_type, count(*) as n, count(ended_fetch_id) as ended from internal.record_spans group by all order by all",
           "select count(*) as n from ocsf.assessment_findings")  # fmt: skip

_EVENT_TYPES = {"scores": {}, "all": {"SECSCORE_EVENT_TYPES": "secure_scores,secure_score_controls,assessments"}}
"""The settings of what is read."""

_FAULTS = {
    "slow": Fault(Kind.SLOW, "/assessments", times=4, seconds=0.2),
    "empty": Fault(Kind.EMPTY, "/assessments", times=4),
    "repeat": Fault(Kind.REPEAT, "/assessments", times=1),
    "trail": Fault(Kind.TRAIL, "/assessments"),
}
"""What can be wrong with lists of recommendations. A list that repeats itself cannot be read, the others can."""


class Undisturbed(NamedTuple):
    """What a command takes and makes when nobody kills it.

    Attributes:
        statements, files: how many there are of each.
        bytes: how long its longest file gets.
        made: the exported files, by name, with what tells their content from another.
    """

    statements: int
    files: int
    bytes: int
    made: dict[str, str]


def check_kill(harness: "Harness", case: KillCase) -> None:
    """Nothing is torn after a kill, what is published is as good as before, and the same command then ends well."""
    whole = _undisturbed(harness, case)
    total = {"byte": whole.bytes, "file": whole.files, "after_file": whole.files}.get(case.at, whole.statements)
    folder, settings = _store(harness, case)
    store, lake = folder / "store", _new_lake(harness, case.command)
    harness.pass_day()
    before = {name: readable_rows(harness, store / f"{name}.duckdb") for name in ("published", "work")}
    with harness.observed(ended_after=2 * COMMAND_SECONDS):
        with _fault(harness, case):
            killed = _run(harness, case.command, folder, settings, lake, case.at, max(1, round(case.share * total)))
        partial = EXIT_PARTIAL if case.fault == "repeat" else 0
        assert killed.code in (0, partial, -signal.SIGKILL, -signal.SIGXFSZ), (
            f"it ended with {killed.code}: {killed.output[-600:]}"
        )
        _is_no_worse(harness, store, before)
        if case.command == "export":
            made = {name: text for name, text in _made(folder).items() if not name.startswith("_secscore/")}
            half = {name for name, content in made.items() if whole.made.get(name, content) != content}
            assert not half, f"half-written: {sorted(half)}"
        again = _run(harness, case.command, folder, settings, lake)
    assert again.code == 0, f"the next run ended with {again.code}: {again.output[-600:]}"
    _is_no_worse(harness, store, before)
    ours = {store / "work.duckdb", store / "published.duckdb", *list_kept_files(store / "published.duckdb")}
    left = {file.name for file in store.iterdir() if file not in ours}
    assert not left, f"left beside the store: {sorted(left)}"
    left = {str(file.relative_to(folder)) for file in (folder / "tmp").rglob("*") if file.is_file()}
    assert not left, f"left in the temporary folder: {sorted(left)}"
    if case.command == "export":
        assert _made(folder) == whole.made, "the export differs from an undisturbed one"
    if lake:
        for query in _COUNTS:
            answers = [_ask(harness, folder, {**settings, **other}, query) for other in ({}, lake)]
            assert answers[0] == answers[1], f"the lake says {answers[1]}, the file {answers[0]}"
    if case.event_types == "all":
        check_recommendations(folder)


@contextmanager
def _fault(harness: "Harness", case: KillCase) -> Iterator[None]:
    """Have the local Azure's lists of recommendations be as the case says in the block."""
    faults = harness.right_azure.faults
    if case.fault:
        faults.append(replace(_FAULTS[case.fault]))  # anew: a fault counts what it struck
    try:
        yield
    finally:
        faults.clear()


def _is_no_worse(harness: "Harness", store: Path, before: Mapping[str, set[tuple[object, ...]] | None]) -> None:
    for name, held in before.items():
        after = readable_rows(harness, store / f"{name}.duckdb")
        assert after is not None, f"the {name} file cannot be read"
        assert (held or set()) <= after, f"the {name} file lost {len((held or set()) - after)} fetches"


def _store(harness: "Harness", case: KillCase) -> tuple[Path, dict[str, str]]:
    """Return a store of two syncs, of which a `publish` still has the second to publish."""

    read = _EVENT_TYPES[case.event_types]

    def unpublished(folder: Path) -> None:
        live(harness, folder, syncs=1, **read)
        file = folder / "store" / "published.duckdb"
        first = file.read_bytes()
        live(harness, folder, syncs=1, **read)
        file.unlink()
        file.write_bytes(first)

    if case.command == "publish":
        folder, settings = harness.store(f"unpublished-{case.event_types}", unpublished)
    else:
        folder, settings = harness.store(f"lived-{case.event_types}", lambda made: live(harness, made, **read))
    (folder / "tmp").mkdir()
    return folder, {**harness.right_azure.settings(), **settings, **read, "TMPDIR": str(folder / "tmp")}


def _new_lake(harness: "Harness", command: str) -> dict[str, str]:
    """Return the settings of a lake that is not there yet; none where the command needs none."""
    if command != "migrate":
        return {}
    return {"SECSCORE_DATABASE": harness.postgresql.lake(harness.postgresql.new_database())}


def _run(
    harness: "Harness",
    command: str,
    folder: Path,
    settings: dict[str, str],
    lake: dict[str, str],
    at: str = "",
    number: int = 0,
) -> Ended:
    arguments = {
        "export": ("export", "--format", "jsonl", "--format", "csv"),
        "migrate": ("migrate", "--to", lake.get("SECSCORE_DATABASE", "")),
    }.get(command, (command,))
    return harness.commands.run(settings, *arguments, at=at, number=number, folder=folder, seconds=COMMAND_SECONDS)


def _ask(harness: "Harness", folder: Path, settings: dict[str, str], query: str) -> str:
    done = harness.commands.run(settings, "query", query, "--format", "json", folder=folder, seconds=COMMAND_SECONDS)
    assert done.code == 0, done.output
    return done.output


def _undisturbed(harness: "Harness", case: KillCase) -> Undisturbed:
    kind = (case.command, case.event_types)
    if kind not in harness.undisturbed:
        folder, settings = _store(harness, case)
        done = _run(harness, case.command, folder, settings, _new_lake(harness, case.command), "never")
        assert done.code == 0, done.output
        longest = max(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        harness.undisturbed[kind] = Undisturbed(done.statements, done.files, longest, _made(folder))
    return harness.undisturbed[kind]


def _made(folder: Path) -> dict[str, str]:
    """Return what an export made: of each file what tells its content from another, whatever the order of its rows.

    Some views tell how long ago something was: of CSV the number of rows has to do.
    """
    root = folder / "exports"
    made = {}
    for file in root.rglob("*"):
        if file.is_file():
            lines = sorted(file.read_bytes().splitlines(keepends=True))
            whole = b"".join(lines) if file.suffix != ".csv" else b"%d" % len(lines)
            made[str(file.relative_to(root))] = hashlib.sha256(whole).hexdigest()
    return made
