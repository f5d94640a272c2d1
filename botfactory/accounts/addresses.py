"""Where a request comes from, as limits and the security log see it."""

from __future__ import annotations

import ipaddress

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

#: One person has at least as much of IPv6 to themselves.
_IPV6_PREFIX = 64


def address_of(request: HttpRequest | None) -> str | None:
    """The address that the request came from; None where it came from none, as in a command."""
    if request is None:
        return None
    try:
        return str(get_adapter(request).get_client_ip(request))
    except PermissionDenied:
        return None


def place_of(address: str | None) -> str:
    """The address, or for IPv6 the network: whoever has one address there has all."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(known, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((known, _IPV6_PREFIX), strict=False))
    return str(known)
