"""Made-up posts for measurements that need no real ones. The same seed always gives the same posts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

_ONSETS: Final = ("", "b", "br", "c", "ch", "d", "f", "g", "gr", "h", "l", "m", "n", "p", "r", "s", "st", "t", "w")
_VOWELS: Final = ("a", "ai", "e", "ea", "i", "o", "oo", "u")
_CODAS: Final = ("", "", "", "ck", "l", "m", "n", "nd", "r", "s", "t")
_EMOJI: Final = ("☕", "🐦", "🌧️", "👋🏽", "🔥")
_WORDS: Final = 4000


def made_posts(count: int, seed: int = 0) -> Iterator[str]:
    """Yield `count` posts of about 90 characters, with word frequencies like those of a language."""
    rng = random.Random(seed)
    words = [_word(rng) for _ in range(_WORDS)]
    shares = [1 / (rank + 3) for rank in range(_WORDS)]
    for _ in range(count):
        chosen = rng.choices(words, shares, k=rng.randint(5, 28))
        text = " ".join(chosen).capitalize() + rng.choice(".!?…")
        yield text + _extra(rng, words)


def _word(rng: random.Random) -> str:
    syllables = rng.choice((1, 1, 2, 2, 3))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables))


def _extra(rng: random.Random, words: list[str]) -> str:
    """Return something for cleaning to do: a link, an emoji, a hashtag, an entity, or mostly nothing."""
    kind = rng.random()
    if kind < 0.15:
        return " https://t.co/" + "".join(rng.choices("abcdefghijKLMNOP0123456789", k=10))
    if kind < 0.25:
        return " " + rng.choice(_EMOJI)
    if kind < 0.35:
        return f" #{rng.choice(words)} &amp; #{rng.choice(words)}"
    return ""
