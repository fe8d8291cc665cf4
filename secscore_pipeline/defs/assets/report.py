"""The report as an asset: one HTML file for people who do not query."""

from typing import TYPE_CHECKING
from urllib.parse import quote

import dagster as dg

from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.registry import SECSCORE_REPORT
from secscore_pipeline.defs.assets.posture import DATABASE
from secscore_pipeline.defs.metadata import OWNERS, explain_failures
from secscore_pipeline.defs.resources import WarehouseResource
from secscore_pipeline.text import in_markdown

if TYPE_CHECKING:
    from secscore_pipeline.report import page

REPORT = dg.AssetKey(["posture", "report"])

SHOWN = 5
"""How many controls the preview shows."""


@dg.asset(key=REPORT, deps=[DATABASE], group_name="posture", kinds={"html"}, owners=OWNERS)
def report(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Write the report: the score and its path, what moved it, the potential increase, the gaps, in one HTML file.

    It asks for nothing from any network, and can be mailed, printed and kept.
    """
    # Here, since nobody who only syncs should wait for what draws charts.
    from secscore_pipeline.report import page

    path = page.resolve_report_path(SECSCORE_REPORT.read())
    with explain_failures(context):
        with warehouse.store.get_published() as connection:
            made = page.read_report(connection, utc_now())
        size = page.write_report(made, path)
    picture = page.draw_trend(made)
    context.log.info("report: %s (%.1f MB)", path, size / 1e6)
    scores = {
        f"score_percent_{tenant.tenant_id}" if len(made.tenants) > 1 else "score_percent": round(
            100 * tenant.newest["percentage"], 2
        )
        for tenant in made.tenants
        if tenant.newest
    }
    summaries = [_summary(tenant, is_one_of_many=len(made.tenants) > 1) for tenant in made.tenants]
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.url(path.as_uri()),
            "path": dg.MetadataValue.path(str(path)),
            "bytes": size,
            **scores,
            "preview": dg.MetadataValue.md("\n\n".join(summaries) or "Nothing is stored yet."),
            **({"trend": dg.MetadataValue.md(_image(picture))} if picture else {}),
        }
    )


def _summary(tenant: "page.Tenant", *, is_one_of_many: bool) -> str:
    """Say the most important of one tenant in Markdown, and which it is where there are others."""
    if tenant.newest is None:
        return f"**{tenant.tenant_id}**: no score yet."
    week = tenant.change_since(7)
    moved = "" if week is None else f", {100 * week:+.2f} percentage points in 7 days"
    lines = [
        *([f"Tenant {tenant.tenant_id}:", ""] if is_one_of_many else []),
        f"**{100 * tenant.newest['percentage']:.2f} %**{moved}; {tenant.coverage.sentence}.",
        "",
        "| control | potential increase | resources to fix |",
        "|---|---|---|",
    ]
    for control in tenant.controls[:SHOWN]:
        name = in_markdown(str(control["control"]))
        lines.append(f"| {name} | {control['potential_increase']:.2f} | {control['unhealthy_resources']} |")
    return "\n".join(lines)


def _image(picture: str) -> str:
    address = quote(picture, safe=" ='/:,;")
    return f"![The score by day](<data:image/svg+xml,{address}>)"
