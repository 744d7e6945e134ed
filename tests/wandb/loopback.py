"""A server on 127.0.0.1 that the real wandb client accepts as its service."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

from loopback_graphql import Json, Store, StoredRun, operation

Fault = Literal["401", "500", "hang"]


class Loopback:
    """The service, in a thread of this process, for the time of a ``with`` block.

    Attributes
    ----------
    fault : {None, "401", "500", "hang"}
        What every request meets from now on; may be set at any time.
    requests : list of str
        Each request in order: a GraphQL operation's name, else method and path.
    deleted : set of str
        Ids of runs that were deleted: the service never takes them again.
    forbidden : set of str
        Parts of the paths, and operations, that are answered with 403.
    """

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.requests: list[str] = []
        self.deleted: set[str] = set()
        self.forbidden: set[str] = set()
        self._store = Store()
        self._left: int | None = None
        self._end: Fault | Literal["die"] = "die"
        self._open: set[socket.socket] = set()
        self._server: _Server | None = None
        self._port = 0
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        self.revive()
        return self

    def __exit__(self, *_: object) -> None:
        self.die()

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a client finds this service and no other host."""
        return {
            "WANDB_BASE_URL": self.url,
            "WANDB_API_KEY": "0" * 40,
            "WANDB_ERROR_REPORTING": "false",
            "NO_PROXY": "127.0.0.1",
        }

    @property
    def runs(self) -> dict[str, StoredRun]:
        """What has arrived, by run id."""
        return self._store.runs

    @property
    def views(self) -> dict[str, Json]:
        """Saved reports by id; ``spec`` is their JSON text."""
        return self._store.views

    def revive(self) -> None:
        """Listen, after `die` on the same port and with all that had arrived."""
        self._closing.clear()
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        self._store.url = self.url
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def die(self) -> None:
        """Drop all connections; later ones are refused."""
        server, self._server = self._server, None
        if server is None:
            return
        self._closing.set()
        server.shutdown()
        server.server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def fail_after(self, requests: int, fault: Fault | Literal["die"] = "die") -> None:
        """Serve that many requests more, then turn to `fault`."""
        self._left, self._end = requests, fault

    def _admit(self, name: str) -> bool:
        """Record a request and say whether there is still somebody to answer it."""
        with self._store.lock:
            self.requests.append(name)
            if self._left is not None:
                self._left -= 1
                if self._left < 0:
                    self._left = None
                    if self._end == "die":
                        self.die()
                    else:
                        self.fault = self._end
        if self.fault == "hang":
            while self.fault == "hang" and not self._closing.wait(0.05):
                pass
        return not self._closing.is_set()


class _Server(ThreadingHTTPServer):
    """Knows its `Loopback`, and which connections are open."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], loopback: Loopback) -> None:
        super().__init__(address, _Handler)
        self.loopback = loopback

    def process_request(self, request: Any, client_address: Any) -> None:
        self.loopback._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.loopback._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that goes away in the middle is what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept open as clients expect."""

    protocol_version = "HTTP/1.1"
    # Without it the head and the body of an answer wait for each other's acknowledgement.
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        loopback = self.server.loopback
        given = json.loads(body) if self.path == "/graphql" else {}
        name = operation(given) if given else f"{self.command} {self.path}"
        if not loopback._admit(name):
            self.close_connection = True
            return
        if loopback.fault in ("401", "500"):
            self._reply(int(loopback.fault), {"errors": [{"message": "injected fault"}]})
        elif name in loopback.forbidden or any(p in self.path for p in loopback.forbidden):
            self._reply(403, {"error": "forbidden"})
        elif name == "UpsertBucket" and given["variables"].get("name") in loopback.deleted:
            self._reply(409, {"errors": [{"message": "previously created and deleted"}]})
        elif given:
            self._reply(200, loopback._store.answer(given))
        elif self.command == "GET" and self.path.startswith("/upload/"):
            _, _, run, name = self.path.split("/", 3)
            self._reply(200, loopback.runs[run].files[name])
        else:
            self._reply(200, self._file(body))

    def _file(self, body: bytes) -> Json:
        store, parts = self.server.loopback._store, self.path.strip("/").split("/")
        with store.lock:
            if parts[0] == "upload":
                store.run(parts[1]).files["/".join(parts[2:])] = body
            elif parts[-1] == "file_stream":
                _, entity, project, run, _ = parts
                store.run(run, entity, project).stream(json.loads(body))
                return {"exitcode": None, "limits": {}}
        return {}

    def _reply(self, status: int, answer: Json | bytes) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Stay silent."""
