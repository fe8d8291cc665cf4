"""Finds a secret in bytes, in whatever encoding it travelled."""

import base64
import html
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote_to_bytes

import duckdb

_LONGEST_HIDDEN = 12
"""A secret may be cut where it is shown: a part of so many bytes at a fixed place counts as the secret."""

_ESCAPED = re.compile(rb"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\(.)", re.DOTALL)
_LINE_ENDS = re.compile(rb"\s*[\r\n]+\s*")


def find_secret(data: bytes, secret: str) -> set[str]:
    r"""Return the encodings in which a secret, or a part of it, is in `data`; empty where it is not there.

    They are `plain`, `percent`, `form` (a blank as a plus), `escaped` (JSON's, Python's and terminals' backslashes),
    `html`, `utf-16`, `base64` and `base64url`; two after one another are joined, as in `html in percent`. Line ends and
    the blanks around them do not hide anything: terminals and mail fold lines.

    >>> sorted(find_secret(b"client_secret=a%2fb%2Fc%3d1", "a/b/c=1"))
    ['form', 'percent']
    """
    parts = _parts(secret.encode())
    found = set()
    for name, decoded in _decoded(data):
        if any(part in decoded for part in parts):
            found.add(name)
    for name, needles in _base64_parts(secret.encode()).items():
        for where, decoded in _decoded(data):
            if any(needle in decoded for needle in needles):
                found.add(name if where == "plain" else f"{name} in {where}")
    return found


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "percent-lower": lambda text: re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(text, safe="")),
    "percent-all": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "form": quote_plus,
    "json": lambda text: json.dumps(text)[1:-1],
    "json-all": lambda text: "".join(f"\\u{ord(character):04x}" for character in text),
    "html": html.escape,
    "html-all": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-1": lambda text: base64.b64encode(b":" + text.encode()).decode(),
    "base64-2": lambda text: base64.b64encode(b"me:" + text.encode() + b"!")[:-1].decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
}
"""The ways a server may write a secret that it sends back, by name."""


def _parts(secret: bytes) -> list[bytes]:
    """Return the parts of a secret, end to end, of which one alone gives it away."""
    if len(secret) < 2 * _LONGEST_HIDDEN:
        return [secret]
    starts = range(0, len(secret) - _LONGEST_HIDDEN + 1, _LONGEST_HIDDEN)
    return [secret[start : start + _LONGEST_HIDDEN] for start in starts]


def _decoded(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the data as it is, and as what it decodes to once and twice."""
    joined = _LINE_ENDS.sub(b"", data)
    yield "plain", data
    if joined != data:
        yield "plain", joined
    for name, decode in _DECODERS.items():
        once = decode(joined)
        if once == joined:
            continue
        yield name, once
        for inner, decode_again in _DECODERS.items():
            if inner != name and (twice := decode_again(once)) != once:
                yield f"{inner} in {name}", twice


def _unescape(data: bytes) -> bytes:
    def plain(found: re.Match[bytes]) -> bytes:
        digits = found[1] or found[2]
        if not digits:
            return found[3]
        number = int(digits, 16)
        if found[2]:
            return bytes([number])
        return chr(number).encode("utf-8", "surrogatepass")

    return _ESCAPED.sub(plain, data) if b"\\" in data else data


def _unescape_html(data: bytes) -> bytes:
    return html.unescape(data.decode("latin-1")).encode("latin-1", "replace") if b"&" in data else data


def _without_zeros(data: bytes) -> bytes:
    return data.replace(b"\0", b"") if re.search(rb"(?:[\x20-\x7e]\0){8}", data) else data


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "percent": lambda data: unquote_to_bytes(data) if b"%" in data else data,
    "form": lambda data: unquote_to_bytes(data.replace(b"+", b" ")) if b"%" in data or b"+" in data else data,
    "escaped": _unescape,
    "html": _unescape_html,
    "utf-16": _without_zeros,
}


def _base64_parts(secret: bytes) -> dict[str, list[bytes]]:
    """Return what a secret looks like inside base64, at each of the three places it can begin at in a group."""
    found: dict[str, list[bytes]] = {"base64": [], "base64url": []}
    for before in range(3):
        whole = secret[-before % 3 :] if before else secret
        whole = whole[: len(whole) // 3 * 3]
        plain = base64.b64encode(whole)
        for part in _parts(plain):
            found["base64"].append(part)
            other = part.translate(bytes.maketrans(b"+/", b"-_"))
            if other != part:
                found["base64url"].append(other)
    return found


def written(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield every byte of every file below a folder, and the rows of every database among them as text."""
    for file in folder.rglob("*"):
        if not file.is_file():
            continue
        yield file, file.read_bytes()
        if file.suffix == ".duckdb":
            with duckdb.connect(str(file), read_only=True) as connection:
                tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
                for schema, table in tables:
                    rows = connection.execute(f'select to_json(t)::varchar from {schema}."{table}" as t').fetchall()
                    yield file, "\n".join(row for (row,) in rows).encode()
        if file.suffix in (".db", ".sqlite"):
            with sqlite3.connect(file) as connection:
                yield file, "\n".join(connection.iterdump()).encode()
            connection.close()
