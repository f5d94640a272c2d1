"""Let bots write the same thing side by side: several bots, or one at several temperatures."""

from __future__ import annotations
