-- One row: one event of class Assessment Finding (99402001): one recommendation on one resource, named and nested as OCSF
-- has it. Of the events in a table or view that has the columns of internal.recommendation_events_at.
create or replace macro internal.as_recommendation_findings(events) as table
with described_events as (
    select
        events.*,
        versions.record,
        versions.record ->> '$.id' as id,
        subscriptions.subscription_name,
        subscriptions.subscription_owner,
        case state when 'healthy' then 1 when 'unhealthy' then 3 when 'unknown' then 0 else 99 end
            as compliance_status_id,
        case state
            when 'healthy' then 'Pass'
            when 'unhealthy' then 'Fail'
            when 'unknown' then 'Unknown'
            else 'Not applicable'
        end as compliance_status,
        if(
            state = 'unhealthy',
            coalesce(list_position(['Low', 'Medium', 'High', 'Critical'], events.severity) + 1, 0),
            1
        ) as severity_id,
        case
            when state = 'exempt' then 3
            when state = 'healthy' or activity_id = 3 then 4
            else 1
        end as status_id,
        coalesce(display_name, recommendation_id) || ': ' || coalesce(status_code, 'no status')
        || coalesce(' (' || cause || ')', '') || coalesce(', ' || resource_name, '') as state_sentence,
        internal.describe_departure(left_reason) as left_sentence
    from query_table(events) as events
    join internal.record_versions as versions
        on versions.version_id = events.version_id
        and versions.event_type = 'assessments'
    left join (
        select subscription_version_id, name as subscription_name, owner as subscription_owner
        from internal.subscription_versions
    ) as subscriptions using (subscription_version_id)
    where activity_id is not null
),
named_events as (
    select
        *,
        coalesce('Closed because ' || left_sentence || ', not because it was fixed; last: ', '') || state_sentence
            as sentence,
        lower(coalesce(source, 'azure')) = 'azure' as is_in_azure
    from described_events
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
    ['Unknown', 'Informational', 'Low', 'Medium', 'High', 'Critical'][severity_id + 1] as severity,
    status_id,
    case status_id when 1 then 'New' when 3 then 'Suppressed' else 'Resolved' end as status,
    sentence as status_detail,
    sentence as message,
    {
        'version': '1.8.0',
        'profiles': ['cloud', 'datetime'],
        'extensions': [{'name': 'databee', 'uid': '994', 'version': extension_version}],
        'product': {
            'name': 'Microsoft Defender for Cloud',
            'vendor_name': 'Microsoft',
            'feature': {'name': 'Recommendations'}
        },
        'event_code': 'assessments',
        'log_name': 'Azure Security Score',
        'log_provider': 'Microsoft.Security',
        'log_version': api_version,
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
        'title': coalesce(display_name, recommendation_id),
        'desc': description,
        'types': ['Recommendation'],
        'tags': case
            when len(categories) > 0
            then list_transform(categories, lambda category: {'name': 'category', 'value': category})
        end,
        'created_time': first_seen_time,
        'created_time_dt': make_timestamptz(first_seen_time * 1000),
        'first_seen_time': first_seen_time,
        'first_seen_time_dt': make_timestamptz(first_seen_time * 1000),
        'last_seen_time': last_seen_time,
        'last_seen_time_dt': make_timestamptz(last_seen_time * 1000),
        'modified_time': modified_time,
        'modified_time_dt': make_timestamptz(modified_time * 1000),
        'src_url': arm_endpoint || id || '?api-version=' || api_version,
        'data_sources': case when type is not null then [type] end,
        'product': {
            'name': 'Microsoft Defender for Cloud',
            'vendor_name': 'Microsoft',
            'feature': {'name': 'Recommendations'}
        },
        'analytic': {
            'uid': recommendation_id,
            'name': display_name,
            'type_id': 1,
            'type': 'Rule',
            'category': assessment_type
        }
    } as finding_info,
    {
        'status_id': compliance_status_id,
        'status': compliance_status,
        'status_code': cause,
        'standards': cast(null as varchar[]),
        'status_details': case when status_description is not null then [status_description] end,
        'control': controls[1],
        'requirements': case when len(controls) > 0 then controls end,
        'desc': description,
        'checks': [{
            'uid': recommendation_id,
            'name': display_name,
            'status_id': compliance_status_id,
            'status': compliance_status,
            'severity_id': severity_id,
            'severity': ['Unknown', 'Informational', 'Low', 'Medium', 'High', 'Critical'][severity_id + 1]
        }],
        'assessments': case
            when compliance_status_id in (1, 3)
            then [{
                'uid': recommendation_id,
                'name': display_name,
                'meets_criteria': compliance_status_id = 1,
                'category': 'Recommendation',
                'desc': 'The resource is healthy'
            }]
        end
    } as compliance,
    [
        {
            'uid': coalesce(resource_id, finding_uid),
            'name': resource_name,
            'type': resource_type,
            'group': case
                when internal.resource_group_of(resource_id) is not null
                then {'name': internal.resource_group_of(resource_id)}
            end,
            'cloud_partition': if(is_in_azure, cloud_partition, null),
            'role_id': 3,
            'role': 'Affected',
            'owner': cast(null as struct(name varchar))
        },
        {
            'uid': '/subscriptions/' || subscription_id,
            'name': subscription_name,
            'type': 'Microsoft.Resources/subscriptions',
            'group': cast(null as struct(name varchar)),
            'cloud_partition': cloud_partition,
            'role_id': 4,
            'role': 'Related',
            'owner': case when subscription_owner is not null then {'name': subscription_owner} end
        }
    ] as resources,
    [
        {
            'name': 'resources[0].uid',
            'type_id': 10,
            'type': 'Resource UID',
            'value': coalesce(resource_id, finding_uid)
        },
        {
            'name': 'cloud.account.uid',
            'type_id': 35,
            'type': 'Account Object: uid',
            'value': subscription_id
        }
    ] as observables,
    case
        when compliance_status_id = 3 and remediation is not null
        then {
            'desc': remediation,
            'references': list_filter(
                [coalesce(portal_url, internal.portal_url_of(cloud_partition, tenant_id, resource_id))],
                lambda link: link is not null
            )
        }
    end as remediation,
    {
        'recommendation': {
            'id': recommendation_id,
            'control_uids': control_ids,
            'preview': is_preview,
            'user_impact': user_impact,
            'implementation_effort': effort,
            'threats': threats,
            'categories': categories,
            'tactics': tactics,
            'techniques': techniques,
            'policy_definition_id': policy_definition_id,
            'source': source,
            'account_id': account_id,
            'first_seen_source': first_seen_source,
            'risk': case
                when risk_level is not null
                then {'level': risk_level, 'factors': risk_factors, 'attack_paths': attack_paths}
            end
        }
    } as unmapped,
    record as raw_data,
    octet_length(encode(record)) as raw_data_size,
    {'algorithm_id': 3, 'algorithm': 'SHA-256', 'value': sha256(record)} as raw_data_hash
from named_events;
