"""Who a connection or request counts for."""

from __future__ import annotations

import ipaddress

from django.conf import settings


def network_of(text: str) -> str:
    """Return the address, or for IPv6 its network, because everybody there has countless addresses."""
    address = _address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return text if address is None else str(address)


def is_proxy(text: str) -> bool:
    """Return whether the address is that of a proxy in front, whose connections are those of many people."""
    address = _address(text)
    return address is not None and any(address in network for network in settings.FORWARDED_ALLOW_IPS)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
