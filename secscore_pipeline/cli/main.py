"""`secscore`: the group of all commands."""

import logging
import os
from importlib.metadata import version

import click

from secscore_pipeline.cli.alert import alert
from secscore_pipeline.cli.completion import completion
from secscore_pipeline.cli.connection import azure_setup, test_connection
from secscore_pipeline.cli.console import console
from secscore_pipeline.cli.demo import demo
from secscore_pipeline.cli.group import CommandGroup
from secscore_pipeline.cli.init import init
from secscore_pipeline.cli.local_azure import emulator
from secscore_pipeline.cli.outputs import export, report
from secscore_pipeline.cli.query import query
from secscore_pipeline.cli.services import dev, worker
from secscore_pipeline.cli.status import status
from secscore_pipeline.cli.sync import sync
from secscore_pipeline.cli.upkeep import maintain, migrate
from secscore_pipeline.system import stopping
from secscore_pipeline.system.redaction import RedactingFormatter

COMMANDS = (
    alert,
    azure_setup,
    completion,
    demo,
    dev,
    emulator,
    export,
    init,
    maintain,
    migrate,
    query,
    report,
    status,
    sync,
    test_connection,
    worker,
)


@click.group(cls=CommandGroup, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("secscore_pipeline"), prog_name="secscore")
@click.option("--verbose", "-v", is_flag=True, help="Log every request.")
@click.option("--quiet", "-q", is_flag=True, help="Print only errors and requested results.")
def main(verbose: bool, quiet: bool) -> None:
    """Store Azure secure scores in DuckDB as OCSF Assessment Findings, with their history.

    Settings come from the environment and from a file .env in the working directory; the environment wins.
    .env.example explains each.
    """
    stopping.watch()
    os.umask(0o077)  # files and folders of every command are for their owner only
    console.quiet = quiet
    if quiet:
        logging.disable(logging.INFO)
    if verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(RedactingFormatter(logging.BASIC_FORMAT))
        logging.basicConfig(level=logging.DEBUG, handlers=[handler])
