"""Who may see a bot and let it write: rights, the gallery, and both for programs."""

from __future__ import annotations
