-- One row: one text of new metadata that is HTML; most of them are the same in many versions.
select distinct html
from (
    select
        unnest([
            versions.record ->> '$.properties.description', versions.record ->> '$.properties.remediationDescription'
        ]) as html
    from internal.record_versions as versions
    where versions.version_id > $after
        and versions.version_id <= $upto
        and versions.event_type = 'assessment_metadata'
        and json_valid(versions.record)
)
where html is not null;
