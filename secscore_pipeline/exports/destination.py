"""Where exports go: a folder, or a URL of any file system that fsspec knows."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import fsspec.core
from fsspec.implementations.local import LocalFileSystem

from secscore_pipeline.system.redaction import quote_answer
from secscore_pipeline.text import printable, secrets_of_url, show_url
from secscore_pipeline.warehouse.connection import scratch_folder
from secscore_pipeline.warehouse.errors import WarehouseError


class Destination:
    """A folder that files are put into, each whole or not at all; a local one is for its owner alone.

    Args:
        url: a path, or a URL such as s3://bucket/folder or abfss://container@account/folder.

    Raises:
        WarehouseError: fsspec does not know the URL, or lacks the package for it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.label = show_url(url)
        with self._explain_errors():
            self._fs, self._root = fsspec.core.url_to_fs(os.path.expanduser(url))  # noqa: PTH111 - a URL is no path
        self.is_local = isinstance(self._fs, LocalFileSystem)

    @contextmanager
    def scratch_folder(self, otherwise: Path) -> Iterator[Path]:
        """Make a private folder for files on their way, which goes when the block ends.

        It is in `_secscore` of a local destination, which readers of Hive's layout pass over, so that findings lie
        nowhere else; what a killed process left there goes first.

        Args:
            otherwise: the path beside which it is made where the destination is no folder of this machine.

        Raises:
            WarehouseError: it cannot be made.
        """
        beside = Path(self._root) / "_secscore" / "export" if self.is_local else otherwise
        with self._explain_errors():
            beside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with scratch_folder(beside) as folder:
            yield folder

    def put(self, local: Path, name: str) -> None:
        """Put a file there under a name, in place of what had that name.

        Raises:
            WarehouseError: it cannot be written, or the name leads out of the destination.
        """
        if PurePosixPath(name).is_absolute() or ".." in name.split("/") or not name.isprintable():
            what = f"{printable(name)} leads out of {self.label}: nothing was written there."
            raise WarehouseError(what, "export-outside")
        target = f"{self._root.rstrip('/')}/{name}"
        with self._explain_errors():
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
        with self._explain_errors():
            try:
                return bytes(self._fs.cat_file(f"{self._root.rstrip('/')}/{name}"))
            except FileNotFoundError:
                return None

    def has(self, name: str) -> bool:
        """Return whether there is a file or folder of a name."""
        with self._explain_errors():
            return bool(self._fs.exists(f"{self._root.rstrip('/')}/{name}"))

    def read_known_units(self, name: str) -> dict[str, str] | None:
        """Return what a list of units there says; None where there is none, or it is torn or of something else."""
        content = self.read(name)
        try:
            found = json.loads(content or b"null")
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except WarehouseError:
            raise
        except Exception as error:  # every file system of fsspec has errors of its own
            # A URL that was cut in the wrong place has parts of its password where nobody expects one.
            parts = [part for part in re.split(r"[/:@?&=;#]", self.url) if len(part) > 3 and part not in self.label]
            hidden = (self.url, *secrets_of_url(self.url), *parts)
            why = quote_answer(str(error), *hidden, length=200) or type(error).__name__
            raise WarehouseError(f"{self.label} could not be written or read ({why}).", "export-unwritable") from error
