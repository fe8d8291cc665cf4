"""The same reading with Microsoft's own client: azure-mgmt-security in threads, pandas, into DuckDB."""

import os
import sys
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


class SharedTransport(RequestsTransport):
    """One pool of connections for the clients of all subscriptions, which close theirs."""

    def close(self):
        pass


def main(folder):
    session = requests.Session()
    session.mount("https://", HTTPAdapter(pool_connections=2, pool_maxsize=CONNECTIONS))
    transport = SharedTransport(session=session, session_owner=False, connection_verify=BUNDLE)
    credential = ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"],
        authority=os.environ["AZURE_AUTHORITY_HOST"], disable_instance_discovery=True, connection_verify=BUNDLE,
    )  # fmt: skip
    credential.get_token(f"{ARM}/.default")

    def read(subscription_id):
        client = SecurityCenter(
            credential, subscription_id, base_url=ARM, credential_scopes=[f"{ARM}/.default"], transport=transport
        )
        scores = [score.as_dict() for score in client.secure_scores.list()]
        controls = [control.as_dict() for control in client.secure_score_controls.list(expand="definition")]
        return scores, controls

    with ThreadPoolExecutor(CONNECTIONS) as executor:
        found = list(executor.map(read, os.environ["AZURE_SUBSCRIPTION_IDS"].split(",")))
    with duckdb.connect(folder / "peer.duckdb") as connection:
        for table, place in (("secure_scores", 0), ("secure_score_controls", 1)):
            connection.register("frame", pandas.json_normalize([one for records in found for one in records[place]]))
            connection.execute(f"create table {table} as from frame").fetchall()
            print(table, connection.execute(f"select count(*) from {table}").fetchall()[0][0])


main(Path(sys.argv[1]))
