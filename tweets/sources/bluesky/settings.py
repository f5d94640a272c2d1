from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlueskySettings:
    """What an operator can set for Bluesky, as BLUESKY_API_URL and so on."""

    api_url: str = "https://public.api.bsky.app"
