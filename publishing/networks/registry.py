"""All networks. One is a folder beside this file and a line in `NETWORKS`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from publishing.networks.base import Network

#: Name -> the module whose `NETWORK` describes it, in the order in which pages offer them.
NETWORKS: Final[dict[str, str]] = {
    "feed": "publishing.networks.feed",
    "bluesky": "publishing.networks.bluesky",
    "mastodon": "publishing.networks.mastodon",
    "x": "publishing.networks.x",
    "webhook": "publishing.networks.webhook",
}


@cache
def network_of(name: str) -> Network:
    """Return the network of this name. Raises KeyError."""
    network = import_module(NETWORKS[name]).NETWORK
    assert isinstance(network, Network), f"{NETWORKS[name]}.NETWORK describes no network"
    return network


def networks() -> list[Network]:
    """Return all networks."""
    return [network_of(name) for name in NETWORKS]


def with_accounts() -> list[Network]:
    """Return the networks where people connect an account."""
    return [network for network in networks() if network.needs_account]
