-- One row: one subscription that could not be read last, or has days without a complete fetch; what was lost first. One
-- without any complete fetch misses no day, and says for how many days (UTC) it could not be read. What failed last comes
-- with its outcome, and with what Azure answered.
select
    coverage.tenant_id,
    coverage.subscription_id,
    coverage.subscription_name as name,
    string_agg(distinct coverage.event_type, ', ' order by coverage.event_type) as event_types,
    max_by(coverage.last_outcome, coverage.last_fetch_at) as last_outcome,
    max(coverage.last_complete_at) as last_complete_at,
    max_by(
        {
            'outcome': failures.outcome,
            'http_status': failures.http_status,
            'error_code': failures.error_code,
            'error': coverage.last_failure
        },
        coverage.last_failure_at
    ) filter (where failures.outcome is not null) as last_failure,
    max(coverage.days_missed) as days_missed,
    max(cast($made_on as date) - internal.day_of(coverage.since) + 1) as days_unreadable
from posture.coverage as coverage
left join raw.fetches as failures
    on failures.subscription_id = coverage.subscription_id
    and failures.event_type = coverage.event_type
    and failures.observed_at = coverage.last_failure_at
    and failures.error = coverage.last_failure
where coverage.is_in_scope
    and (internal.read_result_of(coverage.last_outcome) = 'not_read' or coverage.days_missed > 0)
group by coverage.tenant_id, coverage.subscription_id, coverage.subscription_name
order by
    max(internal.read_result_of(coverage.last_outcome) = 'not_read') desc,
    max(coverage.last_complete_at) is null desc,
    days_missed desc,
    name;
