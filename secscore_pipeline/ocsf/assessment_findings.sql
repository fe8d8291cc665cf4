-- One row: one Assessment Finding event, an observation of one secure score or control with its place in history.
create or replace temp macro points(number) as
    regexp_replace(cast(number as varchar), '\.0$', '');

-- RFC 4122 version 5, in the namespace of URLs: the same name gives the same identifier at every rebuild.
create or replace temp macro uuid5(name) as (
    with digest as (
        select sha1(unhex('6ba7b8119dad11d180b400c04fd430c8') || encode(name)) as hex
    )
    select
        hex[1:8] || '-' || hex[9:12] || '-5' || hex[14:16] || '-'
        || substr('89ab', cast(instr('0123456789abcdef', hex[17]) - 1 as integer) % 4 + 1, 1) || hex[18:20]
        || '-' || hex[21:32]
    from digest
);

insert into ocsf.assessment_findings by name
with valid as (
    select * from observations where rejection is null
),
-- What the store already knows of a finding stands before its new observations, as their predecessor.
timeline as (
    select
        valid.*,
        {
            'current': current, 'max': max, 'percentage': percentage, 'weight': weight, 'healthy': healthy,
            'unhealthy': unhealthy, 'not_applicable': not_applicable, 'definition_max': definition_max
        } as numbers,
        state.first_seen_time as known_first_seen_time,
        state.modified_time as known_modified_time,
        state.numbers as known_numbers
    from valid
    left join ocsf.finding_state as state using (finding_uid)
),
compared as (
    select
        *,
        row_number() over history = 1 and known_first_seen_time is null as is_first,
        coalesce(known_first_seen_time, first_value(time) over history) as first_seen_time,
        case when row_number() over history = 1 then known_numbers else lag(numbers) over history end as previous
    from timeline
    window history as (partition by finding_uid order by time, snapshot_id)
),
lived as (
    select
        *,
        if(is_first, 1, 2) as activity_id,
        coalesce(
            max(case when not is_first and numbers is distinct from previous then time end) over (
                partition by finding_uid order by time, snapshot_id rows unbounded preceding
            ),
            known_modified_time
        ) as modified_time
    from compared
),
judged as (
    select
        *,
        event_type = 'secure_score_controls' as is_control,
        case
            when event_type = 'secure_score_controls' and unhealthy > 0 then 3
            when event_type = 'secure_score_controls' and healthy > 0 and unhealthy is not null then 1
            when event_type = 'secure_score_controls' and healthy is not null and unhealthy is not null then 99
            when current is null or max is null then 2
            when max = 0 then 99
            when current >= max then 1
            else 3
        end as compliance_status_id,
        event_type = 'secure_score_controls' and healthy is not null and unhealthy is not null as is_counted
    from lived
),
rated as (
    select
        *,
        case
            when current is null or max is null then 0
            when compliance_status_id <> 3 then 1
            when max <= 0 then 2
            when current / max >= $informational_from then 1
            when current / max >= $low_from then 2
            when current / max >= $medium_from then 3
            else 4
        end as severity,
        if(compliance_status_id = 1, 4, 1) as status,
        coalesce(display_name, name, finding_uid)
        || case
            when current is null or max is null then ': no score reported'
            else ': ' || points(current) || ' of ' || points(max) || ' points'
                || coalesce(
                    ' (' || format('{:.2f}', coalesce(percentage, current / nullif(max, 0)) * 100) || '%)', ''
                )
        end
        || case
            when is_control and coalesce(healthy, unhealthy, not_applicable) is not null
            then '; ' || array_to_string(list_filter([
                healthy || ' healthy', unhealthy || ' unhealthy', not_applicable || ' not applicable'
            ], lambda part: part is not null), ', ')
            else ''
        end as sentence
    from judged
),
parents as (
    select snapshot_id, subscription_id, lower(name) as score_key, any_value(display_name) as score_display_name
    from (
        select
            scores.snapshot_id,
            scores.subscription_id,
            scores.name,
            json_text(json_extract(scores.record, '$.properties.displayName')) as display_name
        from raw.secure_scores as scores
        where scores.snapshot_id in (select rated.snapshot_id from rated)
            and json_valid(scores.record)
    )
    group by all
),
titled as (
    select
        rated.*,
        if(rated.is_control, coalesce(parents.score_display_name, rated.score_name), rated.display_name) as standard
    from rated
    left join parents
        on parents.snapshot_id = rated.snapshot_id
        and parents.subscription_id = rated.subscription_id
        and parents.score_key = lower(rated.score_name)
)
select
    activity_id,
    if(activity_id = 1, 'Create', 'Update') as activity_name,
    2 as category_uid,
    'Findings' as category_name,
    99402001 as class_uid,
    'Assessment Finding' as class_name,
    9940200100 + activity_id as type_uid,
    'Assessment Finding: ' || if(activity_id = 1, 'Create', 'Update') as type_name,
    time,
    make_timestamptz(time * 1000) as time_dt,
    0 as timezone_offset,
    severity as severity_id,
    ['Unknown', 'Informational', 'Low', 'Medium', 'High'][severity + 1] as severity,
    status as status_id,
    if(status = 4, 'Resolved', 'New') as status,
    sentence as status_detail,
    sentence as message,
    {
        'version': '1.8.0',
        'profiles': ['cloud', 'datetime'],
        'extensions': [{'name': 'databee', 'uid': '994', 'version': $extension_version}],
        'product': {
            'name': 'Microsoft Defender for Cloud',
            'vendor_name': 'Microsoft',
            'feature': {'name': 'Secure Score'}
        },
        'event_code': if(is_control, 'secureScoreControls', 'secureScores'),
        'log_name': 'Azure Security Score',
        'log_provider': 'Microsoft.Security',
        'log_version': '2020-01-01',
        'uid': uuid5(finding_uid || '|' || time || '|' || activity_id),
        'original_event_uid': id,
        'correlation_uid': snapshot_id,
        'tenant_uid': tenant_id,
        'logged_time': greatest(epoch_ms(stored_at), time),
        'logged_time_dt': make_timestamptz(greatest(epoch_ms(stored_at), time) * 1000)
    } as metadata,
    {
        'provider': 'Azure',
        'cloud_partition': cloud_partition,
        'account': {
            'uid': subscription_id, 'type_id': 13, 'type': 'Azure Subscription', 'name': cast(null as varchar)
        },
        'org': {'uid': tenant_id}
    } as cloud,
    {
        'uid': finding_uid,
        'title': display_name,
        'types': [if(is_control, 'Secure Score Control', 'Secure Score')],
        'created_time': first_seen_time,
        'created_time_dt': make_timestamptz(first_seen_time * 1000),
        'first_seen_time': first_seen_time,
        'first_seen_time_dt': make_timestamptz(first_seen_time * 1000),
        'last_seen_time': time,
        'last_seen_time_dt': make_timestamptz(time * 1000),
        'modified_time': modified_time,
        'modified_time_dt': make_timestamptz(modified_time * 1000),
        'src_url': arm_endpoint || id || '?api-version=2020-01-01',
        'data_sources': case when type is not null then [type] end,
        'product': {
            'name': 'Microsoft Defender for Cloud',
            'vendor_name': 'Microsoft',
            'feature': {'name': 'Secure Score'}
        },
        'analytic': case
            when is_control and coalesce(definition_name, definition_display_name) is not null
            then {
                'uid': definition_name,
                'name': definition_display_name,
                'type_id': 1,
                'type': 'Rule',
                'category': definition_source
            }
        end
    } as finding_info,
    {
        'status_id': compliance_status_id,
        'status': case
            when compliance_status_id = 1 then 'Pass'
            when compliance_status_id = 2 then 'Warning'
            when compliance_status_id = 3 then 'Fail'
            when is_counted then 'Not applicable'
            else 'Not scored'
        end,
        'standards': case when standard is not null then [standard] end,
        'status_details': [sentence],
        'control': if(is_control, display_name, null),
        'desc': if(is_control, definition_description, null),
        'checks': case
            when is_control and len(check_uids) > 0 then list_transform(check_uids, lambda uid: {'uid': uid})
        end,
        'assessments': case
            when compliance_status_id in (1, 3)
            then [{
                'uid': coalesce(name, finding_uid),
                'name': display_name,
                'meets_criteria': compliance_status_id = 1,
                'category': if(is_control, 'Secure Score Control', 'Secure Score'),
                'desc': if(is_control, 'All assessed resources healthy', 'Current score equals maximum score')
            }]
        end
    } as compliance,
    [{
        'uid': '/subscriptions/' || subscription_id,
        'type': 'Microsoft.Resources/subscriptions',
        'cloud_partition': cloud_partition,
        'role_id': 1,
        'role': 'Target',
        'name': cast(null as varchar),
        'owner': cast(null as struct(name varchar))
    }] as resources,
    [
        {
            'name': 'resources[0].uid',
            'type_id': 10,
            'type': 'Resource UID',
            'value': '/subscriptions/' || subscription_id
        },
        {
            'name': 'cloud.account.uid',
            'type_id': 35,
            'type': 'Account Object: uid',
            'value': subscription_id
        }
    ] as observables,
    case
        when compliance_status_id = 3
        then {
            'desc': if(
                is_control,
                'Remediate the unhealthy resources of the recommendations in this security control.',
                'Remediate the recommendations of the security controls with the largest remaining points.'
            ),
            'references': ['https://learn.microsoft.com/azure/defender-for-cloud/secure-score-security-controls']
        }
    end as remediation,
    {
        'secure_score': {
            'name': score_name,
            'current': current,
            'max': max,
            'percentage': percentage,
            'weight': weight,
            'healthy_resource_count': if(is_control, healthy, null),
            'unhealthy_resource_count': if(is_control, unhealthy, null),
            'not_applicable_resource_count': if(is_control, not_applicable, null),
            'definition_max': if(is_control, definition_max, null)
        }
    } as unmapped,
    record as raw_data,
    octet_length(encode(record)) as raw_data_size,
    {'algorithm_id': 3, 'algorithm': 'SHA-256', 'value': sha256(record)} as raw_data_hash
from titled;
