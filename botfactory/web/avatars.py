"""Faces for bots and people, drawn from their names: the same name always has the same face."""

from __future__ import annotations

import hashlib
from typing import Final

#: The parts of a face, on a square of 64. Heads are in the dark colour, eyes and mouths in the light one.
HEADS: Final = (
    '<rect x="13" y="20" width="38" height="32" rx="10"/>',
    '<path d="M13 26 24 33V26L36 33V26L51 34V46a7 7 0 0 1-7 7H30l-8 7v-7h-2a7 7 0 0 1-7-7z"/>',
    '<path d="M13 39a19 19 0 0 1 38 0v7a7 7 0 0 1-7 7H20a7 7 0 0 1-7-7z"/>',
    '<path d="M22 20h20l10 17-10 16H22L12 37z" stroke-width="5" stroke-linejoin="round"/>',
    '<circle cx="32" cy="37" r="19"/>',
)
AERIALS: Final = (
    '<path d="M32 22V10"/><circle cx="32" cy="9" r="3"/>',
    '<path d="M22 23 17 11M42 23l5-12"/>',
    '<path d="M32 22V14M25 12q7-6 14 0"/>',
    '<path d="M9 34v9M55 34v9"/>',
    '<path d="M24 21q0-9 8-9t8 9"/>',
)
EYES: Final = (
    '<circle cx="24" cy="37" r="4"/><circle cx="40" cy="37" r="4"/>',
    '<rect x="21" y="32" width="6" height="10" rx="3"/><rect x="37" y="32" width="6" height="10" rx="3"/>',
    '<rect x="19" y="33" width="26" height="8" rx="4"/>',
    '<circle cx="24" cy="37" r="5"/><rect x="36" y="35" width="9" height="4" rx="2"/>',
    '<rect x="20" y="34" width="8" height="6" rx="1.5"/><rect x="36" y="34" width="8" height="6" rx="1.5"/>',
    '<circle cx="32" cy="36" r="6.500"/>',
)
MOUTHS: Final = (
    '<rect x="26" y="46" width="12" height="3" rx="1.500"/>',
    '<path d="M25 45q7 6 14 0" fill="none" stroke-width="3" stroke-linecap="round"/>',
    '<circle cx="32" cy="47" r="2.500"/>',
    '<path d="M26 46v3M30 46v3M34 46v3M38 46v3" fill="none" stroke-width="2.500" stroke-linecap="round"/>',
    '<rect x="29" y="45" width="10" height="4" rx="2"/>',
)


def face(name: str) -> str:
    """Return the inside of an SVG with the viewBox 0 0 64 64: a face on a ground of one colour."""
    digest = hashlib.blake2b(name.strip().casefold().encode(), digest_size=8).digest()
    hue = round(digest[0] * 360 / 256)
    head, aerial, eyes, mouth = (
        parts[byte % len(parts)] for parts, byte in zip((HEADS, AERIALS, EYES, MOUTHS), digest[1:5], strict=True)
    )
    ground, dark, spark = f"hsl({hue} 55% 84%)", f"hsl({hue} 42% 32%)", f"hsl({(hue + 160) % 360} 70% 82%)"
    return (
        f'<path fill="{ground}" d="M0 0h64v64H0z"/>'
        f'<g fill="none" stroke="{dark}" stroke-width="3" stroke-linecap="round">{aerial}</g>'
        f'<g fill="{dark}" stroke="{dark}" stroke-width="0">{head}</g>'
        f'<g fill="{spark}" stroke="{spark}" stroke-width="0">{eyes}</g>'
        f'<g fill="{ground}" stroke="{ground}" stroke-width="0">{mouth}</g>'
    )
