"""What tests use that Python's packages do not bring: where it is on this machine, and how a machine gets it.

The one place that searches for it. A test names what it uses with `pytest.mark.needs("redis")`, or by a fixture that
stands for it; it is skipped where that is missing. `python testbed/needs.py` prints the Debian
packages of what this machine lacks; it uses the standard library alone, for it runs before anything is installed.
"""

import os
import pwd
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HIDDEN = "SECSCORE_TEST_HIDDEN"
"""The variable that names needs, with commas between them, or `all`: the tests take them for missing."""

_BESIDE = Path(__file__).resolve().parents[2]
_DEBIAN_POSTGRESQL = Path("/usr/lib/postgresql")


class MissingNeedError(Exception):
    """This machine lacks something that a test or a benchmark uses; it says what, and how to get it."""


@dataclass(frozen=True)
class Need:
    """Something that tests use.

    Attributes:
        title: what it is.
        find: returns where it is: a program, or the folder of its files or programs; None where it is missing.
        packages: the Debian packages that bring it.
        fixtures: the fixtures that stand for it: a test that uses one of them needs it.
        remedy: how to get it where there is no package for it.
    """

    title: str
    find: Callable[[], Path | None]
    packages: tuple[str, ...] = ()
    fixtures: tuple[str, ...] = ()
    remedy: str = ""

    @property
    def advice(self) -> str:
        """What to do to get it."""
        return f"apt-get install {' '.join(self.packages)}" if self.packages else self.remedy


def _find_program(*names: str) -> Path | None:
    found = next(filter(None, map(shutil.which, names)), None)
    return Path(found) if found else None


def _find_postgresql() -> Path | None:
    """Return the folder of the server's programs; the client alone has a folder there too."""
    if os.getuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        return None  # the server refuses to run as root, and its package makes that user
    by_age = sorted(_DEBIAN_POSTGRESQL.glob("[0-9]*/bin/initdb"), key=lambda path: float(path.parents[1].name))
    found = by_age[-1] if by_age else _find_program("initdb")
    return found.parent if found else None


def _find_shared() -> Path | None:
    folder = _BESIDE / "shared"
    return folder if (folder / "azure").is_dir() else None


NEEDS = {
    "postgresql": Need("a PostgreSQL server", _find_postgresql, ("postgresql",), ("postgres_server",)),
    "redis": Need("a Redis server", lambda: _find_program("redis-server"), ("redis-server",)),
    "chromium": Need(
        "Chromium",
        lambda: _find_program("chromium", "chromium-browser", "google-chrome"),
        ("chromium", "fonts-dejavu-core"),
    ),
    "shared": Need(
        "the folder of Microsoft's published examples",
        _find_shared,
        fixtures=("shared",),
        remedy=f"the project's shared files belong at {_BESIDE / 'shared'}",
    ),
}


def find_need(name: str) -> Path | None:
    """Return where something that tests use is on this machine; None where it is missing or hidden."""
    hidden = set(filter(None, os.environ.get(HIDDEN, "").split(",")))
    if unknown := hidden - {"all", *NEEDS}:
        raise MissingNeedError(f"{HIDDEN} names {', '.join(sorted(unknown))}; there are {', '.join(NEEDS)}, and all.")
    return None if hidden & {"all", name} else NEEDS[name].find()


def describe_lack(name: str) -> str:
    """Say what this machine lacks, and how to get it."""
    return f"This machine lacks {NEEDS[name].title}: {NEEDS[name].advice}"


def use_need(name: str) -> Path:
    """Return where something that tests use is on this machine.

    Raises:
        MissingNeedError: it is missing, or hidden.
    """
    found = find_need(name)
    if found is None:
        raise MissingNeedError(describe_lack(name))
    return found


def main() -> None:
    """Print the Debian packages of what this machine lacks, and say on standard error what that is."""
    missing = [need for name, need in NEEDS.items() if find_need(name) is None]
    for need in missing:
        sys.stderr.write(f"This machine lacks {need.title}: the tests that use it skip.\n")
    sys.stdout.write(" ".join(package for need in missing for package in need.packages))


if __name__ == "__main__":
    main()
