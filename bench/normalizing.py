"""Records a second of normalizing, and of `pandas.json_normalize` over the same records beside it; prints JSON."""

import json
import statistics
import sys
import time
from pathlib import Path

import pandas as pd

from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.warehouse.connection import open_for_writing
from secscore_pipeline.warehouse.store import delete_findings, normalize


def main(path: Path, times: int) -> None:
    ours, theirs = [], []
    for _ in range(times):
        with open_for_writing(path) as connection:
            delete_findings(connection)
            started = time.perf_counter()
            added = normalize(connection, Normalization().build_mapping())
            ours.append(added / (time.perf_counter() - started))
            texts = [text for (text,) in connection.execute("select record from raw.records").fetchall()]
        started = time.perf_counter()
        pd.json_normalize([json.loads(text) for text in texts])
        theirs.append(len(texts) / (time.perf_counter() - started))
    print(json.dumps({"ours": round(statistics.median(ours)), "json_normalize": round(statistics.median(theirs))}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
