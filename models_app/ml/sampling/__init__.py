"""Sampling: draws posts, rejects the ones that must not be shown, and keeps @names out."""

from __future__ import annotations
