"""Stand-ins for what is outside: posts, archives, the X API. All of it is written by us."""

from __future__ import annotations
