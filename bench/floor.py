"""The floor: the same pages as a sync reads, fetched by a bare `requests` session in threads, and thrown away."""

import os
from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter

CONNECTIONS = int(os.environ["PEER_CONNECTIONS"])
ARM = os.environ["SECSCORE_ARM_ENDPOINT"]
LISTS = ("secureScoreControls?api-version=2020-01-01&$expand=definition", "secureScores?api-version=2020-01-01")


def main() -> None:
    session = requests.Session()
    session.trust_env = False
    session.verify = os.environ["SECSCORE_CA_BUNDLE"]
    session.mount("https://", HTTPAdapter(pool_connections=2, pool_maxsize=CONNECTIONS))
    token = session.post(
        f"{os.environ['AZURE_AUTHORITY_HOST']}/{os.environ['AZURE_TENANT_ID']}/oauth2/v2.0/token",
        data={
            "client_id": os.environ["AZURE_CLIENT_ID"],
            "client_secret": os.environ["AZURE_CLIENT_SECRET"],
            "grant_type": "client_credentials",
            "scope": f"{ARM}/.default",
        },
    ).json()["access_token"]

    def read(url: str) -> int:
        answer = session.get(url, headers={"Authorization": f"Bearer {token}"})
        answer.raise_for_status()
        return len(answer.content)

    subscriptions = os.environ["AZURE_SUBSCRIPTION_IDS"].split(",")
    urls = [f"{ARM}/subscriptions/{one}/providers/Microsoft.Security/{path}" for path in LISTS for one in subscriptions]
    with ThreadPoolExecutor(CONNECTIONS) as executor:
        print(len(urls), "pages,", sum(executor.map(read, urls)), "bytes")


if __name__ == "__main__":
    main()
