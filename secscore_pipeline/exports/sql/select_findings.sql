-- One row: one event of the day that was asked for, as OCSF has it.
from internal.as_findings('exported_observations', 'exported_changes')
order by time, metadata.uid
