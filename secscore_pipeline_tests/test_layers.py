"""The rooms of the package, and which of them may know which: imports run down, and Dagster stays in its room."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import secscore_pipeline

PACKAGE = Path(secscore_pipeline.__file__).parent

FLOORS = (
    {"clock", "error_catalogue", "errors", "text"},
    {"system"},
    {"azure", "ocsf"},
    {"config"},
    {"warehouse"},
    {"posture"},
    {"ingest"},
    {"alerts", "exports", "report"},
    {"defs"},
    {"definitions"},
    {"cli"},
)
"""From the ground up: a room knows itself and the floors below its own, and none beside it."""

APART = {"emulator"}
"""A room that knows none and is known by the command line alone."""

OF_ONE_FLOOR = {("errors", "error_catalogue"), ("text", "errors")}
"""Who knows whom on the ground floor."""


ROOT_MODULES = {"__init__", "clock", "definitions", "error_catalogue", "errors", "text"}
"""What stands in the root of the package; everything else has a folder."""

MAX_LINES = 450
"""How long a module may be. The catalogue of errors is longer: it is a table, which nobody reads from top to bottom."""


def imports_of(path: Path) -> Iterator[str]:
    """Yield the names of what a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str:
    return name.split(".")[1]


MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))
}


@pytest.mark.parametrize("name", [name for name in MODULES if name != "secscore_pipeline.__init__"])
def test_imports_run_down(name):
    floor_of = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    ours = room_of(name)
    known = {room_of(one) for one in imports_of(MODULES[name]) if one.startswith("secscore_pipeline.")} - {ours}
    if ours in APART:
        assert known == set()
    for other in known - APART if ours == "cli" else known:
        assert floor_of[other] < floor_of[ours] or (ours, other) in OF_ONE_FLOOR, f"{name} imports {other}"


@pytest.mark.parametrize("name", MODULES)
def test_dagster_stays_in_its_room(name):
    foreign = {one for one in imports_of(MODULES[name]) if one.split(".")[0].startswith("dagster")}
    if room_of(f"{name}.") not in ("defs", "definitions"):
        assert foreign == set()
    if name not in ("secscore_pipeline.defs.dagster_internals", "secscore_pipeline.defs.celery_internals"):
        # A module of Dagster's packages, other than the package itself, is internal: its public names are at the top.
        assert {one for one in foreign if one.count(".") > 1} == set()


@pytest.mark.parametrize("name", [name for name in MODULES if name != "secscore_pipeline.error_catalogue"])
def test_a_module_is_not_longer_than_a_reader_keeps_in_mind(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_the_root_of_the_package_has_no_other_modules():
    assert {path.stem for path in PACKAGE.glob("*.py")} == ROOT_MODULES


def test_every_room_has_its_floor():
    rooms = {room_of(name) for name in MODULES} - {"__init__"}
    assert rooms == set.union(*FLOORS) | APART
