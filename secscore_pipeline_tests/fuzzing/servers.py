"""Servers that can break HTTP: they send any bytes, at any pace, and note every byte that they are sent."""

import re
import secrets
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs

import msgspec
from starlette.responses import Response

from secscore_pipeline.emulator.arm import Arm
from secscore_pipeline.emulator.entra import Entra
from secscore_pipeline.emulator.world import Application, World
from secscore_pipeline_tests.fuzzing.leaks import ENCODINGS

FOREVER = 1 << 40
"""How often something is sent that never ends."""

FLOOD_BYTES = 900 << 20
"""How much is sent in one answer at most: a client that takes all of it has failed long before."""

_PLACE = re.compile(rb"\$\{([A-Z_]+(?::[a-z0-9-]+)?)\}")


class Send(msgspec.Struct, frozen=True):
    """Bytes that are sent, a number of times, each followed by a pause (seconds)."""

    data: bytes
    times: int = 1
    pause: float = 0.0


class Answer(msgspec.Struct, frozen=True):
    """What a server sends after a request, byte for byte, and how it ends the connection.

    In the data `${NAME}` stands for what is only known when it is sent: HERE and OTHER_NAME (this server, by its name
    and by its address), AWAY and AWAY_BY_ADDRESS (the second listener), PLAIN (the one without TLS), TENANT, COUNT (which
    answer it is), REQUEST (as received), CREDENTIAL:<encoding> (what the request proved itself with), PROPER (the body of
    the right answer) and LENGTH (of everything after the headers).
    """

    parts: tuple[Send, ...]
    ending: Literal["close", "reset", "hold"] = "close"


@dataclass(frozen=True)
class Request:
    """A request as received."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        """The method and the target."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1").rpartition(" ")[0]

    def header(self, name: str) -> str:
        """Return a header's value; empty where there is none."""
        found = re.search(rb"(?im)^" + re.escape(name.encode()) + rb":[ \t]*([^\r\n]*)", self.head)
        return found[1].decode("latin-1") if found else ""

    @property
    def credential(self) -> str:
        """What the sender proved itself with: the client secret, or the token."""
        form = parse_qs(self.body.decode("utf-8", "replace"))
        if "client_secret" in form:
            return form["client_secret"][0]
        return self.header("Authorization").removeprefix("Bearer ")


