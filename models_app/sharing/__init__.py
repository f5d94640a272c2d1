"""Sharing bots: rights, the gallery, and the API for both."""

from __future__ import annotations
