"""Sampling: draws posts, rejects the ones that must not be shown, and masks @names."""

from __future__ import annotations
