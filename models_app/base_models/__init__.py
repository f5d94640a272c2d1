"""Base models: added, trained, compared, chosen."""

from __future__ import annotations
