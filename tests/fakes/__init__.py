"""Stand-ins for the outside world: posts, archives, the APIs of X, Bluesky and Mastodon. We wrote all of it."""

from __future__ import annotations
