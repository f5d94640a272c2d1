"""The client of the tutorial, for tests of the tweet server."""

from __future__ import annotations

import httpx


class TutorialClient:
    """`fetch(url + "/api/" + handle).then(r => r.json())`, with the address and the token changed."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def tweets(self, handle: str) -> list[str]:
        answer = httpx.get(self.url + "/api/" + handle, headers=self.headers, timeout=60).json()
        if answer["error"]:
            raise LookupError(answer["error"])
        tweets: list[str] = answer["tweets"]
        return tweets

    def get(self, handle: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}/api/{handle}", headers={**self.headers, **headers}, timeout=60)


def require_error(answer: httpx.Response, status: int, words: str) -> None:
    body = answer.json()
    assert (answer.status_code, sorted(body), body["tweets"]) == (status, ["error", "tweets"], None), body
    assert words in body["error"], body
    assert answer.headers["Cache-Control"] == "no-store"
