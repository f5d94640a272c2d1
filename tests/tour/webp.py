"""Pictures as WebP, which Chromium draws and a browser shows. An animation is frames in one more container."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

#: The chunks of a picture that a frame may contain, in their order.
PARTS: Final = (b"ALPH", b"VP8 ", b"VP8L")


def picture_of(page: Page, quality: int = 70) -> bytes:
    """Return what the window shows."""
    session = page.context.new_cdp_session(page)
    shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": quality})
    session.detach()
    return base64.b64decode(shot["data"])


def animated(frames: Sequence[tuple[bytes, int]], *, width: int, height: int) -> bytes:
    """Return an animation that repeats: pictures of the same size, each with its milliseconds.

    The layout is the one of the WebP container specification (RIFF): VP8X, ANIM, and an ANMF for each frame.
    """
    animation = 0x02
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks = [_chunk(b"VP8X", bytes([animation, 0, 0, 0]) + size), _chunk(b"ANIM", b"\xff" * 4 + b"\0\0")]
    for picture, milliseconds in frames:
        place = b"\0" * 6 + size + milliseconds.to_bytes(3, "little")
        do_not_blend = b"\x02"
        parts = b"".join(_chunk(name, body) for name, body in chunks_of(picture) if name in PARTS)
        chunks.append(_chunk(b"ANMF", place + do_not_blend + parts))
    return _riff(b"WEBP" + b"".join(chunks))


def chunks_of(picture: bytes) -> list[tuple[bytes, bytes]]:
    """Return the chunks of a WebP file: names and contents."""
    found, at = [], 12
    while at + 8 <= len(picture):
        size = int.from_bytes(picture[at + 4 : at + 8], "little")
        found.append((picture[at : at + 4], picture[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return found


def write(path: Path, picture: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)


def _riff(body: bytes) -> bytes:
    return b"RIFF" + len(body).to_bytes(4, "little") + body
