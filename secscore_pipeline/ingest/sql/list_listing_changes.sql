-- One row: one subscription that a run's listing has otherwise than the listing before, and how.
select
    subscriptions.subscription_id,
    coalesce(subscriptions.record, previous.record) ->> '$.displayName' as name,
    case
        when subscriptions.record is null then 'no_longer_listed'
        when previous.subscription_version_id is null then 'appeared'
        when previous.record is null then 'returned'
        else 'changed'
    end as change
from raw.subscriptions as subscriptions
join raw.listings as listings using (listing_id)
left join raw.subscriptions as previous
    on previous.feed = subscriptions.feed
    and previous.subscription_id = subscriptions.subscription_id
    and previous.subscription_version_id < subscriptions.subscription_version_id
where listings.run_id = $run_id
    and listings.feed = $feed
qualify row_number() over (
    partition by subscriptions.subscription_version_id order by previous.subscription_version_id desc
) = 1
order by change, name;
