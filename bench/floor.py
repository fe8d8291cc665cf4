"""The floor: the same pages as a sync reads, fetched by a bare `requests` session in threads, and thrown away."""

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

CONNECTIONS = int(os.environ["PEER_CONNECTIONS"])
ARM = os.environ["SECSCORE_ARM_ENDPOINT"]
LISTS = json.loads(os.environ["PEER_LISTS"])
NEXT_LINK = re.compile(rb'"nextLink":"([^"]+)"')


def open_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = os.environ["SECSCORE_CA_BUNDLE"]
    # A connection that was idle for long may be closed by the other side just when it is used again.
    session.mount("https://", HTTPAdapter(2, CONNECTIONS, max_retries=Retry(3)))
    answer = session.post(
        f"{os.environ['AZURE_AUTHORITY_HOST']}/{os.environ['AZURE_TENANT_ID']}/oauth2/v2.0/token",
        data={
            "client_id": os.environ["AZURE_CLIENT_ID"],
            "client_secret": os.environ["AZURE_CLIENT_SECRET"],
            "grant_type": "client_credentials",
            "scope": f"{ARM}/.default",
        },
    )
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return session


def read_pages(session: requests.Session, url: str | None) -> Iterator[bytes]:
    while url:
        answer = session.get(url)
        answer.raise_for_status()
        yield answer.content
        following = NEXT_LINK.search(answer.content)
        url = following[1].decode() if following else None


def main() -> None:
    session = open_session()
    pages = read_pages(session, f"{ARM}/subscriptions?api-version=2022-12-01")
    subscriptions = [listed["subscriptionId"] for page in pages for listed in json.loads(page)["value"]]
    urls = [
        f"{ARM}/subscriptions/{subscription}/providers/Microsoft.Security/{collection}?{urlencode(params)}"
        for subscription in subscriptions
        for collection, params in LISTS.items()
    ]
    with ThreadPoolExecutor(CONNECTIONS) as executor:
        sizes = list(executor.map(lambda url: [len(page) for page in read_pages(session, url)], urls))
    print(sum(map(len, sizes)), "pages,", sum(map(sum, sizes)), "bytes")


if __name__ == "__main__":
    main()
