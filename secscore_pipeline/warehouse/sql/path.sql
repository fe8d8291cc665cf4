-- One row: one day's weighted score (0..100) over all tenants, by Microsoft's formula, oldest first.
select day, 100 * sum(fraction * weight) / nullif(sum(weight), 0) as percentage
from posture.tenant_score
where lower(score) = 'ascscore'
group by day
order by day;
