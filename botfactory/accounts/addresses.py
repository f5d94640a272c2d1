"""The address that a request comes from, for limits and the security log."""

from __future__ import annotations

import ipaddress

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

#: Providers give each customer at least an IPv6 network of this size.
_IPV6_PREFIX = 64


def address_of(request: HttpRequest | None) -> str | None:
    """Return the address that the request came from, or None if there is none, as in a command."""
    if request is None:
        return None
    try:
        return str(get_adapter(request).get_client_ip(request))
    except PermissionDenied:
        return None


def place_of(address: str | None) -> str:
    """Return the address, or for IPv6 its network, because one customer has all addresses of it."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(known, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((known, _IPV6_PREFIX), strict=False))
    return str(known)
