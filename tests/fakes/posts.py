"""English posts made from word lists. The same seed always gives the same posts."""

from __future__ import annotations

import random

_TIMES = [
    "This morning",
    "Last night",
    "On the train",
    "Before breakfast",
    "Again today",
    "Somehow",
    "At the market",
    "On Sunday",
    "In the rain",
    "After work",
]
_WHO = [
    "my neighbour",
    "the baker",
    "our old cat",
    "a tired gardener",
    "the night bus driver",
    "my sister",
    "a very small dog",
    "the librarian",
    "the kettle",
    "a stubborn pigeon",
    "the new intern",
    "my grandfather",
]
_DID = [
    "borrowed",
    "painted",
    "lost",
    "repaired",
    "photographed",
    "praised",
    "hid",
    "carried home",
    "argued about",
    "named",
    "counted",
    "forgot",
]
_WHAT = [
    "three umbrellas",
    "a broken radio",
    "the last tomato",
    "an enormous map",
    "twelve teaspoons",
    "a letter from Lisbon",
    "the blue bicycle",
    "a jar of plum jam",
    "the wrong suitcase",
    "a book about moss",
    "the garden gate",
    "seven odd socks",
]
_WHY = [
    "because the moon was full",
    "to win a bet",
    "without a word",
    "and nobody minded",
    "for reasons of its own",
    "as one does",
    "which explains the noise",
    "and I have questions",
    "just before the storm",
    "with great dignity",
]
_END = [
    ".",
    ".",
    ".",
    "!",
    " ☕",
    " 🌧️",
    " 🐦",
    "…",
    ". Tea helps.",
    ". More news at eleven.",
    " #smalltown",
    ". What a week!",
]
_OPINIONS = [
    "Nothing beats",
    "I will always defend",
    "Nobody warned me about",
    "Today I learned about",
    "Unpopular opinion:",
    "Let us talk about",
    "I miss",
    "Ten out of ten for",
]
_THINGS = [
    "warm bread",
    "slow elevators",
    "handwritten notes",
    "empty museums",
    "long tables",
    "second-hand maps",
    "quiet trains",
    "the smell of rain",
    "burnt toast",
    "wool blankets",
    "a good pencil",
    "winter light",
]
_PLACES = [
    "in a small town",
    "on a Tuesday",
    "after midnight",
    "near the harbour",
    "at the edge of the map",
    "between two meetings",
    "in November",
    "with old friends",
]


def make_posts(count: int, seed: int = 0) -> list[str]:
    """`count` posts that differ in more than their end, 30 to 160 characters each, newest first. At most 100,000."""
    rng = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        if rng.random() < 0.65:
            text = f"{rng.choice(_TIMES)} {rng.choice(_WHO)} {rng.choice(_DID)} {rng.choice(_WHAT)} {rng.choice(_WHY)}"
        else:
            text = f"{rng.choice(_OPINIONS)} {rng.choice(_THINGS)} and {rng.choice(_THINGS)} {rng.choice(_PLACES)}"
        found.setdefault(text, text + rng.choice(_END))
    return list(found.values())


def make_long_post(seed: int = 0, sentences: int = 12) -> str:
    """One post far beyond 280 characters, in paragraphs."""
    parts = make_posts(sentences, seed=seed + 1000)
    return "\n\n".join(" ".join(parts[i : i + 4]) for i in range(0, sentences, 4))
