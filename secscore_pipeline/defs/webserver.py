"""Dagster's UI for its own pages only: another site's page in the same browser can neither read it nor start a run.

The UI has no login. Checked before anything reaches Dagster are the name that the browser was given (`Host`; a foreign
name that leads here is DNS rebinding), the page it is from (`Origin`), and that whatever may change something is a POST
with JSON, which no page can send to another site without that site's consent.
"""

import socket
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.ui_hosts import PORTS, read_ui_hosts
from secscore_pipeline.errors import explain

_SHUTDOWN_SECONDS = 1


class OwnOriginOnly:
    """Passes on requests that are meant for this UI, and refuses the others with a sentence.

    Args:
        app: what answers the requests that are passed on.
        hosts: the names, with their ports, under which the UI is reached.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a websocket's upgrade."""
        refused = None if scope["type"] == "lifespan" else self._refusal(scope)
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refused})  # uvicorn answers it with 403
        else:
            await PlainTextResponse(f"{refused}\n", status_code=403)(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        """Return why a request is not for this UI; None where it is."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return "This UI is not reached under that name: SECSCORE_UI_HOSTS names those that it answers to."
        if origins and not (len(origins) == 1 and self._is_own(origins[0])):
            return "A page of another site asked: this UI answers to its own pages only."
        if scope["type"] == "websocket":
            return None
        if scope["method"] in ("GET", "HEAD"):
            if scope["path"].rstrip("/").endswith("/graphql") and scope["query_string"]:
                return "GraphQL is asked by POST with a body of JSON."
            return None
        kinds = headers.getlist("content-type")
        if scope["method"] != "POST" or len(kinds) != 1 or _media_type(kinds[0]) != "application/json":
            return "What may change something is a POST with a body of JSON (Content-Type: application/json)."
        return None

    def _is_own(self, origin: str) -> bool:
        parts = urlsplit(origin)
        if parts.scheme not in PORTS or origin.lower() != f"{parts.scheme}://{parts.netloc}".lower():
            return False
        return parts.netloc.lower() in self._hosts


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def refuse_taken_port(host: str, port: int) -> None:
    """Make sure that the UI can listen on a port.

    Raises:
        SettingsError: something else listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen(1)
        except OSError as error:
            what = f"The UI cannot listen on {host}, port {port} ({error.strerror})."
            raise SettingsError([explain(what, "port-taken")]) from error


def serve_ui(workspace: Path, host: str, port: int) -> None:
    """Serve Dagster's UI until the process gets a signal to end.

    Args:
        workspace: the file that names the code location.
        host: the address to listen on.
        port: the port to listen on.

    Raises:
        SettingsError: the port is taken, or SECSCORE_UI_HOSTS is malformed.
    """
    from secscore_pipeline.defs.dagster_internals import webserver_app

    hosts = read_ui_hosts(port)
    refuse_taken_port(host, port)
    with webserver_app(workspace) as app:
        uvicorn.run(
            OwnOriginOnly(app, hosts),
            host=host,
            port=port,
            log_level="warning",
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
