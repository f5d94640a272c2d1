"""Where posts appear: a folder for each network, and one registry. Pure: no Django."""

from __future__ import annotations
