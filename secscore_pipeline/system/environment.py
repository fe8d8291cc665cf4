"""Variables of the environment that are other ones for a while."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def changed_environment(values: Mapping[str, str], unset: Iterable[str] = ()) -> Iterator[None]:
    """Set variables of the environment for a block, and have others missing there; afterwards all are as before.

    Args:
        values: by name.
        unset: the names of variables that are not there in the block, where `values` does not have them.
    """
    before = {name: os.environ.pop(name, None) for name in {*values, *unset}}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, text in before.items():
            os.environ.pop(name, None)
            if text is not None:
                os.environ[name] = text
