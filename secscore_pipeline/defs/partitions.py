"""Batches as partitions of the raw assets, and the tags that say what a run is for."""

import dagster as dg

BATCHES = dg.DynamicPartitionsDefinition(name="batches")
"""The partitions of the raw assets where SECSCORE_BATCH_SIZE is set: each sync adds those that are new."""

SYNC = "secscore/sync"
"""The tag of runs that together read every subscription of a feed once."""

BATCHES_OF_SYNC = "secscore/batches"
"""The tag that says how many batches the sync of a run has."""

PUBLISHES = "secscore/publishes"
"""The tag of a run that publishes and reports a sync."""

BY_HAND = {"secscore/started_by": "command line"}
"""The tag of a run that somebody waits for."""

BY_SCHEDULE = {"secscore/started_by": "schedule"}

BY_SENSOR = {"secscore/started_by": "sensor"}
