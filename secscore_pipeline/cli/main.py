"""`secscore`: the group of all commands."""

import logging
import os

import click

from secscore_pipeline.cli.group import CommandGroup, DeferredCommand
from secscore_pipeline.system import stopping

COMMANDS = (
    DeferredCommand("alert", "alert", "Send new alerts to Slack, Teams or a webhook."),
    DeferredCommand(
        "azure-setup", "connection", "Print az, Bicep and Terraform templates for a least-privilege identity."
    ),
    DeferredCommand("completion", "completion", "Print the completion script for a shell."),
    DeferredCommand("demo", "demo", "Run the whole pipeline once on simulated data."),
    DeferredCommand("dev", "services", "Start Dagster's UI for this project on loopback."),
    DeferredCommand("emulator", "local_azure", "Serve a local Azure until Ctrl-C."),
    DeferredCommand("export", "outputs", "Export findings or views as files for other programs."),
    DeferredCommand("init", "init", "Write the settings of a connection to .env and test them."),
    DeferredCommand("maintain", "upkeep", "Compact the database and delete fetches past the retention."),
    DeferredCommand("migrate", "upkeep", "Copy the DuckDB file into a DuckLake and compare them."),
    DeferredCommand("query", "query", "Run an SQL query and print the rows."),
    DeferredCommand("report", "outputs", "Write the HTML report."),
    DeferredCommand("status", "status", "Show the last fetch of each feed, current scores, and problems."),
    DeferredCommand("sync", "sync", "Synchronize: fetch, store, normalize, check and publish."),
    DeferredCommand("test-connection", "connection", "Test the connection to Azure step by step."),
    DeferredCommand("worker", "services", "Execute runs from a cluster's queue until stopped."),
)
"""The commands, by name. The module of each is imported when it is called: listing all of them takes none."""


@click.group(cls=CommandGroup, deferred=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="secscore_pipeline", prog_name="secscore")
@click.option("--verbose", "-v", is_flag=True, help="Log every request.")
@click.option("--quiet", "-q", is_flag=True, help="Print only errors and requested results.")
def main(verbose: bool, quiet: bool) -> None:
    """Store Azure secure scores in DuckDB as OCSF Assessment Findings, with their history.

    Settings come from the environment and from a file .env in the working directory; the environment wins.
    .env.example explains each.
    """
    # The options of all commands, which a list of the commands does not come to.
    from secscore_pipeline.cli.console import console
    from secscore_pipeline.system.redaction import RedactingFormatter

    stopping.watch()
    os.umask(0o077)  # files and folders of every command are for their owner only
    console.quiet = quiet
    if quiet:
        logging.disable(logging.INFO)
    if verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(RedactingFormatter(logging.BASIC_FORMAT))
        logging.basicConfig(level=logging.DEBUG, handlers=[handler])
