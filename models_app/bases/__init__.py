"""Base models: adding, training, comparing and choosing them."""

from __future__ import annotations
