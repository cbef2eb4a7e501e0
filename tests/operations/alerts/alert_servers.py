"""Servers that take alerts: on loopback, in a thread, for the time of a test."""

from __future__ import annotations

import base64
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Webhook(ThreadingHTTPServer):
    """Answers as told, one answer after the other, the last for ever, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self, *answers: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.answers, self.taken, self.heads, self.lock = list(answers) or [200], [], [], threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/services/S3CRET?token=T0KEN"


class _Hook(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.taken.append(body)
            self.server.heads.append({"path": self.path, **self.headers})
            answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        if callable(answer):
            answer(self)
            return
        code, headers = answer if isinstance(answer, tuple) else (answer, {})
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        # A POST that was redirected the usual way.
        with self.server.lock:
            self.server.taken.append("GET")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


def drip(hook: _Hook) -> None:
    """Answer a byte now and then, without an end."""
    with suppress(OSError):
        for _ in range(200):
            hook.wfile.write(b"H")
            hook.wfile.flush()
            time.sleep(0.05)


def hang(hook: _Hook) -> None:
    """Take it, and say nothing."""
    time.sleep(3)


class Smtp(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a client of the standard library does; keeps letters, log-ins and what was encrypted.

    Args:
        certificate: file of key and certificate; with it STARTTLS is offered.
        users: by name, their passwords; with them AUTH is offered, and asked for.
        refuses: addresses that are not taken.
        answers: to DATA's end, one after the other.
        implicit: whether it is encrypted from the start.
    """

    daemon_threads, allow_reuse_address = True, True

    def __init__(
        self,
        certificate: Path | None = None,
        users: dict[str, str] | None = None,
        refuses: tuple[str, ...] = (),
        answers: tuple[str, ...] = ("250 taken",),
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.users, self.refuses, self.answers = users, refuses, list(answers)
        self.letters: list[dict[str, Any]] = []
        self.context = None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Talk(socketserver.StreamRequestHandler):
    server: Smtp

    def handle(self) -> None:
        self.user, self.encrypted, self.to = None, False, []
        self._say("220 test")
        with suppress(OSError):
            while line := self.rfile.readline():
                word, _, rest = line.decode().strip().partition(" ")
                if not getattr(self, f"do_{word.lower()}", self._unknown)(rest):
                    return

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def do_ehlo(self, rest: str) -> bool:
        offered = ["test", *(["STARTTLS"] if self.server.context and not self.encrypted else [])]
        offered += ["AUTH PLAIN"] if self.server.users is not None else []
        for number, each in enumerate(offered):
            self._say(f"250{' ' if number == len(offered) - 1 else '-'}{each}")
        return True

    def do_starttls(self, rest: str) -> bool:
        self._say("220 go on")
        try:
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        except ssl.SSLError:
            return False
        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", buffering=0)
        self.encrypted = True
        return True

    def do_auth(self, rest: str) -> bool:
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        known = self.server.users.get(user) == password
        self.user = user if known else None
        # Some servers quote what they were given.
        return self._say("235 welcome" if known else f"535 {password} is no password of {user}")

    def do_mail(self, rest: str) -> bool:
        if self.server.users is not None and self.user is None:
            return self._say("530 log in first")
        return self._say("250 ok")

    def do_rcpt(self, rest: str) -> bool:
        address = rest.partition("<")[2].partition(">")[0]
        if address in self.server.refuses:
            return self._say("550 nobody here")
        self.to.append(address)
        return self._say("250 ok")

    def do_data(self, rest: str) -> bool:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        if answer.startswith("250"):
            letter = {"to": self.to, "text": b"".join(lines), "user": self.user, "encrypted": self.encrypted}
            self.server.letters.append(letter)
        return self._say(answer)

    def do_rset(self, rest: str) -> bool:
        return self._say("250 ok")

    def do_quit(self, rest: str) -> bool:
        self._say("221 bye")
        return False

    def _unknown(self, rest: str) -> bool:
        return self._say("502 unknown")

    def _say(self, line: str) -> bool:
        self.wfile.write(f"{line}\r\n".encode())
        return True


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
