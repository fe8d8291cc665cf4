"""Faults that the local Azure can make: which requests they strike, and what goes wrong with those."""

import asyncio
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.responses import JSONResponse, Response


class Kind(StrEnum):
    """What goes wrong."""

    STATUS = "status"  # answered with `status`, `headers` and `body`
    RESET = "reset"  # the connection is torn down, no byte is sent
    HANDSHAKE = "handshake"  # a new connection is closed before TLS is agreed on; `path` does not count
    STALL = "stall"  # the answer stops after `position` bytes and nothing more comes
    CUT = "cut"  # the connection is closed after `position` bytes of the body
    ECHO = "echo"  # answered with `status` and the request's own headers, as a debugging proxy does
    GZIP = "gzip"  # said to be compressed, and is not
    SLOW = "slow"  # answered as it would be, after `seconds`
    EMPTY = "empty"  # a page without items, whose nextLink leads to the same page, which a later request gets
    REPEAT = "repeat"  # a page whose nextLink leads to that page again
    TRAIL = "trail"  # the last page has a nextLink, which leads to a page without items


_READ: dict[str, Callable[[str], object]] = {
    "path": str,
    "share": float,
    "times": int,
    "status": int,
    "position": int,
    "seconds": float,
    "seed": int,
    "body": str.encode,
}
"""What can be said of a fault in a line of text, and how each is read."""

_PAGE_KINDS = {Kind.EMPTY, Kind.REPEAT, Kind.TRAIL}

_LAST = "_multiCloud"
"""What the link to a last page without items says: reported of assessments, for resources of other clouds."""


@dataclass
class Fault:
    """One fault and the requests it strikes.

    Attributes:
        kind: what goes wrong.
        path: strikes where this regular expression is found in the path, in any case; a subscription's id and
            the kind of record are parts of the path, and so is `oauth2` of a sign-in.
        share: the share of those requests that are struck, 0..1, by a seeded dice.
        times: strike no more often than this; None has no end.
        status, headers, body: the answer, for STATUS.
        position: bytes of the body that still arrive, for STALL and CUT.
        seconds: how long the answer takes, for SLOW.
    """

    kind: Kind
    path: str = ""
    share: float = 1.0
    times: int | None = None
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    position: int = 0
    seconds: float = 0.0
    seed: int = 1
    struck: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 - a simulation

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Make a fault from a line like `status:status=429,retry_after=1,share=0.05` or `cut:position=100,times=3`.

        Raises:
            ValueError: says which part is not understood.
        """
        kind, _, rest = text.partition(":")
        if kind not in list(Kind):
            raise ValueError(f"{kind!r} is no kind of fault. Use one of {', '.join(Kind)}.")
        values: dict[str, Any] = {}
        for part in filter(None, rest.split(",")):
            name, _, given = part.partition("=")
            if name == "retry_after":
                values["headers"] = {"retry-after": given}
            elif name in _READ:
                values[name] = _READ[name](given)
            else:
                raise ValueError(f"{part!r} is not understood. Use {', '.join(_READ)} or retry_after, each with =.")
        return cls(Kind(kind), **values)

    def strikes(self, path: str) -> bool:
        """Decide whether a request is struck, and count it."""
        if self.times is not None and self.struck >= self.times:
            return False
        if not re.search(self.path, path, re.IGNORECASE) or self._dice.random() >= self.share:
            return False
        self.struck += 1
        return True

    def _change_page(self, response: Response, scope: Any) -> Response:
        """Return a page of a list with another nextLink; what is no page stays as it is."""
        page = json.loads(bytes(response.body)) if response.status_code == 200 else {}
        if "value" not in page:
            return response
        query = scope["query_string"].decode("latin-1")
        parameters = dict(parse_qsl(query))
        host = dict(scope["headers"])[b"host"].decode("latin-1")
        url = f"https://{host}{quote(scope['path'])}"
        if self.kind is Kind.EMPTY:
            link = urlencode({**parameters, "NextLink": f"_empty{self.struck}"})
            page = {"value": [], "nextLink": f"{url}?{link}"}
        elif self.kind is Kind.REPEAT:
            page["nextLink"] = f"{url}?{query}"
        elif parameters.get("NextLink") == _LAST:
            page = {"value": []}
        elif "nextLink" not in page:
            page["nextLink"] = f"{url}?{urlencode({**parameters, 'NextLink': _LAST})}"
        return JSONResponse(page, headers={"cache-control": "no-cache"})

    async def spoil(self, response: Response, scope: Any, receive: Any, send: Any) -> None:
        """Send `response` the wrong way."""
        if self.kind is Kind.STATUS:
            await Response(self.body, self.status, self.headers)(scope, receive, send)
            return
        if self.kind is Kind.ECHO:
            sent = " ".join(f"{name.decode()}: {value.decode()}" for name, value in scope["headers"])
            message = {"error": {"code": "Echo", "message": f"You sent {sent}"}}
            await JSONResponse(message, self.status)(scope, receive, send)
            return
        if self.kind is Kind.RESET:
            send.__self__.transport.abort()  # uvicorn offers no other way to drop a connection
            return
        if self.kind is Kind.SLOW:
            await asyncio.sleep(self.seconds)
            await response(scope, receive, send)
            return
        if self.kind in _PAGE_KINDS:
            await self._change_page(response, scope)(scope, receive, send)
            return
        body = bytes(response.body)
        headers = [(name, value) for name, value in response.raw_headers if name != b"content-length"]
        if self.kind is Kind.GZIP:
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        if self.kind is Kind.GZIP:
            await send({"type": "http.response.body", "body": body})
            return
        await send({"type": "http.response.body", "body": body[: self.position], "more_body": True})
        if self.kind is Kind.STALL:
            await asyncio.Event().wait()
        send.__self__.transport.close()
