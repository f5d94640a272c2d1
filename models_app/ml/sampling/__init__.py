"""Posts from weights: drawn, refused where they must not be shown, masked."""

from __future__ import annotations
