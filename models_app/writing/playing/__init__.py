"""A guessing game: which posts are real, and which did the bot write?"""

from __future__ import annotations
