"""A local Azure: Entra and Azure Resource Manager over TLS on loopback, for the demo, tests and benchmarks.

It is written from Microsoft's specification, examples and recordings, not from this project's client, and shares
nothing with it but the api-version. What it had to infer, since nobody has published it: where a page ends (real
pages of these lists were never seen to end), the answer to an unknown `$expand` (ignored), the answer to an unknown
score name (the text known for `ascScore`), how `x-ms-ratelimit-remaining-subscription-resource-requests` counts
down (it does not here), and the end of the scope in the text of a 403. Of recommendations: `$expand` on the list (no
specification has it: ignored), the text for an assessment or metadata that is not there, which rows have dates, risk
and details of the resource (some, as in recordings), and what `risk` holds.
"""
