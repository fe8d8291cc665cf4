"""The same reading with Microsoft's own client: azure-mgmt-security in threads, pandas, into DuckDB.

It has the form that a profile leads to: all clients share one pool of connections, and records are taken from the body
of each answer, since making them again of the client's typed objects takes longer.
"""

import json
import os
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pandas
import requests
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientSecretCredential
from azure.mgmt.security import SecurityCenter
from requests.adapters import HTTPAdapter

CONNECTIONS = int(os.environ["PEER_CONNECTIONS"])
ARM = os.environ["SECSCORE_ARM_ENDPOINT"]
BUNDLE = os.environ["SECSCORE_CA_BUNDLE"]
SCOPE = f"{ARM}/.default"
LISTS = json.loads(os.environ["PEER_LISTS"])

READERS = {
    "secureScores": lambda client, _, **options: client.secure_scores.list(**options),
    "secureScoreControls": lambda client, _, **options: client.secure_score_controls.list("definition", **options),
    "assessments": lambda client, subscription, **options: client.assessments.list(subscription, **options),
}


class SharedTransport(RequestsTransport):
    """One pool of connections for the clients of all subscriptions, which close theirs."""

    def close(self):
        pass


def list_subscriptions(session, credential):
    headers = {"Authorization": f"Bearer {credential.get_token(SCOPE).token}"}
    url = f"{ARM}/subscriptions?api-version=2022-12-01"
    while url:
        page = session.get(url, headers=headers, verify=BUNDLE).json()
        yield from (subscription["subscriptionId"] for subscription in page["value"])
        url = page.get("nextLink")


def main(folder):
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", HTTPAdapter(pool_connections=2, pool_maxsize=CONNECTIONS))
    transport = SharedTransport(session=session, session_owner=False, connection_verify=BUNDLE)
    credential = ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"],
        authority=os.environ["AZURE_AUTHORITY_HOST"], disable_instance_discovery=True, connection_verify=BUNDLE,
    )  # fmt: skip
    found = defaultdict(list)

    def read(subscription_id):
        client = SecurityCenter(
            credential, subscription_id, base_url=ARM, credential_scopes=[SCOPE], transport=transport
        )
        for collection in LISTS:

            def keep(answer, collection=collection):
                found[collection].extend(json.loads(answer.http_response.body())["value"])

            pages = READERS[collection](client, f"subscriptions/{subscription_id}", raw_response_hook=keep)
            for _ in pages.by_page():
                pass  # the hook has its records

    with ThreadPoolExecutor(CONNECTIONS) as executor:
        for _ in executor.map(read, list_subscriptions(session, credential)):
            pass  # an error is raised here
    with duckdb.connect(folder / "peer.duckdb") as connection:
        for collection, records in found.items():
            connection.register("frame", pandas.json_normalize(records))
            connection.execute(f'create table "{collection}" as from frame').fetchall()
            print(collection, connection.execute(f'select count(*) from "{collection}"').fetchall()[0][0])


main(Path(sys.argv[1]))
