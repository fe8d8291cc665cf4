"""What tests of the local Azure share: a reader of its lists."""

import pytest

from secscore_pipeline_tests.emulator.test_emulator import get, token_of

SECURITY = "/providers/Microsoft.Security"


class Reader:
    """Reads lists of a local Azure, following each nextLink."""

    def __init__(self, azure):
        self.azure = azure
        self.token = token_of(azure).json()["access_token"]

    def get(self, path, version="2020-01-01", **parameters):
        return get(self.azure, path, self.token, **{"api-version": version}, **parameters)

    def pages(self, path, version="2020-01-01", **parameters):
        body = self.get(path, version, **parameters).json()
        yield body
        while "nextLink" in body:
            body = get(self.azure, body["nextLink"].removeprefix(self.azure.url), self.token).json()
            yield body

    def rows(self, path, version="2020-01-01", **parameters):
        return [row for page in self.pages(path, version, **parameters) for row in page["value"]]

    def assessments(self, subscription_id, version="2020-01-01"):
        return self.rows(f"/subscriptions/{subscription_id}{SECURITY}/assessments", version)

    def controls(self, subscription_id):
        path = f"/subscriptions/{subscription_id}{SECURITY}/secureScoreControls"
        return self.rows(path, **{"$expand": "definition"})

    def metadata(self, scope="", version="2020-01-01"):
        return self.rows(f"{scope}{SECURITY}/assessmentMetadata", version)


@pytest.fixture
def read(local_azure):
    return lambda *given, **options: Reader(local_azure(*given, **options))
