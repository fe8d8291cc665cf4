-- One row: one fetch of one subscription, from the spool, numbered on from those before. A subscription's time does not
-- run backwards. Whose it is, its list says; where there was none, the newest list or answer that did; else it is taken
-- for the connection's.
insert into raw.fetches by name
with spooled_fetches as materialized (
    from read_json(
        $fetches_file,
        format = 'newline_delimited',
        maximum_object_size = $line_bytes,
        columns = {
            run_id: 'varchar', tenant_id: 'varchar', subscription_id: 'varchar', event_type: 'varchar',
            started_at: 'timestamptz', finished_at: 'timestamptz', outcome: 'varchar', http_status: 'integer',
            error_code: 'varchar', error: 'varchar', pages: 'integer', records: 'integer',
            request_ids: 'varchar[]', arm_endpoint: 'varchar', cloud_partition: 'varchar', feed: 'varchar', sync_id: 'varchar',
            subscriptions_in_scope: 'integer', api_version: 'varchar'
        }
    )
),
named_fetches as (
    select
        feed,
        subscription_id,
        max(subscription_version_id) as subscription_version_id,
        max_by(tenant_id, subscription_version_id) as tenant_id
    from raw.subscriptions
    group by feed, subscription_id
),
previous_fetches as (
    select subscription_id, max(observed_at) + interval 1 millisecond as not_before
    from (
        select subscription_id, observed_at from raw.fetches where event_type = $event_type
        union all
        select subscription_id, observed_at from raw.scope_changes where state = 'left'
    )
    group by subscription_id
),
-- Most often there are none, and nothing is read.
fetches_without_tenant as (
    select spooled_fetches.subscription_id
    from spooled_fetches
    left join named_fetches using (feed, subscription_id)
    where spooled_fetches.tenant_id is null
        and named_fetches.tenant_id is null
),
answered_fetches as (
    select subscription_id, max_by(tenant_id, fetch_id) as tenant_id
    from raw.fetches
    semi join fetches_without_tenant using (subscription_id)
    where http_status is not null
        and not contains(tenant_id, '.') -- a domain has one, a GUID has none
    group by subscription_id
)
select
    internal.last_fetch_id() + row_number() over (order by subscription_id) as fetch_id,
    run_id,
    coalesce(spooled_fetches.tenant_id, named_fetches.tenant_id, answered_fetches.tenant_id, $tenant_id) as tenant_id,
    subscription_id,
    event_type,
    started_at,
    finished_at,
    outcome,
    http_status,
    error_code,
    error,
    pages,
    records,
    request_ids,
    arm_endpoint,
    cloud_partition,
    greatest(finished_at, previous_fetches.not_before) as observed_at,
    $stored_at as stored_at,
    feed,
    named_fetches.subscription_version_id,
    coalesce(sync_id, run_id) as sync_id,
    subscriptions_in_scope,
    api_version
from spooled_fetches
left join named_fetches using (feed, subscription_id)
left join previous_fetches using (subscription_id)
left join answered_fetches using (subscription_id);
