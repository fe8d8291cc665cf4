"""Batches as partitions of the raw assets, and the tags that say what a run is for."""

import dagster as dg

BATCHES = dg.DynamicPartitionsDefinition(name="batches")
"""The partitions of the raw assets where SECSCORE_BATCH_SIZE is set: each round adds those that are new."""

ROUND = "secscore/round"
"""The tag of runs that together read every subscription of a feed once."""

BATCHES_OF_ROUND = "secscore/batches"
"""The tag that says how many batches the round of a run has."""

SHOWS = "secscore/shows"
"""The tag of a run that publishes and reports a round."""

BY_HAND = {"secscore/started_by": "command line"}
"""The tag of a run that somebody waits for."""

BY_SCHEDULE = {"secscore/started_by": "schedule"}

BY_SENSOR = {"secscore/started_by": "sensor"}
