"""Where alerts go in these tests."""

from collections.abc import Iterator

import pytest

from testbed.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


elsewhere = receiver
