"""`secscore dev` and `secscore worker`: commands that serve until they are stopped."""

import os

import click

from secscore_pipeline.cli.console import console, error_console
from secscore_pipeline.cli.local_azure import start_local_azure
from secscore_pipeline.cli.settings import SettingsCommand
from secscore_pipeline.config.azure_settings import read_azure_settings
from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import DEFAULTS, REQUIRED
from secscore_pipeline.config.storage import read_parallel_runs
from secscore_pipeline.errors import explain
from secscore_pipeline.system import stopping

_MAX_VARIABLE = 1 << 17
"""Bytes of an environment variable with its name that Linux passes to another process at most."""


@click.command(cls=SettingsCommand)
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Port of the UI.")
def dev(port: int) -> None:
    """Start Dagster's UI for this project on loopback.

    Without Azure settings it starts a local Azure too; with them it uses the real one.
    """
    if read_feeds()[0].partition:
        serve_dagster(port)
        return
    if any(os.environ.get(name, "").strip() for name in REQUIRED):
        read_azure_settings(os.environ)
        serve_dagster(port)
        return
    from secscore_pipeline.clock import utc_now

    with start_local_azure(8) as azure:
        azure.world.simulate_until(utc_now().date())  # continues where the history of `secscore demo` ends
        os.environ.update(azure.settings())
        console.print("No Azure settings: using a local Azure with simulated data.")
        serve_dagster(port)


def serve_dagster(port: int) -> None:
    """Run Dagster's processes until one ends or this process gets a signal to stop, and exit.

    Args:
        port: the UI's.

    Raises:
        SettingsError: the port is taken, or a setting is malformed. Nothing was started.
    """
    from secscore_pipeline.cli.service import serve_all
    from secscore_pipeline.defs.instance import limit_parallel_runs

    if os.environ.get("DAGSTER_HOME", "").strip():
        limit_parallel_runs(read_parallel_runs())
    _refuse_long_settings()
    code = serve_all(port, lambda: console.print(f"Dagster's UI: http://127.0.0.1:{port}   Ctrl-C ends it."))
    if code > 128:  # by a signal
        error_console.print("Stopped.")
    raise click.exceptions.Exit(code)


def _refuse_long_settings() -> None:
    """Refuse settings that no process can be started with.

    Raises:
        SettingsError: names them.
    """
    long = [name for name in DEFAULTS if len(f"{name}={os.environ.get(name, '')}".encode()) >= _MAX_VARIABLE]
    if long:
        raise SettingsError(
            [explain(f"{name} is longer than a process can take.", "setting-too-long") for name in long]
        )


@click.command(cls=SettingsCommand)
@click.option("--runs", default=1, show_default=True, type=click.IntRange(min=1), help="Number of runs at once.")
def worker(runs: int) -> None:
    """Execute runs from a cluster's queue until stopped.

    DAGSTER_HOME must contain the cluster's instance file, deploy/cluster/dagster.yaml; see docs/scale.md. A stopped
    worker finishes its current run first; after a second Ctrl-C it abandons the run, which another worker takes over.
    """
    try:
        from secscore_pipeline.defs.worker import run_worker
    except ModuleNotFoundError as error:
        what = f"The package {error.name} is not installed."
        raise SettingsError([explain(what, "queue-missing")]) from error
    stopping.hand_over()  # to Celery, whose workers finish their run first
    run_worker(runs)
