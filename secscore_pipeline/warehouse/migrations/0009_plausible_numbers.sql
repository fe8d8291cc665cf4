-- Numbers that no secure score has, and that sums and ratios of views cannot take: they count as absent from now on. The
-- records keep them. Macros come with the views, after the migrations.
update ocsf.states
set
    "current" = if(abs("current") <= 1e12 and ("current" = 0 or abs("current") >= 1e-9), "current", null),
    "max" = if(abs("max") <= 1e12 and ("max" = 0 or abs("max") >= 1e-9), "max", null),
    percentage = if(abs(percentage) <= 1e12 and (percentage = 0 or abs(percentage) >= 1e-9), percentage, null),
    weight = if(abs(cast(weight as double)) <= 1e12, weight, null),
    healthy = if(abs(cast(healthy as double)) <= 1e12, healthy, null),
    unhealthy = if(abs(cast(unhealthy as double)) <= 1e12, unhealthy, null),
    not_applicable = if(abs(cast(not_applicable as double)) <= 1e12, not_applicable, null)
where greatest(
        abs("current"), abs("max"), abs(percentage), abs(cast(weight as double)), abs(cast(healthy as double)),
        abs(cast(unhealthy as double)), abs(cast(not_applicable as double))
    ) > 1e12
    or ("current" <> 0 and abs("current") < 1e-9)
    or ("max" <> 0 and abs("max") < 1e-9)
    or (percentage <> 0 and abs(percentage) < 1e-9);
