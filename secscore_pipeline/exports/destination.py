"""Where exports go: a folder, or a URL of any file system that fsspec knows."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import fsspec.core
from fsspec.implementations.local import LocalFileSystem

from secscore_pipeline.shown import quoted
from secscore_pipeline.warehouse.connection import WarehouseError


class Destination:
    """A folder that files are put into, each whole or not at all; a local one is for its owner alone.

    Args:
        url: a path, or a URL such as s3://bucket/folder or abfss://container@account/folder.

    Raises:
        WarehouseError: fsspec does not know the URL, or lacks the package for it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.shown = _without_secrets(url)
        with self._explained():
            self._fs, self._root = fsspec.core.url_to_fs(os.path.expanduser(url))  # noqa: PTH111 - a URL is no path
        self.is_local = isinstance(self._fs, LocalFileSystem)

    def put(self, local: Path, name: str) -> None:
        """Put a file there under a name, in place of what had that name."""
        target = f"{self._root.rstrip('/')}/{name}"
        with self._explained():
            if not self.is_local:
                # An object store makes an object visible when all of it has arrived.
                self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._fs.put_file(str(local), target)
                return
            path = Path(target)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.new")
            new.unlink(missing_ok=True)
            new.touch(mode=0o600)
            shutil.copyfile(local, new)
            new.replace(path)

    def read(self, name: str) -> bytes | None:
        """Return what a file there holds; None where there is none."""
        with self._explained():
            try:
                return bytes(self._fs.cat_file(f"{self._root.rstrip('/')}/{name}"))
            except FileNotFoundError:
                return None

    def known(self, name: str) -> dict[str, str]:
        """Return what a list of units there says; one that is torn or of something else counts as none."""
        held = self.read(name)
        try:
            found = json.loads(held or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except WarehouseError:
            raise
        except Exception as error:  # every file system of fsspec has errors of its own
            why = quoted(str(error), self.url, length=200) or type(error).__name__
            raise WarehouseError(f"{self.shown} could not be written or read ({why}).", "export-unwritable") from error


def _without_secrets(url: str) -> str:
    """Return a URL without the user, the password and the query that it may hold."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    host = parts.netloc if parts.password is None else parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
