-- One row: one event of the day that was asked for as a Compliance Finding (2003) of OCSF 1.3.0, the newest that Amazon
-- Security Lake takes from others, without what came later. The last three columns are its partitions.
select
    activity_id,
    activity_name,
    category_uid,
    category_name,
    2003 as class_uid,
    'Compliance Finding' as class_name,
    200300 + activity_id as type_uid,
    'Compliance Finding: ' || activity_name as type_name,
    time,
    time_dt,
    timezone_offset,
    severity_id,
    severity,
    status_id,
    status,
    status_detail,
    message,
    {
        'version': '1.3.0',
        'profiles': ['cloud', 'datetime'],
        'product': metadata.product,
        'event_code': metadata.event_code,
        'log_name': metadata.log_name,
        'log_provider': metadata.log_provider,
        'log_version': metadata.log_version,
        'uid': metadata.uid,
        'correlation_uid': metadata.correlation_uid,
        'tenant_uid': metadata.tenant_uid,
        'logged_time': metadata.logged_time,
        'logged_time_dt': metadata.logged_time_dt
    } as metadata,
    {
        'provider': cloud.provider,
        'account': {
            'uid': cloud.account.uid,
            'type_id': 99,  -- a subscription is a type of its own only later
            'type': cloud.account.type,
            'name': cloud.account.name
        },
        'org': cloud.org
    } as cloud,
    {
        'uid': finding_info.uid,
        'title': finding_info.title,
        'types': finding_info.types,
        'created_time': finding_info.created_time,
        'created_time_dt': finding_info.created_time_dt,
        'first_seen_time': finding_info.first_seen_time,
        'first_seen_time_dt': finding_info.first_seen_time_dt,
        'last_seen_time': finding_info.last_seen_time,
        'last_seen_time_dt': finding_info.last_seen_time_dt,
        'modified_time': finding_info.modified_time,
        'modified_time_dt': finding_info.modified_time_dt,
        'src_url': finding_info.src_url,
        'data_sources': finding_info.data_sources,
        'analytic': finding_info.analytic
    } as finding_info,
    {
        'status_id': compliance.status_id,
        'status': compliance.status,
        'standards': coalesce(compliance.standards, []),
        'status_detail': compliance.status_details[1],
        'control': compliance.control
    } as compliance,
    list_transform(resources, lambda one: {
        'uid': one.uid,
        'type': one.type,
        'cloud_partition': one.cloud_partition,
        'name': one.name,
        'group': one."group",
        'owner': one.owner
    }) as resources,
    list_transform(observables, lambda one: {
        'name': one.name,
        'type_id': if(one.type_id = 10, 10, 99),  -- an account's id is a type of its own only later
        'type': one.type,
        'value': one.value
    }) as observables,
    remediation,
    map_from_entries(list_filter(
        [
            {'key': 'secure_score.name', 'value': unmapped.secure_score.name},
            {'key': 'secure_score.current', 'value': cast(unmapped.secure_score.current as varchar)},
            {'key': 'secure_score.max', 'value': cast(unmapped.secure_score.max as varchar)},
            {'key': 'secure_score.percentage', 'value': cast(unmapped.secure_score.percentage as varchar)},
            {'key': 'secure_score.weight', 'value': cast(unmapped.secure_score.weight as varchar)},
            {
                'key': 'secure_score.healthy_resource_count',
                'value': cast(unmapped.secure_score.healthy_resource_count as varchar)
            },
            {
                'key': 'secure_score.unhealthy_resource_count',
                'value': cast(unmapped.secure_score.unhealthy_resource_count as varchar)
            },
            {
                'key': 'secure_score.not_applicable_resource_count',
                'value': cast(unmapped.secure_score.not_applicable_resource_count as varchar)
            },
            {'key': 'recommendation.id', 'value': unmapped.recommendation.id},
            {'key': 'recommendation.user_impact', 'value': unmapped.recommendation.user_impact},
            {
                'key': 'recommendation.implementation_effort',
                'value': unmapped.recommendation.implementation_effort
            },
            {'key': 'recommendation.preview', 'value': cast(unmapped.recommendation.preview as varchar)},
            {'key': 'recommendation.risk_level', 'value': unmapped.recommendation.risk.level},
            {'key': 'metadata.original_event_uid', 'value': metadata.original_event_uid}
        ],
        lambda entry: entry.value is not null
    )) as unmapped,
    raw_data,
    $region as region,
    'external_' || cloud.account.uid as "accountId",
    strftime(time_dt, '%Y%m%d') as "eventDay"
from internal.as_findings('exported_observations', 'exported_changes')
order by cloud.account.uid, time, metadata.uid
