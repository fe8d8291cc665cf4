-- A finding's numbers as one text, to tell whether the next ones differ.
create or replace macro internal.numbers_of(a, b, c, d, e, f, g, h) as
    concat_ws('|', coalesce(cast(a as varchar), ''), coalesce(cast(b as varchar), ''), coalesce(cast(c as varchar), ''),
        coalesce(cast(d as varchar), ''), coalesce(cast(e as varchar), ''), coalesce(cast(f as varchar), ''),
        coalesce(cast(g as varchar), ''), coalesce(cast(h as varchar), ''));

-- The day of an instant, in UTC whatever the reader's time zone.
create or replace macro internal.day_of(moment) as cast(make_timestamp(epoch_us(moment)) as date);

-- The newest sync of which something is normalized: of one event type, or of either where `kind` is null.
create or replace macro internal.newest_sync(kind) as (
    select fetches.sync_id
    from raw.fetches as fetches
    join internal.normalized_fetches as normalized using (run_id, event_type)
    where kind is null
        or fetches.event_type = kind
    order by fetches.fetch_id desc
    limit 1
);

-- What the outcome of a fetch means for coverage: read, no_score, or not_read. Every count and every message has it from
-- here; in Python it is RESULTS of azure/errors.py.
create or replace macro internal.read_result_of(outcome) as
    case
        when outcome = 'complete' then 'read'
        when outcome in ('no_score', 'unsupported') then 'no_score'
        else 'not_read'
    end;

-- The one spelling of an id: a GUID (36 characters, of which the 9th and the 14th are hyphens) in lower case.
create or replace macro internal.spell_id(name) as
    if(length(name) = 36 and name[9] = '-' and name[14] = '-', lower(name), name);

-- The one spelling of a score's name: Azure Resource Manager compares names without regard to case, and writes this one
-- in more than one way. Every view has it from here.
create or replace macro internal.spell_score(name) as
    if(lower(name) = 'ascscore', 'ascScore', internal.spell_id(name));

-- The state of a resource in a recommendation: unhealthy, healthy, exempt, not_applicable, or unknown where Azure sent a
-- status that is none of these.
create or replace macro internal.state_of(status_code, cause) as
    case lower(status_code)
        when 'unhealthy' then 'unhealthy'
        when 'healthy' then 'healthy'
        when 'notapplicable' then if(lower(cause) = 'exempt', 'exempt', 'not_applicable')
        else 'unknown'
    end;

-- Why a subscription left the scope, as a clause; null where it did not.
create or replace macro internal.describe_departure(reason) as
    case reason
        when 'deleted' then 'the subscription was deleted'
        when 'disabled' then 'the subscription was disabled'
        when 'not_listed' then 'the subscription is no longer listed'
        when 'moved' then 'the subscription was moved out of the management group'
        when 'excluded' then 'the subscription was excluded by a setting'
        when 'unknown' then 'the subscription is no longer read'
    end;

-- 1 where a condition is met, else 0: to add up.
create or replace macro internal.counts_as(condition) as if(coalesce(condition, false), 1, 0);

-- The one spelling of a level: Low, Moderate, High …, whatever case Azure writes it in.
create or replace macro internal.spell_level(level) as upper(level[1]) || lower(level[2:]);

-- The type of an Azure resource by its id: the provider and each second name after it.
create or replace macro internal.resource_type_of(resource_id) as
    case
        when regexp_matches(resource_id, '/providers/[^/]+/[^/]+', 'i')
        then array_to_string(
            list_filter(
                string_split(string_split_regex(resource_id, '(?i)/providers/')[-1], '/'),
                lambda segment, place: place = 1 or place % 2 = 0
            ),
            '/'
        )
        when regexp_matches(resource_id, '^/subscriptions/[^/]+/resourceGroups/[^/]+/?$', 'i')
        then 'Microsoft.Resources/resourceGroups'
        when regexp_matches(resource_id, '^/subscriptions/[^/]+/?$', 'i')
        then 'Microsoft.Resources/subscriptions'
    end;

-- The resource group in the id of an Azure resource, lower case: Azure writes one group in more than one way.
create or replace macro internal.resource_group_of(resource_id) as
    nullif(lower(regexp_extract(resource_id, '/resourceGroups/([^/]+)', 1, 'i')), '');

-- A resource in the Azure portal; null where the cloud has no portal that is known, or the resource is not in Azure.
create or replace macro internal.portal_url_of(cloud_partition, tenant_id, resource_id) as
    case cloud_partition
        when 'AzureCloud' then 'https://portal.azure.com'
        when 'AzureUSGovernment' then 'https://portal.azure.us'
        when 'AzureChinaCloud' then 'https://portal.azure.cn'
    end || case when starts_with(lower(resource_id), '/subscriptions/') then '/#@' || tenant_id || '/resource' || resource_id end;

-- What is computed, rounded as Azure Resource Manager rounds what it computes: points to two digits, a percentage (0..1)
-- to four; without the digits that binary fractions leave, and never a negative zero.
create or replace macro internal.round_points(points) as round(points, 2) + 0;
create or replace macro internal.round_percentage(percentage) as round(percentage, 4) + 0;

-- A score in both forms: 0..1, as Azure has it, and 0..100, as people read it; null where nothing is scored.
create or replace macro internal.as_percent(percentage) as round(100 * round(percentage, 4), 2) + 0;
create or replace macro internal.percentage_of(points, points_max) as
    internal.round_percentage(points / nullif(points_max, 0));
create or replace macro internal.percent_of(points, points_max) as internal.as_percent(points / nullif(points_max, 0));

-- Whether a number can be one of a secure score: sums and ratios of any others like it stay finite.
create or replace macro internal.is_plausible(number) as
    abs(number) <= 1e12 and (number = 0 or abs(number) >= 1e-9);

-- The highest number that a fetch has, or a change of the scope, which has three: one an event type with findings.
create or replace macro internal.last_fetch_id() as (
    select greatest(
        coalesce((select max(fetches.fetch_id) from raw.fetches as fetches), 0),
        coalesce((select max(changes.fetch_id) + 2 from raw.scope_changes as changes), 0)
    )
);
