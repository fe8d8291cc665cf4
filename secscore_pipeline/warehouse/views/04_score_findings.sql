-- One row: one event of class Assessment Finding (99402001): an observation of a score or control, named and nested as OCSF
-- has it.
create or replace macro internal.points(number) as
    regexp_replace(cast(number as varchar), '\.0$', '');

-- RFC 4122 version 5, in the namespace of URLs: the same name gives the same identifier at every rebuild.
create or replace macro internal.uuid5(name) as (
    with digest as (
        select sha1(unhex('6ba7b8119dad11d180b400c04fd430c8') || encode(name)) as hex
    )
    select
        hex[1:8] || '-' || hex[9:12] || '-5' || hex[14:16] || '-'
        || substr('89ab', cast(instr('0123456789abcdef', hex[17]) - 1 as integer) % 4 + 1, 1) || hex[18:20]
        || '-' || hex[21:32]
    from digest
);

-- Of the events in a table or view that has the columns of ocsf.observations.
create or replace macro internal.as_score_findings(events) as table
with described_observations as (
    select
        observations.*,
        definitions.definition,
        versions.record,
        entities.name as subscription_name,
        entities.owner as subscription_owner,
        if(is_control, coalesce(score_display_name, score_name), display_name) as standard,
        coalesce(display_name, observations.name, finding_uid)
        || case
            when current is null or max is null then ': no score reported'
            else ': ' || internal.points(current) || ' of ' || internal.points(max) || ' points'
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
        end as numbers_sentence,
        internal.describe_departure(left_reason) as left_sentence,
        coalesce('Closed because ' || left_sentence || ', not because it was fixed; last: ', '') || numbers_sentence
            as sentence
    from query_table(events) as observations
    join internal.record_versions as versions
        on versions.version_id = observations.version_id
        and versions.event_type = observations.event_type
    left join internal.control_definitions as definitions using (definition_id)
    left join internal.subscription_versions as entities using (subscription_version_id)
)
select
    activity_id,
    ['Create', 'Update', 'Close'][activity_id] as activity_name,
    2 as category_uid,
    'Findings' as category_name,
    99402001 as class_uid,
    'Assessment Finding' as class_name,
    9940200100 + activity_id as type_uid,
    'Assessment Finding: ' || ['Create', 'Update', 'Close'][activity_id] as type_name,
    time,
    make_timestamptz(time * 1000) as time_dt,
    0 as timezone_offset,
    severity_id,
    ['Unknown', 'Informational', 'Low', 'Medium', 'High'][severity_id + 1] as severity,
    if(compliance_status_id = 1 or activity_id = 3, 4, 1) as status_id,
    if(compliance_status_id = 1 or activity_id = 3, 'Resolved', 'New') as status,
    sentence as status_detail,
    sentence as message,
    {
        'version': '1.8.0',
        'profiles': ['cloud', 'datetime'],
        'extensions': [{'name': 'databee', 'uid': '994', 'version': extension_version}],
        'product': {
            'name': 'Microsoft Defender for Cloud',
            'vendor_name': 'Microsoft',
            'feature': {'name': 'Secure Score'}
        },
        'event_code': if(is_control, 'secureScoreControls', 'secureScores'),
        'log_name': 'Azure Security Score',
        'log_provider': 'Microsoft.Security',
        'log_version': '2020-01-01',
        'uid': internal.uuid5(finding_uid || '|' || time || '|' || activity_id),
        'original_event_uid': id,
        'correlation_uid': run_id,
        'tenant_uid': tenant_id,
        'logged_time': greatest(epoch_ms(stored_at), time),
        'logged_time_dt': make_timestamptz(greatest(epoch_ms(stored_at), time) * 1000)
    } as metadata,
    {
        'provider': 'Azure',
        'cloud_partition': cloud_partition,
        'account': {
            'uid': subscription_id, 'type_id': 13, 'type': 'Azure Subscription', 'name': subscription_name
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
        'last_seen_time': last_seen_time,
        'last_seen_time_dt': make_timestamptz(last_seen_time * 1000),
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
            when is_control and coalesce(definition.name, definition.display_name) is not null
            then {
                'uid': internal.spell_id(definition.name),
                'name': definition.display_name,
                'type_id': 1,
                'type': 'Rule',
                'category': definition.source_type
            }
        end
    } as finding_info,
    {
        'status_id': compliance_status_id,
        'status': compliance_status,
        'standards': case when standard is not null then [standard] end,
        'status_details': [sentence],
        'control': if(is_control, display_name, null),
        'desc': if(is_control, definition.description, null),
        'checks': case
            when is_control and len(definition.check_uids) > 0
            then list_transform(definition.check_uids, lambda uid: {'uid': uid})
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
        'name': subscription_name,
        'owner': case when subscription_owner is not null then {'name': subscription_owner} end
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
            'definition_max': if(is_control, definition.max_score, null)
        }
    } as unmapped,
    record as raw_data,
    octet_length(encode(record)) as raw_data_size,
    {'algorithm_id': 3, 'algorithm': 'SHA-256', 'value': sha256(record)} as raw_data_hash
from described_observations;
