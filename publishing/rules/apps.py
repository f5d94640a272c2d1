"""Bot Factory as networks know it: an app that the operator made, or one that we register at somebody's server."""

from __future__ import annotations

from typing import Final

from django.conf import settings

from botfactory import net
from publishing.models import App
from publishing.networks import oauth
from publishing.networks.base import Network
from publishing.rules import credentials

#: It's read from the environment for the X source, too.
_API: Final = "X_API_URL"


def of_operator(network: Network) -> oauth.App | None:
    """Return the operator's app at a network that needs one; None if the keys aren't set, or it needs none."""
    if not network.needs_keys or not settings.X_CLIENT_ID:
        return None
    return oauth.App(getattr(settings, _API).rstrip("/"), settings.X_CLIENT_ID, settings.X_CLIENT_SECRET, "")


def is_offered(network: Network) -> bool:
    """Return whether people can connect accounts of this network here."""
    return not network.needs_keys or of_operator(network) is not None


def registered(client: net.Client, network: Network, server: str, callback: str) -> oauth.App:
    """Return our app at a server, made there anew if it doesn't know us (any more). Raises any NetworkError."""
    consent = network.consent
    assert consent is not None and consent.register is not None, "only such a network has servers of its own"
    found = _kept(callback)
    if found is not None and oauth.is_known(client, consent, found, name=network.label):
        return found
    made = consent.register(client, server, callback)
    sealed = credentials.sealed(
        {"server": made.server, "client_id": made.client_id, "client_secret": made.client_secret}
    )
    App.objects.update_or_create(callback=callback, defaults={"network": network.name, "credentials": sealed})
    return made


def kept(network: Network, callback: str) -> oauth.App | None:
    """Return the app that people come back to at this address, if it's still there."""
    if network.needs_keys:
        app = of_operator(network)
        return None if app is None else oauth.App(app.server, app.client_id, app.client_secret, callback)
    return _kept(callback)


def _kept(callback: str) -> oauth.App | None:
    row = App.objects.filter(callback=callback).first()
    if row is None:
        return None
    try:
        known = credentials.opened(row.credentials)
    except credentials.CredentialsLost:
        return None
    return oauth.App(known["server"], known["client_id"], known["client_secret"], callback)
