"""The part of a server where people allow an app to post for them: OAuth 2 with PKCE, checked as the RFCs say."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.fakes.server import Answer


@dataclass
class Consents:
    """Knows apps by their ids, and gives tokens for codes. Refresh tokens are good for one use."""

    token: str
    apps: dict[str, dict[str, str]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh: str = "refresh-0"
    renewals: int = 0
    is_revoked: bool = False
    #: What X says instead of invalid_grant.
    invalid: tuple[str, str] = ("invalid_grant", "The provided authorization grant is invalid.")

    def register(self, sent: Mapping[str, Any]) -> Answer:
        client_id = f"client-{len(self.apps)}"
        made = {"client_id": client_id, "client_secret": f"secret-of-{client_id}"}
        self.apps[client_id] = {**made, "redirect_uri": sent["redirect_uris"], "scope": sent["scopes"]}
        return Answer(200, {"id": "1", "name": sent["client_name"], **made})

    def allow(self, address: str) -> str:
        """Do what a person does who opens the address and allows it; return where the server sends them."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        app = self.apps[query["client_id"]]
        assert query["response_type"] == "code" and query["redirect_uri"] == app["redirect_uri"], query
        assert query["code_challenge_method"] == "S256" and set(query["scope"].split()) <= set(app["scope"].split())
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def tokens(self, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """Answer a request for tokens, in a form, with the app's secret in the form or the header."""
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if (basic := headers.get("authorization", "")).startswith("Basic "):
            client_id, _, secret = base64.b64decode(basic.removeprefix("Basic ")).decode().partition(":")
        app = self.apps.get(client_id)
        if app is None or app["client_secret"] != secret:
            return Answer(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        if form["grant_type"] == "client_credentials":
            return Answer(200, {"access_token": "of-the-app", "token_type": "Bearer"})
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != self.refresh or self.is_revoked:
                return self._invalid()
            self.renewals += 1
            return self._tokens()
        asked = self.codes.pop(form["code"], None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if asked is None or asked["code_challenge"] != digest or asked["redirect_uri"] != form["redirect_uri"]:
            return self._invalid()
        return self._tokens()

    def _tokens(self) -> Answer:
        self.refresh = f"refresh-{self.renewals}"
        return Answer(200, {"access_token": self.token, "token_type": "Bearer", "refresh_token": self.refresh})

    def _invalid(self) -> Answer:
        error, words = self.invalid
        return Answer(400, {"error": error, "error_description": words})
