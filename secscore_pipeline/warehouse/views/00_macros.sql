-- A finding's numbers as one text, to tell whether the next ones differ.
create or replace macro ocsf.numbers_of(a, b, c, d, e, f, g, h) as
    concat_ws('|', coalesce(cast(a as varchar), ''), coalesce(cast(b as varchar), ''), coalesce(cast(c as varchar), ''),
        coalesce(cast(d as varchar), ''), coalesce(cast(e as varchar), ''), coalesce(cast(f as varchar), ''),
        coalesce(cast(g as varchar), ''), coalesce(cast(h as varchar), ''));
