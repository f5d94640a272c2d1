"""Read settings from the environment. Each helper returns a checked value or raises with the variable's name."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Callable, Collection
from dataclasses import Field, dataclass, field, fields
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from dotenv import load_dotenv

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
# The kernel refuses socket paths longer than 107 bytes.
LONGEST_SOCKET_PATH = 100
# As in Django's check of the Host header: a name with other characters would match no request.
_HOST: Final = re.compile(r"\*|\.?[a-z0-9.-]+|\[[a-f0-9:.]+\]", re.IGNORECASE)
#: Databases that the product works with: Django's backend -> the one to use. What isn't Postgres is for one machine.
_ENGINES: Final = {
    "django.db.backends.postgresql": "django.db.backends.postgresql",
    "django.db.backends.sqlite3": "botfactory.sqlite_file",
}


def read_env_file(path: Path) -> None:
    """Take the variables of the file that aren't set yet. Raises ImproperlyConfigured if it can't be read."""
    try:
        load_dotenv(path)
    except OSError as error:
        raise ImproperlyConfigured(
            f"Can't read {path}: {error.strerror}. Make it readable for this account."
        ) from error
    except UnicodeDecodeError:
        # Its message would contain the secrets around the letter.
        raise ImproperlyConfigured(f"{path} isn't text in UTF-8. Save the file as UTF-8.") from None


def env_str(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, default: bool) -> bool:
    value = env_str(name).lower()
    if not value:
        return default
    if value in TRUE | FALSE:
        return value in TRUE
    raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false. Write {name}=true or {name}=false.")


def env_int(name: str, default: int, *, minimum: int = 0, maximum: int | None = None) -> int:
    value = env_str(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r} isn't a whole number.") from None
    if number < minimum:
        raise ImproperlyConfigured(f"{name}={number} is too small. The minimum is {minimum}.")
    if maximum is not None and number > maximum:
        raise ImproperlyConfigured(f"{name}={number} is too large. The maximum is {maximum}.")
    return number


def env_limit(name: str, default: int | None) -> int | None:
    """Return a whole number of 0 or more, or None (no limit) if the variable is set but empty."""
    if name in os.environ and not os.environ[name].strip():
        return None
    return default if name not in os.environ else env_int(name, 0)


def env_pauses(name: str, default: str) -> list[int]:
    """Return comma-separated pauses between attempts, in whole seconds. `none` means no second attempt."""
    value = env_str(name, default)
    parts = [] if value.lower() == "none" else [part.strip() for part in value.split(",")]
    for part in parts:
        if not (part.isascii() and part.isdigit() and 0 < int(part) <= 10**7):
            raise ImproperlyConfigured(f"{name}={value!r} is invalid. Write seconds, such as {default}, or none.")
    return [int(part) for part in parts]


def env_choice(name: str, default: str, choices: Collection[str]) -> str:
    """Return one of the choices."""
    value = env_str(name, default).lower()
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} is invalid. Write one of {', '.join(choices)}.")
    return value


def env_list(name: str, default: list[str]) -> list[str]:
    """Return the comma-separated values of `name`, without blanks."""
    value = env_str(name)
    return [part.strip() for part in value.split(",") if part.strip()] if value else default


def env_hosts(name: str, default: list[str]) -> list[str]:
    """Return comma-separated host names, such as bots.example.org, .example.org (with subdomains), [::1] or * (all)."""
    hosts = env_list(name, default)
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ImproperlyConfigured(
                f"{name}={host!r} isn't a host name. Write it without https://, port and path, such as "
                "bots.example.org, .example.org for subdomains, or [::1]."
            )
    return hosts


def env_decimal(name: str, default: str) -> Decimal:
    """Return a decimal number of 0 or more, such as an amount of money."""
    value = env_str(name, default)
    try:
        number = Decimal(value)
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise ImproperlyConfigured(f"{name}={value!r} is invalid. Write a number of 0 or more, such as {default}.")
    return number


def env_server(name: str, default: str) -> str:
    return server_address(name, env_str(name, default))


def env_servers(name: str) -> list[str]:
    """Return comma-separated addresses of servers."""
    return [server_address(name, address) for address in env_list(name, [])]


def env_origins(name: str) -> list[str]:
    """Return comma-separated origins of pages, such as https://example.com, or * for all."""
    origins = [origin if origin == "*" else server_address(name, origin) for origin in env_list(name, [])]
    for origin in origins:
        if "/" in origin.partition("://")[2]:
            raise ImproperlyConfigured(
                f"{name}={origin!r} has a path. Write only the part before it: https://example.com."
            )
    return [origin.lower() for origin in origins]


def env_networks(name: str, default: list[str]) -> list[IPv4Network | IPv6Network]:
    """Return comma-separated addresses and networks, such as 10.0.0.7 or 10.0.0.0/8. `none` means an empty list."""
    found = []
    for part in env_list(name, default):
        if part.lower() == "none":
            continue
        try:
            found.append(ip_network(part))
        except ValueError as error:
            message = (
                f"{name}={part!r} is invalid ({error}). Write an address or network, such as 10.0.0.7 or 10.0.0.0/8."
            )
            raise ImproperlyConfigured(message) from None
    return found


def server_address(name: str, address: str) -> str:
    """Return the address without a slash at its end. Raises ImproperlyConfigured if it isn't an address."""
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ImproperlyConfigured(
            f"{name}={address!r} is invalid. Write the address of a server, such as https://example.com."
        )
    return address.rstrip("/")


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server that EMAIL_URL names."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    #: TLS from the start, or by STARTTLS.
    tls: Literal["", "starttls", "implicit"] = ""


