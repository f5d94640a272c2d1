"""How good a model is: bits per character, and the report card."""

from __future__ import annotations
