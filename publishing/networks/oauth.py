"""OAuth 2 with PKCE (RFC 6749, RFC 7636): the address where people allow us to post, and tokens for their answer."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from botfactory import net
from botfactory.words.translatable import Sentence, mark
from publishing.networks.answers import Api, refused
from publishing.networks.base import Connected, Entry, LoggedOut, NotAccepted, Unclear, text_of

#: An access token that ends sooner is renewed before it's used, in seconds.
SOON: Final = 120
_CLIENT_ERRORS: Final = frozenset({"invalid_client", "unauthorized_client"})


@dataclass(frozen=True, slots=True)
class App:
    """Bot Factory as a server knows it. callback: the address that people come back to."""

    server: str
    client_id: str
    client_secret: str = field(repr=False)
    callback: str


class UnknownApp(NotAccepted):
    """The server doesn't know our app any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """How people of a network let us post for them.

    - `entries`: what they enter before
    - `page`: where they allow it, for the origin of the API
    - `token_path`: of the API
    - `scopes`: what they are asked to allow
    - `has_basic`: whether the secret of the app goes into the header `Authorization` instead of the body
    - `register`: make an app at a server, with this callback; None if the operator makes it and sets its keys
    - `connect`: the account of these tokens, and what was entered
    """

    entries: tuple[Entry, ...]
    page: Callable[[str], str]
    token_path: str
    scopes: str
    has_basic: bool
    register: Callable[[net.Client, str, str], App] | None
    connect: Callable[[net.Client, App, Mapping[str, str], Mapping[str, str]], Connected]


def new_verifier() -> str:
    """Return a secret that only we can show when we take the tokens (RFC 7636, section 4.1)."""
    return secrets.token_urlsafe(48)


def address(consent: Consent, app: App, *, state: str, verifier: str) -> str:
    """Return the address where people allow us to post."""
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.callback,
        "scope": consent.scopes,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    return f"{consent.page(app.server)}?{urlencode(query)}"


def exchanged(client: net.Client, consent: Consent, app: App, *, name: str, code: str, verifier: str) -> dict[str, str]:
    """Return the tokens for the code that somebody came back with. Raises any NetworkError."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.callback,
        "code_verifier": verifier,
    }
    try:
        return _tokens(client, consent, app, name, form)
    except LoggedOut:
        raise NotAccepted(mark("This took too long, or was done already. Connect the account again.")) from None


def renewed(client: net.Client, consent: Consent, app: App, *, name: str, refresh: str) -> dict[str, str]:
    """Return new tokens for a refresh token, which may be used up by that.

    Raises LoggedOut only if the server says that the token is invalid, and any other NetworkError.
    """
    tokens = _tokens(client, consent, app, name, {"grant_type": "refresh_token", "refresh_token": refresh})
    return {**tokens, "refresh": tokens["refresh"] or refresh}


def is_known(client: net.Client, consent: Consent, app: App, *, name: str) -> bool:
    """Return whether the server still knows our app. Some delete apps that nobody uses."""
    try:
        _tokens(client, consent, app, name, {"grant_type": "client_credentials", "scope": "read"})
    except UnknownApp:
        return False
    return True


def locked_out(name: str) -> Sentence:
    return Sentence(mark("%(name)s doesn’t let us in any more. Connect the account again."), name=name)


def _tokens(client: net.Client, consent: Consent, app: App, name: str, form: Mapping[str, str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    if consent.has_basic and app.client_secret:
        pair = base64.b64encode(f"{app.client_id}:{app.client_secret}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    else:
        form = {**form, "client_id": app.client_id, "client_secret": app.client_secret}
    reply = Api(client, app.server, name=name).ask("POST", consent.token_path, form=form, headers=headers)
    error, words = text_of(reply.data, "error"), text_of(reply.data, "error_description")
    if error in _CLIENT_ERRORS:
        raise UnknownApp(Sentence(mark("%(name)s doesn’t know this installation. Try again."), name=name))
    # X says it with another error.
    if error == "invalid_grant" or (error == "invalid_request" and "token was invalid" in words):
        raise LoggedOut(locked_out(name))
    if reply.status >= 400:
        raise refused(name, reply, words or error)
    return _read(reply.data)


def _read(data: Any) -> dict[str, str]:
    """Return the tokens in an answer, and when the first one ends, in seconds since 1970 ("" if never)."""
    access = text_of(data, "access_token")
    if not access:
        raise Unclear(mark("The server’s answer can’t be read."))
    seconds = data.get("expires_in")
    until = str(int(time.time() + seconds)) if isinstance(seconds, int | float) else ""
    return {"access": access, "refresh": text_of(data, "refresh_token"), "until": until}
