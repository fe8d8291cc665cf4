"""Dagster's instance: where runs are recorded."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError
from yaml import YAMLError

from secscore_pipeline.config.kinds import SettingsError, expand_path
from secscore_pipeline.defs.metadata import POOL
from secscore_pipeline.errors import explain
from secscore_pipeline.system.redaction import quote_answer
from secscore_pipeline.text import show_path


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """Yield the instance of DAGSTER_HOME, or a temporary one that leaves nothing behind.

    Raises:
        SettingsError: DAGSTER_HOME is no folder that can be used, or what Dagster keeps there is damaged.
    """
    home = os.environ.get("DAGSTER_HOME", "").strip()
    if not home:
        with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
            yield instance
        return
    folder = expand_path("DAGSTER_HOME", home)
    if not folder.is_absolute():
        what = f"DAGSTER_HOME={show_path(folder)} is not an absolute path."
        raise SettingsError([explain(what, "folder-unusable", setting="DAGSTER_HOME")])
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        what = f"DAGSTER_HOME={show_path(folder)} cannot be made ({error.strerror})."
        raise SettingsError([explain(what, "folder-unusable", setting="DAGSTER_HOME")]) from error
    os.environ["DAGSTER_HOME"] = str(folder)
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    except (SQLAlchemyError, dg.DagsterError, YAMLError) as error:
        what = f"Dagster's records in {folder} cannot be used ({quote_answer(str(error).splitlines()[0], length=200)})."
        raise SettingsError([explain(what, "instance-unusable")]) from error


def limit_parallel_runs(runs: int) -> None:
    """Set how many runs of the instance of DAGSTER_HOME may use the database's pool at once.

    The default limit of dagster.yaml holds from the second run of a pool on only.
    """
    with open_instance() as instance:
        instance.event_log_storage.set_concurrency_slots(POOL, runs)
