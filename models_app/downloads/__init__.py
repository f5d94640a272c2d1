"""Models as files to download. Each format is an entry of FORMATS. None needs TensorFlow or contains posts."""

from __future__ import annotations

from .card import CARD, card_of
from .files import FORMATS, Download, download, formats_of
from .form import Format
from .own import write_whole

__all__ = ["CARD", "FORMATS", "Download", "Format", "card_of", "download", "formats_of", "write_whole"]
