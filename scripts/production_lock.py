"""Writes deploy/requirements.lock: what a server installs, of requirements.lock what no developer needs alone.

`python -m scripts.production_lock`; `make lock` runs it, and a test holds the file.
"""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK, PRODUCTION_LOCK = ROOT / "requirements.lock", ROOT / "deploy" / "requirements.lock"
EXTRAS = ("server", "scale", "workers", "kubernetes")
BUILD = ("setuptools",)
"""What builds the package itself."""

_PINNED = re.compile(r"(?m)^(?P<name>[A-Za-z0-9._-]+)==.*\n(?P<rest>(?:[ ].*\n)*)")


def production_lock() -> str:
    """Return the pins and hashes of what the package with its extras for servers needs."""
    blocks = {canonicalize_name(found["name"]): found for found in _PINNED.finditer(LOCK.read_text(encoding="utf-8"))}
    needed_by = {
        name: {canonicalize_name(one) for one in re.findall(r"#(?: via|  ) +([\w.-]+)", found["rest"])}
        for name, found in blocks.items()
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = [*project["dependencies"], *(one for extra in EXTRAS for one in project["optional-dependencies"][extra])]
    needed = {canonicalize_name(Requirement(one).name) for one in direct} | set(BUILD)
    while more := {name for name, parents in needed_by.items() if parents & needed} - needed:
        needed |= more
    return "".join(re.sub(r"(?m)^ +#.*\n", "", found[0]) for name, found in blocks.items() if name in needed)


if __name__ == "__main__":
    PRODUCTION_LOCK.write_text(production_lock(), encoding="utf-8")