#: Scheme -> default port, and encryption.
_MAIL: Final[dict[str, tuple[int, Literal["", "starttls", "implicit"]]]] = {
    "smtp": (25, ""),
    "smtp+tls": (587, "starttls"),
    "smtps": (465, "implicit"),
}


def env_mail(name: str) -> MailServer | None:
    """Return the mail server of `smtps://user:password@host:port`, or None if it isn't set. The value is a secret."""
    url = env_secret(name)
    if not url:
        return None
    try:
        parts = urlsplit(url)
        port, tls = _MAIL[parts.scheme]
        if not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return MailServer(parts.hostname, parts.port or port, user, password, tls)
    except (ValueError, KeyError):
        # The message leaves out the value, which may contain a password.
        raise ImproperlyConfigured(
            f"{name} is invalid. Write smtps://user:password@host (TLS, port 465), "
            "smtp+tls://user:password@host (STARTTLS, port 587) or smtp://host:25. In the password, write :, / and @ "
            "as %3A, %2F and %40."
        ) from None


def env_path(name: str, default: Path) -> Path:
    value = env_str(name)
    try:
        return Path(value).expanduser().resolve() if value else default
    except (OSError, RuntimeError) as error:
        reason = str(error).rstrip(".")
        raise ImproperlyConfigured(f"{name}={value!r} isn't a folder ({reason}). Write its full path.") from None


def env_secret(name: str, default: str = "") -> str:
    """Return the value of `name`, or the content of the file that `name`_FILE names (Docker, Kubernetes secrets)."""
    file_name = env_str(f"{name}_FILE")
    if not file_name:
        return env_str(name, default)
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"Can't read {name}_FILE={file_name!r}: {error.strerror}.") from error
    except UnicodeDecodeError:
        # Its message would contain the secret.
        raise ImproperlyConfigured(f"{name}_FILE={file_name!r} isn't text in UTF-8. Save the file as UTF-8.") from None


def stored_secret(path: Path) -> str:
    """Return the secret in the file `path`. If the file doesn't exist, create it, readable only by its owner."""
    try:
        if path.exists():
            return path.read_text(encoding="utf-8").strip()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50), encoding="utf-8")
        try:
            # A link fails if the file exists, so two first starts at once agree on one secret.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"Can't store the secret key in {path}: {error.strerror}. Set SECRET_KEY, or set BOTFACTORY_HOME to a "
            "folder that you can write to."
        ) from error


def env_fields(kind: type[Any], name_of: Callable[[str], str]) -> dict[str, Any]:
    """Return the values of a dataclass of settings, by the names of their variables. Each field needs a default.

    A text that the repr leaves out is a secret, and one called `..._url` the address of a server.
    """
    return {name_of(each.name): _field(name_of(each.name), each) for each in fields(kind)}


def _field(name: str, each: Field[Any]) -> object:
    default = each.default
    if isinstance(default, bool):
        return env_bool(name, default)
    if isinstance(default, int):
        return env_int(name, default)
    if isinstance(default, Decimal):
        return env_decimal(name, str(default))
    if not isinstance(default, str):
        raise TypeError(f"The setting {name} needs a default that is a text, a number or true or false.")
    if not each.repr:
        return env_secret(name, default)
    return env_server(name, default) if each.name.endswith("_url") else env_str(name, default)


def database_of(name: str, url: str) -> dict[str, Any]:
    """Return Django's description of the database at `url`. Raises ImproperlyConfigured if it isn't one."""
    try:
        found: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=0, conn_health_checks=True))
        # Postgres can have the name in a service file. Processes don't share an SQLite database in memory.
        has_name = found.get("NAME") not in ("", None, ":memory:") or "service" in found.get("OPTIONS", {})
        if found["ENGINE"] not in _ENGINES or not has_name:
            raise ValueError
        return found | {"ENGINE": _ENGINES[found["ENGINE"]]}
    except ValueError:
        # The message leaves out the value, which may contain a password.
        raise ImproperlyConfigured(
            f"{name} is invalid. Write postgres://user:password@host:5432/name. In the password, write :, / and @ as "
            "%3A, %2F and %40."
        ) from None


def celery_broker_url(redis_url: str) -> str:
    """Return `redis_url` as Celery writes it: sockets are `unix://` for redis-py and `redis+socket://` for kombu."""
    try:
        parts = urlsplit(redis_url)
        if parts.scheme == "unix" and parts.path.startswith("/"):
            return f"redis+socket://{parts.path}" + (f"?{parts.query}" if parts.query else "")
        if parts.scheme in {"redis", "rediss"} and parts.port != 0:
            return redis_url
    except ValueError:
        pass
    # The message leaves out the value, which may contain a password.
    raise ImproperlyConfigured(
        "REDIS_URL is invalid. Write redis://host:6379/0, rediss://host:6379/0 or unix:///path/to.sock."
    )


def default_redis_url(home: Path) -> str:
    """Return the socket of the Valkey that `manage.py run` starts. Every command of this installation finds it.

    If the path in the home is too long for a socket, it's in a folder for temporary files. Raises ImproperlyConfigured
    if another account could replace it there.
    """
    socket = home / "valkey.sock"
    if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
        import hashlib
        import tempfile

        digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
        socket = Path(tempfile.gettempdir()) / f"botfactory-{os.getuid()}-{digest}" / "valkey.sock"
        _require_own(socket.parent)
    return f"unix://{socket}"


def _require_own(folder: Path) -> None:
    """Make the folder, or raise ImproperlyConfigured unless only this account can open it."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        reason = error.strerror
    else:
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
            return
        reason = "other accounts of this machine can change it"
    raise ImproperlyConfigured(
        f"Can't keep Valkey's socket in {folder}: {reason}. Delete that folder, or set BOTFACTORY_HOME to a folder "
        "with a shorter path."
    )
