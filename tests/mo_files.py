"""Write compiled catalogs, for tests that need another language: msgfmt isn't on every machine."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

HEADER = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=n != 1;\n"


def write_mo(path: Path, texts: Mapping[str, str]) -> None:
    """Write a catalog; of plurals, both sides are joined by a zero: {"%d post\\0%d posts": "%d afiŝo\\0%d afiŝoj"}."""
    entries = sorted({"": HEADER, **texts}.items())
    sides = [[text.encode() for text in side] for side in zip(*entries, strict=True)]
    head, table, blob = 28, 8 * len(entries), b""
    index = b""
    for side in sides:
        for text in side:
            index += struct.pack("<II", len(text), head + 2 * table + len(blob))
            blob += text + b"\0"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<7I", 0x950412DE, 0, len(entries), head, head + table, 0, 0) + index + blob)
