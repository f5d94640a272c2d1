"""What people do with posts that bots wrote: keep them, as written or edited, and report them."""

from __future__ import annotations
