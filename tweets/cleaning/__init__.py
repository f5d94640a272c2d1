"""Clean posts before a model learns from them, or say why they are left out. Pure."""

from __future__ import annotations

from tweets.cleaning.cleaner import Cleaned, Cleaner, Overview, Survey
from tweets.cleaning.rules import (
    Change,
    CleaningRules,
    Drop,
    Duplicates,
    Form,
    Language,
    Links,
    Newlines,
    RulesError,
    banned_word,
)
from tweets.cleaning.text import clean_text

__all__ = [
    "Change",
    "Cleaned",
    "Cleaner",
    "CleaningRules",
    "Drop",
    "Duplicates",
    "Form",
    "Language",
    "Links",
    "Newlines",
    "Overview",
    "RulesError",
    "Survey",
    "banned_word",
    "clean_text",
]
