"""Serves the local Azure over TLS on loopback, in a thread of the calling process."""

import asyncio
import contextlib
import re
import secrets
import socket
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn
from starlette.responses import JSONResponse, Response

from secscore_pipeline.emulator.arm import Arm
from secscore_pipeline.emulator.entra import APP_SERVICE, IMDS, Entra
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.limits import Limit
from secscore_pipeline.emulator.tls import write_certificates
from secscore_pipeline.emulator.world import Application, World

_CONFIGURATION = re.compile(r"/([^/]+)/v2\.0/\.well-known/openid-configuration")
_TOKEN = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
_START_SECONDS = 20


class _Door(socket.socket):
    """A listening socket that can turn a client away before TLS is agreed on."""

    faults: list[Fault]

    def accept(self) -> tuple[socket.socket, Any]:
        connection, address = super().accept()
        if any(fault.kind is Kind.HANDSHAKE and fault.strikes("") for fault in self.faults):
            connection.close()
            raise ConnectionAbortedError  # asyncio goes on to the next client
        return connection, address


class _Server(uvicorn.Server):
    """A server that signals when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A polite close of TLS waits half a minute for each client that keeps its connection open.
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await super().shutdown(sockets)


class LocalAzure:
    """A running local Azure; use it as a context manager.

    >>> with LocalAzure(World()) as azure:  # doctest: +SKIP
    ...     settings = azure.settings()

    Args:
        world: the tenant that it simulates.
        latency: seconds before each answer of ARM.
        page_size: items on a page of ARM's lists; None puts all on one.
        token_lifetime: seconds a token is good for.
        port: 0 lets the system choose.
        limit: of how many requests an identity may make of ARM; None for no limit.
    """

    def __init__(
        self,
        world: World,
        *,
        latency: float = 0.0,
        page_size: int | None = None,
        token_lifetime: int = 3599,
        port: int = 0,
        limit: Limit | None = None,
    ) -> None:
        self.world = world
        self.latency = latency
        self.limit = limit
        self.application = Application(str(uuid.uuid4()), secrets.token_urlsafe(30), str(uuid.uuid4()))
        world.applications[self.application.client_id] = self.application
        self.requests: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.on_arm_request: Callable[[int], None] | None = None
        self._arm_requests = 0
        self._folder = tempfile.TemporaryDirectory(prefix="secscore-azure-")
        authority, certificate, key = write_certificates(Path(self._folder.name))
        self.ca_bundle = authority
        # Named as TCP, so that asyncio turns Nagle's algorithm off: it costs 40 ms an answer.
        self._socket = _Door(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.faults = self.faults
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.url = f"https://localhost:{self._socket.getsockname()[1]}"
        self.entra = Entra(world, self.url, token_lifetime)
        self.arm = Arm(world, self.entra, page_size)
        self._server = _Server(
            uvicorn.Config(
                self._serve,
                ssl_certfile=certificate,
                ssl_keyfile=key,
                interface="asgi3",
                loop="asyncio",
                proxy_headers=False,
                log_level="critical",
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=1,
                backlog=2048,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="local-azure", daemon=True
        )

    def settings(self, *subscription_ids: str) -> dict[str, str]:
        """Return the settings, by their names in the environment, that lead a client here.

        Args:
            subscription_ids: those to read; all that the world has when none is named.
        """
        return {
            "AZURE_TENANT_ID": self.world.tenant_id,
            "AZURE_CLIENT_ID": self.application.client_id,
            "AZURE_CLIENT_SECRET": self.application.secret,
            "AZURE_SUBSCRIPTION_IDS": ",".join(subscription_ids or self.world.subscriptions),
            "AZURE_AUTHORITY_HOST": self.url,
            "SECSCORE_ARM_ENDPOINT": self.url,
            "SECSCORE_CA_BUNDLE": str(self.ca_bundle),
        }

    def __enter__(self) -> "LocalAzure":
        self._thread.start()
        if not self._server.is_up.wait(_START_SECONDS):
            raise RuntimeError("The local Azure did not start.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self._folder.cleanup()

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request: the ASGI application."""
        with contextlib.suppress(asyncio.CancelledError):
            response = await self._answer(scope, receive)
            path = str(scope["path"])
            fault = next((f for f in self.faults if f.kind is not Kind.HANDSHAKE and f.strikes(path)), None)
            if fault is None:
                await response(scope, receive, send)
            else:
                await fault.spoil(response, scope, receive, send)

    async def _answer(self, scope: Any, receive: Any) -> Response:
        path, method = str(scope["path"]), str(scope["method"])
        self.requests[f"{method} {path}"] += 1
        if method == "GET" and (found := _CONFIGURATION.fullmatch(path)):
            return self.entra.configuration(found[1])
        if method == "POST" and (found := _TOKEN.fullmatch(path)):
            body, more = b"", True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            return self.entra.token(found[1], body)
        if method == "GET" and path in (IMDS, APP_SERVICE):
            return self.entra.metadata(path, scope["query_string"].decode("latin-1"), dict(scope["headers"]))
        if method != "GET":
            return JSONResponse({"error": {"code": "MethodNotAllowed", "message": "Only GET is served."}}, 405)
        self._arm_requests += 1
        if self.on_arm_request is not None:
            self.on_arm_request(self._arm_requests)
        if self.latency:
            await asyncio.sleep(self.latency)
        authorization = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        if self.limit and (refused := self.limit.refuse(path, self.application.object_id)):
            return refused
        return self.arm.answer(path, scope["query_string"].decode("latin-1"), authorization or None)
