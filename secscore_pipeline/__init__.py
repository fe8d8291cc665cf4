"""Azure secure scores in, OCSF Assessment Findings in DuckDB out."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secscore_pipeline.posture.frames import Posture


def open(  # noqa: A001 - secscore_pipeline.open, as gzip.open
    database: "str | Path | None" = None, allow: "Iterable[str | Path]" = ()
) -> "Posture":
    """Open the published database for pandas: `secscore_pipeline.open().current_scores()`.

    Args:
        database: the DuckDB file; SECSCORE_DATABASE when not given.
        allow: files and folders that questions in SQL may read beside it.
    """
    from secscore_pipeline.posture.frames import Posture  # pandas is for who asks for it

    return Posture(database, allow)
