"""Addresses of servers: which are on the public internet, and one spelling for each."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

import idna

_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
#: Networks for special purposes that not every version of `ipaddress` knows.
_SPECIAL: Final = [
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
    )
]


def is_public(address: str) -> bool:
    """Return whether an address is on the public internet: not private, local, shared, reserved or multicast.

    An IPv6 address that carries an IPv4 one (mapped, 6to4, NAT64) is as public as the one that it carries.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        carried = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            carried = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(str(carried))
        if found not in _GLOBAL_UNICAST:
            return False
    return found.is_global and not found.is_multicast and not any(found in network for network in _SPECIAL)


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address in one spelling: "https://example.com:443". ValueError for others."""
    parts = urlsplit(url.strip())
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    if not parts.hostname or port is None:
        raise ValueError(f"{url!r} is not the address of a server, such as https://example.com.")
    return f"{parts.scheme}://{ascii_of(parts.hostname)}:{port}"


def ascii_of(host: str) -> str:
    """Return the host as DNS knows it, "bücher.example" too; ValueError if it can't be one."""
    host = host.rstrip(".").lower()
    if re.fullmatch(r"[0-9a-z._:-]*", host):  # names, IPv4 and, without brackets, IPv6
        return host
    return idna.encode(host, uts46=True).decode("ascii")  # its errors are ValueErrors


def port_of(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)
