"""The same reading with dlt: its `rest_api` source, subscriptions in parallel, into DuckDB."""

import os
import sys
from pathlib import Path

import dlt
from dlt.sources.rest_api import rest_api_resources

CONNECTIONS = int(os.environ["PEER_CONNECTIONS"])
os.environ |= {
    "EXTRACT__WORKERS": str(CONNECTIONS),
    "EXTRACT__MAX_PARALLEL_ITEMS": str(2 * CONNECTIONS),
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "REQUESTS_CA_BUNDLE": os.environ["SECSCORE_CA_BUNDLE"],
}
ARM = os.environ["SECSCORE_ARM_ENDPOINT"]


@dlt.resource(name="subscriptions")
def subscriptions():
    """Yield each as a page of its own: a page is one thread's work."""
    for subscription_id in os.environ["AZURE_SUBSCRIPTION_IDS"].split(","):
        yield [{"id": subscription_id}]


def listed(name, collection, **params):
    """Return a list of the API as the `rest_api` source describes one."""
    return {
        "name": name,
        "parallelized": True,
        "endpoint": {
            "path": f"subscriptions/{{resources.subscriptions.id}}/providers/Microsoft.Security/{collection}",
            "params": {"api-version": "2020-01-01", **params},
            "data_selector": "value",
            "paginator": {"type": "json_link", "next_url_path": "nextLink"},
        },
    }


@dlt.source
def azure():
    yield from rest_api_resources(
        {
            "client": {
                "base_url": ARM,
                "auth": {
                    "type": "oauth2_client_credentials",
                    "access_token_url": f"{os.environ['AZURE_AUTHORITY_HOST']}/{os.environ['AZURE_TENANT_ID']}"
                    "/oauth2/v2.0/token",
                    "client_id": os.environ["AZURE_CLIENT_ID"],
                    "client_secret": os.environ["AZURE_CLIENT_SECRET"],
                    "access_token_request_data": {"scope": f"{ARM}/.default", "grant_type": "client_credentials"},
                },
            },
            "resources": [
                subscriptions,
                listed("secure_scores", "secureScores"),
                listed("secure_score_controls", "secureScoreControls", **{"$expand": "definition"}),
            ],
        }
    )


def main(folder):
    pipeline = dlt.pipeline(
        "peer",
        pipelines_dir=str(folder / "dlt"),
        destination=dlt.destinations.duckdb(str(folder / "peer.duckdb")),
        dataset_name="azure",
    )
    pipeline.run(azure())
    with pipeline.sql_client() as client:
        for table in ("secure_scores", "secure_score_controls"):
            print(table, client.execute_sql(f"select count(*) from {table}")[0][0])


main(Path(sys.argv[1]))
