"""A mail server that accepts and stores everything: enough SMTP for Python's client, with AUTH PLAIN."""

from __future__ import annotations

import socketserver
import threading
from types import TracebackType


class _Talk(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self._say("220 fake ESMTP")
        while line := self.rfile.readline():
            command = line.decode().strip()
            verb = command.upper().partition(" ")[0]
            if verb == "EHLO":
                self._say("250-fake", "250 AUTH PLAIN")
            elif verb == "AUTH":
                self.server.mail.logins.append(command.rpartition(" ")[2])
                self._say("235 come in")
            elif verb == "DATA":
                self._say("354 go on")
                lines = []
                while (part := self.rfile.readline()) != b".\r\n":
                    lines.append(part.decode())
                self.server.mail.messages.append("".join(lines))
                self._say("250 kept")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    mail: MailServer


class MailServer:
    """Use it as `with MailServer() as mail:`, with `mail.port`, `mail.messages` and `mail.logins`."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.logins: list[str] = []

    def __enter__(self) -> MailServer:
        self._server = _Server(("127.0.0.1", 0), _Talk)
        self._server.mail = self
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
