"""Vocabularies: the symbols that a network reads and writes, and the text that they stand for."""

from __future__ import annotations

from .registry import is_loaded, read, register, vocabulary_of
from .utf8_bytes import UTF8_BYTES
from .vocabulary import Symbols, Vocabulary

__all__ = ["UTF8_BYTES", "Symbols", "Vocabulary", "is_loaded", "read", "register", "vocabulary_of"]