class Server:
    """A listener on loopback, a thread for each connection, that ends with its context.

    Args:
        context: of TLS; None for plain HTTP.
        respond: is given a connection and each request on it; tells whether the connection stays.
    """

    def __init__(
        self, context: ssl.SSLContext | None, respond: "Callable[[socket.socket, Request], bool] | None" = None
    ) -> None:
        self.context = context
        self.heard = bytearray()
        self._respond = respond or self._acknowledge
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._socket.getsockname()[1]
        self._stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def url(self, host: str = "localhost") -> str:
        """Return where it is."""
        return f"{'https' if self.context else 'http'}://{host}:{self.port}"

    def close(self) -> None:
        """Stop listening and end every connection and thread."""
        self._stopping.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._accepting.join()
        self.disconnect()
        for thread in list(self._threads):
            thread.join(10)

    def disconnect(self) -> None:
        """Cut every connection that is open."""
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            with self._lock:
                self._threads.add(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with self._lock:
            self._connections.add(plain)
        connection = plain
        try:
            if self.context:
                plain.settimeout(20)
                connection = self.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._connections.add(connection)
                    self._connections.discard(plain)
                connection.do_handshake()
                connection.settimeout(None)
            while (request := self._read(connection)) and self._respond(connection, request):
                pass
        except (OSError, ValueError):  # the other side has gone, or never spoke TLS
            pass
        finally:
            with self._lock:
                self._connections -= {plain, connection}
                self._threads.discard(threading.current_thread())
            connection.close()

    def _read(self, connection: socket.socket) -> Request | None:
        received = b""
        while b"\r\n\r\n" not in received:
            more = connection.recv(1 << 16)
            self.heard += more
            received += more
            if not more:
                return None
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(Request(head, b"").header("Content-Length") or 0)
        while len(body) < length:
            more = connection.recv(1 << 16)
            self.heard += more
            body += more
            if not more:
                return None
        return Request(head, body)

    def _acknowledge(self, connection: socket.socket, request: Request) -> bool:
        """Give a thief's answer: one that a client would be content with."""
        body = b'{"access_token":"stolen","token_type":"Bearer","expires_in":3600,"value":[],"ok":true}'
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        connection.sendall(body)
        return True

    def play(self, connection: socket.socket, answer: Answer, places: Mapping[str, bytes]) -> None:
        """Send an answer, with the places in it filled in, and end the connection as it says."""
        sent = 0
        parts = [(fill(part.data, places), part) for part in answer.parts]
        whole = b"".join(data for data, part in parts if part.times == 1)
        length = str(len(whole.partition(b"\r\n\r\n")[2])).encode()
        for data, part in parts:
            ready = data.replace(b"${LENGTH}", length)
            block, times = ready, part.times
            if not part.pause and times > 1 and 0 < len(ready) < 1 << 16:  # a system call for each byte would be slow
                many = min(times, (1 << 16) // len(ready))
                block, times = ready * many, -(-times // many)
            for _ in range(times):
                connection.sendall(block)
                sent += len(block)
                if sent > FLOOD_BYTES or not block or (part.pause and self._stopping.wait(part.pause)):
                    break
        if answer.ending == "hold":
            while connection.recv(1 << 16):
                pass
        if answer.ending == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif isinstance(connection, ssl.SSLSocket):
            connection.settimeout(1)
            with suppress(OSError):
                connection.unwrap()


def fill(data: bytes, places: Mapping[str, bytes]) -> bytes:
    """Return data with each `${NAME}` replaced; what is not known stays."""

    def known(found: re.Match[bytes]) -> bytes:
        name, _, encoding = found[1].decode().partition(":")
        if name not in places:
            return found[0]
        value = places[name]
        return ENCODINGS[encoding](value.decode("utf-8", "replace")).encode() if encoding else value

    return _PLACE.sub(known, data) if b"${" in data else data


@dataclass
class Script:
    """Answers in place of the right ones: the first to the first request that fits, the last to all that follow."""

    pattern: re.Pattern[str]
    answers: tuple[Answer, ...]
    played: int = 0
    lines: list[str] = field(default_factory=list)


class HostileAzure(Server):
    """Entra and Azure Resource Manager over TLS, right in all that no script is about.

    Args:
        world: what it tells.
        certificates: the folder with those of `write_certificates`.
        secret: of its application.
    """

    def __init__(self, world: World, certificates: Path, secret: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
        self.scripts: list[Script] = []
        self.lines: list[str] = []
        self.world = world
        self.ca_bundle = certificates / "authority.pem"
        self.application = Application(secrets.token_hex(16), secret, secrets.token_hex(16))
        client = self.application.client_id
        self.application.client_id = f"{client[:8]}-{client[8:12]}-{client[12:16]}-{client[16:20]}-{client[20:]}"
        world.applications[self.application.client_id] = self.application
        self.away, self.plain = Server(context), Server(None)
        super().__init__(context, self._answer)
        self.entra = Entra(world, self.url())
        self.arm = Arm(world, self.entra)

    def close(self) -> None:
        """See `Server`."""
        super().close()
        self.away.close()
        self.plain.close()

    def script(self, pattern: str, answers: tuple[Answer, ...]) -> Script:
        """Give answers in place of the right ones to requests whose line (`GET /path?query`) fits a pattern."""
        made = Script(re.compile(pattern), answers)
        self.scripts.append(made)
        return made

    def forget(self) -> None:
        """Be a right Azure again, that has heard and issued nothing."""
        self.scripts.clear()
        self.lines.clear()
        self.issued.clear()
        for server in (self, self.away, self.plain):
            server.heard.clear()

    def settings(self, *subscription_ids: str) -> dict[str, str]:
        """Return the settings, by their names in the environment, that lead a client here."""
        return {
            "AZURE_TENANT_ID": self.world.tenant_id,
            "AZURE_CLIENT_ID": self.application.client_id,
            "AZURE_CLIENT_SECRET": self.application.secret,
            "AZURE_SUBSCRIPTION_IDS": ",".join(subscription_ids or self.world.subscriptions),
            "AZURE_AUTHORITY_HOST": self.url(),
            "SECSCORE_ARM_ENDPOINT": self.url(),
            "SECSCORE_CA_BUNDLE": str(self.ca_bundle),
        }

    @property
    def issued(self) -> set[str]:
        """Every token that it has issued since it last forgot."""
        return self.entra._issued

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        self.lines.append(request.line)
        for script in self.scripts:
            if script.pattern.search(request.line):
                answer = script.answers[min(script.played, len(script.answers) - 1)]
                script.played += 1
                script.lines.append(request.line)
                self.play(connection, answer, self._places(request, script.played))
                return False
        response = self._proper(request)
        headers = b"".join(b"%s: %s\r\n" % header for header in response.raw_headers)
        connection.sendall(b"HTTP/1.1 %d OK\r\n%s\r\n%s" % (response.status_code, headers, bytes(response.body)))
        return True

    def _proper(self, request: Request) -> Response:
        method, _, target = request.line.partition(" ")
        path, _, query = target.partition("?")
        if found := re.fullmatch(r"/([^/]+)/v2\.0/\.well-known/openid-configuration", path):
            return self.entra.configuration(found[1])
        if method == "POST" and (found := re.fullmatch(r"/([^/]+)/oauth2/v2\.0/token", path)):
            return self.entra.token(found[1], request.body)
        return self.arm.answer(path, query, request.header("Authorization") or None)

    def _places(self, request: Request, count: int) -> dict[str, bytes]:
        texts = {
            "HERE": self.url(),
            "OTHER_NAME": self.url("127.0.0.1"),
            "AWAY": self.away.url(),
            "AWAY_BY_ADDRESS": self.away.url("127.0.0.1"),
            "PLAIN": self.plain.url(),
            "TENANT": self.world.tenant_id,
            "COUNT": str(count),
            "CREDENTIAL": request.credential,
        }
        return {
            **{name: text.encode() for name, text in texts.items()},
            "REQUEST": request.head + b"\r\n\r\n" + request.body,
            "PROPER": bytes(self._proper(request).body),
        }


class HostileReceiver(Server):
    """A receiver of alerts in plain HTTP on loopback that answers as a script says."""

    def __init__(self, away: Server) -> None:
        self.answers: tuple[Answer, ...] = ()
        self.played = 0
        self.away = away
        super().__init__(None, self._answer)

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        answer = self.answers[min(self.played, len(self.answers) - 1)]
        self.played += 1
        places = {
            "HERE": self.url().encode(),
            "AWAY": self.away.url().encode(),
            "PLAIN": self.away.url("127.0.0.1").encode(),
            "REQUEST": request.head + b"\r\n\r\n" + request.body,
            "CREDENTIAL": (request.credential or request.line).encode(),
            "COUNT": str(self.played).encode(),
        }
        self.play(connection, answer, places)
        return False
