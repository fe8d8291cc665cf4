"""Exports as assets: files for other programs, on where SECSCORE_EXPORTS names them."""

import dagster as dg

from secscore_pipeline.config.registry import EXPORTS, SECSCORE_EXPORT_URL, SECSCORE_EXPORTS
from secscore_pipeline.config.settings import read_export_layout
from secscore_pipeline.defs.assets.posture import DATABASE
from secscore_pipeline.defs.metadata import OWNERS, explain_failures
from secscore_pipeline.defs.resources import WarehouseResource

_SAYS = {
    "jsonl": "Every finding as a line of JSON, valid OCSF 1.8.0, a file a day.",
    "parquet": "Every finding as OCSF has it, nested, a file a day.",
    "security-lake": "Every finding as OCSF 1.3.0, in the layout of Amazon Security Lake.",
    "csv": "Every posture view as a CSV file, safe to open in a spreadsheet.",
    "xlsx": "Every posture view as a sheet of a workbook, for spreadsheet programs.",
}


def get_export_key(form: str) -> dg.AssetKey:
    """Return the asset key of a format."""
    return dg.AssetKey(["exports", form.replace("-", "_")])


def build_export_assets() -> list[dg.AssetsDefinition]:
    """Make an asset for each format."""
    return [_build_export_asset(form) for form in EXPORTS]


def _build_export_asset(form: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=get_export_key(form),
        deps=[DATABASE],
        group_name="exports",
        kinds={form.rpartition("-")[2] if form != "security-lake" else "parquet"},
        owners=OWNERS,
        description=f"{_SAYS[form]} Written where SECSCORE_EXPORTS names it; what is there already stays.",
    )
    def write_files(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
        from secscore_pipeline.exports.destination import Destination
        from secscore_pipeline.exports.export import Lake, export

        with explain_failures(context):
            if form not in SECSCORE_EXPORTS.read():
                context.log.info("SECSCORE_EXPORTS does not name %s: nothing was written.", form)
                return dg.MaterializeResult(metadata={"is_written": False})
            warehouse.store.refuse_absent()
            destination = Destination(SECSCORE_EXPORT_URL.read())
            lake = Lake(*read_export_layout())
            with (
                destination.scratch_folder(warehouse.store.path) as folder,
                warehouse.store.get_published(reachable=[folder]) as connection,
            ):
                done = export(connection, form, destination, lake, folder, report=context.log.info)
        for note in done.notes:
            context.log.warning("%s", note)
        return dg.MaterializeResult(
            metadata={
                "is_written": True,
                "destination": destination.label,
                "units": done.units,
                "unchanged": done.unchanged,
                "files": done.files,
                "rows": done.rows,
                "bytes": done.bytes,
            }
        )

    return write_files
