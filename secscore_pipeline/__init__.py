"""Azure secure scores in, OCSF Assessment Findings in DuckDB out."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secscore_pipeline.frames import Posture


def open(database: "str | Path | None" = None) -> "Posture":  # noqa: A001 - secscore_pipeline.open, as gzip.open
    """Open the published database for pandas: `secscore_pipeline.open().current_scores()`.

    Args:
        database: the DuckDB file; SECSCORE_DATABASE when not given.
    """
    from secscore_pipeline.frames import Posture  # pandas is for who asks for it

    return Posture(database)
