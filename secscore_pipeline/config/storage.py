"""Where data is kept: the DuckDB files of readers and runs, or a lake."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from secscore_pipeline.config.kinds import expand_path, refuse
from secscore_pipeline.config.registry import (
    SECSCORE_DATA_PATH,
    SECSCORE_DATABASE,
    SECSCORE_PARALLEL_RUNS,
    SECSCORE_WORK_DATABASE,
)
from secscore_pipeline.text import show_path

SCHEMAS = frozenset({"raw", "ocsf", "posture", "internal", "meta", "main"})
_LAKE = "ducklake:"


def resolve_database_path(given: str, setting: str = "SECSCORE_DATABASE") -> Path:
    """Return the DuckDB file's absolute path; `~` is the home directory.

    Raises:
        SettingsError: it is a directory, or has a name that DuckDB would mistake for a schema's.
    """
    path = expand_path(setting, given or SECSCORE_DATABASE.read_text({})).absolute()
    problem = None
    if path.stem.lower() in SCHEMAS:
        problem = (
            "has the name of one of its own schemas, and DuckDB takes a file's name for its catalog: "
            f"{path.stem}.… would be ambiguous"
        )
    elif path.is_dir():
        problem = "is a folder"
    if problem:
        what = f"{setting}={show_path(path)} {problem}."
        refuse(what, "folder-unusable", setting=setting)
    return path


def resolve_work_path(given: str, published: Path) -> Path:
    """Return the absolute path of the DuckDB file that runs write, by default beside the one for readers.

    Raises:
        SettingsError: it cannot be a DuckDB file, or is the one for readers.
    """
    if not given:
        return published.with_name(f"{published.stem}.work{published.suffix}")
    path = resolve_database_path(given, "SECSCORE_WORK_DATABASE")
    if path.resolve() == published.resolve():
        what = f"SECSCORE_WORK_DATABASE={show_path(path)} is SECSCORE_DATABASE itself."
        refuse(what, "work-is-published")
    return path


class LakeSettings(NamedTuple):
    """Where a lake is.

    Attributes:
        catalog: what DuckLake attaches.
        data_path: where its Parquet files are: a URL, or an absolute folder.
        beside: the path on this machine beside which runs keep what is on its way.
    """

    catalog: str
    data_path: str
    beside: Path


def parse_lake_settings(database: str, data_path: str = "", work_database: str = "") -> LakeSettings | None:
    """Return where a lake is, where SECSCORE_DATABASE names one; None where it names a file.

    Args:
        database: SECSCORE_DATABASE.
        data_path: SECSCORE_DATA_PATH.
        work_database: SECSCORE_WORK_DATABASE.

    Raises:
        SettingsError: it holds a password, or no catalog.
    """
    if not database.startswith(_LAKE):
        return None
    catalog = database.removeprefix(_LAKE)
    if re.search(r"password\s*=|://[^/@?]*:[^@?]*@", unquote(catalog), re.IGNORECASE):
        refuse("SECSCORE_DATABASE holds a password.", "password-in-setting")
    if not catalog.partition(":")[2].strip():
        refuse("SECSCORE_DATABASE names a lake without a catalog.", "catalog-malformed")
    data = data_path if "://" in data_path else f"{expand_path('SECSCORE_DATA_PATH', data_path).absolute()}/"
    return LakeSettings(
        catalog, data, resolve_database_path(work_database or "data/secscore", "SECSCORE_WORK_DATABASE")
    )


def check_storage(environment: Mapping[str, str] | None = None) -> None:
    """Check the settings of the database, whether it is files or a lake.

    Raises:
        SettingsError: they name no place for a database.
    """
    database, data_path, work_database = (
        setting.read(environment) for setting in (SECSCORE_DATABASE, SECSCORE_DATA_PATH, SECSCORE_WORK_DATABASE)
    )
    if parse_lake_settings(database, data_path, work_database) is None:
        resolve_work_path(work_database, resolve_database_path(database))


def read_parallel_runs() -> int:
    """Return how many runs may write at the same time (SECSCORE_PARALLEL_RUNS).

    Raises:
        SettingsError: it is no number, or more than one where a file has one writer.
    """
    runs = SECSCORE_PARALLEL_RUNS.read()
    if runs > 1 and not parse_lake_settings(SECSCORE_DATABASE.read()):
        refuse(f"SECSCORE_PARALLEL_RUNS is {runs}.", "runs-in-parallel")
    return runs
