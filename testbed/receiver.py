"""A receiver of alerts and heartbeats: a server on loopback that takes messages, and fails as it is set to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """A server on loopback that takes messages, and fails as it is set to.

    Attributes:
        got: path, headers and body of each request, in order; of those that a fault met, in `refused`.
        faults: what is done to the next requests, in order: a status, "drop" or "stall", or a whole answer as
            (status, headers, body).
        refuses: says by a body whether it is answered 400, however often it comes.
    """

    def __init__(self):
        self.got = []
        self.refused = []
        self.faults = []
        self.refuses = lambda body: False
        self.ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.do_POST()

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fault = receiver.faults.pop(0) if receiver.faults else None
                if receiver.refuses(body):
                    fault = 400
                seen = receiver.got if fault is None else receiver.refused
                seen.append((self.path, dict(self.headers), body))
                if fault == "stall":
                    receiver.ended.wait()
                if fault in ("drop", "stall"):
                    self.close_connection = True
                    self.connection.close()
                    return
                whole = isinstance(fault, tuple)
                status, headers, answer = fault if whole else (fault or self.success(), {}, b'{"ok": true}')
                self.send_response(status)
                headers = {"Content-Type": "application/json", "Content-Length": str(len(answer)), **headers}
                if status == 302 and not whole:
                    headers["Location"] = "http://127.0.0.1:9/elsewhere"
                if status == 429 and not whole:
                    headers["Retry-After"] = "0"
                for name, text in headers.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(answer)

            def success(self):
                """A workflow of Teams answers 202."""
                return 202 if self.path == "/teams" else 200

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def alerts(self):
        """The alerts that the webhook got."""
        return [json.loads(body) for path, _, body in self.got if path == "/hook"]

    def paths(self):
        """Return the paths of everything that came, taken or not."""
        return [path for path, _, _ in (*self.got, *self.refused)]

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
