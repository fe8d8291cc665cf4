"""`secscore alert`."""

import click

from secscore_pipeline.cli.console import console, print_error, print_warning
from secscore_pipeline.cli.database import get_warehouse
from secscore_pipeline.cli.exit_codes import EXIT_FAILURE
from secscore_pipeline.cli.settings import SettingsCommand
from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.errors import explain


@click.command(cls=SettingsCommand)
@click.option("--test", "is_test", is_flag=True, help="Send a test message to every configured channel.")
@click.option("--acknowledge", is_flag=True, help="Remove alerts that were set aside from `secscore status`.")
def alert(is_test: bool, acknowledge: bool) -> None:
    """Send new alerts to Slack, Teams or a webhook.

    The sensor `alerts` does the same in Dagster. Each alert is delivered once to each channel. A failed delivery is
    repeated: for a day where the channel refuses it, for a week where the channel cannot be reached. Then the alert is
    set aside, and `secscore status` lists it.

    Exit code: 0 when every delivery succeeded, 1 when one failed.
    """
    from secscore_pipeline.alerts.notify import acknowledge_alerts, channels, send_new_alerts, send_test

    if acknowledge:
        console.print(f"{acknowledge_alerts()} alerts acknowledged.")
        return
    if not channels():
        what = "No channel is set: SECSCORE_ALERT_SLACK_TOKEN, SECSCORE_ALERT_TEAMS or SECSCORE_ALERT_WEBHOOK."
        raise SettingsError([explain(what, "setting-missing")])
    if not (is_test or _has_alerts()):
        console.print("0 messages sent.")
        return
    delivery = send_test() if is_test else send_new_alerts(read_feeds())
    console.print(f"{delivery.sent} messages sent.")
    for name, problem in delivery.failed.items():
        print_error(f"{name}: {problem}")
    for sentence in delivery.set_aside:
        print_error(f"Set aside, and not sent again: {sentence}")
    if delivery.failed:
        raise click.exceptions.Exit(EXIT_FAILURE)


def _has_alerts() -> bool:
    """Return whether there is a database, or alerts that wait without one; warn where there is neither."""
    from secscore_pipeline.alerts.journal import journal_path
    from secscore_pipeline.warehouse.errors import WarehouseError

    warehouse = get_warehouse()
    if journal_path(warehouse.published_path).exists():
        return True
    try:
        warehouse.refuse_absent()
    except WarehouseError as error:
        if error.failure != "database-absent":
            raise
        print_warning(str(error))
        return False
    return True
