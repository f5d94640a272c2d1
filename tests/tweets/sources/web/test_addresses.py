"""Which addresses belong to the public internet."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botfactory.net import is_public
from tests.tweets.sources.networks import PUBLIC, PUBLIC_6


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.254",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [PUBLIC, PUBLIC_6, "1.1.1.1", "172.32.0.1", "100.128.0.1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"],
)
def test_a_public_address_is_known(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_as_public_in_whatever_ipv6_address_it_is_carried(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    carried = [f"::ffff:{address}", str(ipaddress.IPv6Address(0x64FF9B << 96 | number))]
    carried.append(str(ipaddress.IPv6Address(0x2002 << 112 | number << 80)))
    assert {is_public(each) for each in carried} == {is_public(str(address))}
    is_inside = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    assert not (is_inside and is_public(str(address)))


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_outside_of_global_unicast_is_public_by_itself(address: ipaddress.IPv6Address) -> None:
    carries = address.ipv4_mapped or address in ipaddress.ip_network("64:ff9b::/96")
    assert carries or not is_public(str(address)) or address in ipaddress.ip_network("2000::/3")
