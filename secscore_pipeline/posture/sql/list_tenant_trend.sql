-- One row: one day's weighted score (0..100) over all tenants, by Microsoft's formula, oldest first.
select day, 100 * posture.weighted(percentage, weight) as percent
from posture.tenant_score
where lower(score) = 'ascscore'
group by day
order by day;
