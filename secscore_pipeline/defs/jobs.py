"""The job over every asset, and the job that tries the connections."""

from collections.abc import Sequence

import dagster as dg

from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.registry import EXPORTS
from secscore_pipeline.defs.assets.exports import get_export_key
from secscore_pipeline.defs.assets.ocsf import FINDINGS
from secscore_pipeline.defs.assets.posture import DATABASE
from secscore_pipeline.defs.assets.raw import CONTROLS, METADATA, RECOMMENDATIONS, SCORES, SUBSCRIPTIONS
from secscore_pipeline.defs.assets.report import REPORT
from secscore_pipeline.defs.hooks import signal_failure
from secscore_pipeline.defs.metadata import make_preview

READING = [SUBSCRIPTIONS, SCORES, CONTROLS, RECOMMENDATIONS, METADATA, FINDINGS]
"""What the run of a batch makes."""

SHOWING = [DATABASE, REPORT, *map(get_export_key, EXPORTS)]
"""What is made once of a whole sync."""

sync_job = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    hooks={signal_failure},
    description="Read every subscription, store what Azure answered, normalize it, and check it.",
)


def test_connection(feeds: Sequence[Feed]) -> dg.JobDefinition:
    """Make the job that tries the connection of every feed, step by step. It changes nothing."""

    @dg.op(
        description="Try settings, network, sign-in, subscriptions and their data; fails where something is wrong.",
        required_resource_keys={feed.resource_key for feed in feeds},
    )
    def diagnosis(context: dg.OpExecutionContext) -> None:
        # HTTP takes 0.1 s to import, which a process that only loads the definitions does not need.
        from secscore_pipeline.ingest.connection_test import State, Step, run_connection_steps, summarize_steps

        steps: list[Step] = []
        for feed in feeds:
            for step in run_connection_steps(getattr(context.resources, feed.resource_key), utc_now):
                steps.append(step)
                log = context.log.error if step.state is State.FAILED else context.log.info
                log("%s: %s", feed.name, step.line)
        shown = make_preview([step.row for step in steps])
        wrong = [step for step in steps if step.state is State.FAILED]
        if wrong:
            raise dg.Failure(f"{summarize_steps(steps)} {wrong[0].says}", {"steps": shown}, allow_retries=False)
        context.add_output_metadata({"steps": shown, "summary": summarize_steps(steps)})

    @dg.job(
        name="test_connection",
        executor_def=dg.in_process_executor,
        description="Try the connection to Azure step by step. It changes nothing.",
    )
    def test_connection_job() -> None:
        diagnosis()

    return test_connection_job
