"""Stand-ins for what is outside: posts, archives, the APIs of X, Bluesky and Mastodon. All of it is written by us."""

from __future__ import annotations
