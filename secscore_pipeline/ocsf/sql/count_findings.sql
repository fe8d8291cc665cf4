-- One row: how many events there are.
select internal.count_findings() as findings;
