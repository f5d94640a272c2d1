"""A person's posts as the product would learn them, cut by age; and the base corpus for those who need it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from models_app.ml.training.dataset import stream_posts
from models_app.ml.vocabulary import UTF8_BYTES
from models_app.ml.vocabulary.utf8_bytes import END
from tweets.cleaning import Cleaner, CleaningRules, Survey
from tweets.sources import Post, SourceSettings, open_source

from .common import ROOT, say
from .posts import made_posts


@dataclass(frozen=True, slots=True)
class Persona:
    """Cleaned posts, oldest first in each part; the parts themselves are older to newer: train, validation, test."""

    name: str
    found: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def posts(self) -> int:
        """Returns how many posts there are, of all parts."""
        return len(self.train) + len(self.validation) + len(self.test)

    @property
    def characters(self) -> int:
        """Returns the characters of the training part, end marks not counted."""
        return sum(map(len, self.train))

    def fingerprint(self) -> str:
        """Returns what tells these posts, so cut, from others."""
        text = json.dumps([self.train, self.validation, self.test])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_persona(path: Path, *, newest: int, kept: int = 0, rules: CleaningRules | None = None) -> Persona:
    """Returns the newest found posts of a file that begins with the newest, cleaned as an import cleans them.

    With `kept` only that many of those that cleaning keeps, the newest ones.
    """
    source = open_source("file", path=path, settings=SourceSettings(page_size=1000))
    found = list(islice((post for page in source.pages() for post in page.posts), newest))
    texts = cleaned(found, rules or CleaningRules())[: kept or None]
    return Persona(path.name.partition(".")[0], len(found), *by_age(texts[::-1]))


def together(personas: Sequence[Persona]) -> Persona:
    """Returns all as one: the training posts of each in one part, so their validation posts, so the newest."""
    return Persona(
        "together",
        sum(persona.found for persona in personas),
        tuple(post for persona in personas for post in persona.train),
        tuple(post for persona in personas for post in persona.validation),
        tuple(post for persona in personas for post in persona.test),
    )


def cleaned(posts: Sequence[Post], rules: CleaningRules) -> list[str]:
    """Returns the texts that are learned from, in the posts' order."""
    survey = Survey(rules, len(posts))
    survey.look([post.text for post in posts])
    outcomes = Cleaner(rules, survey.overview()).clean_all(posts)
    return [outcome.text for outcome in outcomes if outcome.dropped is None]


def by_age(posts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Returns the oldest 80 %, the next 10 % and the newest 10 % of posts given oldest first.

    Raises ValueError below 10 posts, of which no tenth can be taken.
    """
    tenth = round(len(posts) / 10)
    if len(posts) < 10:
        raise ValueError(f"{len(posts)} posts are too few to split 80/10/10. You need at least 10.")
    end = len(posts) - tenth
    return tuple(posts[: end - tenth]), tuple(posts[end - tenth : end]), tuple(posts[end:])


def characters_and_marks(posts: Sequence[str]) -> int:
    """Returns what code lengths are divided by: Unicode characters and one end mark a post (evaluation.py)."""
    return sum(len(post) + 1 for post in posts)


def joined(posts: Iterator[str] | Sequence[str]) -> bytes:
    """Returns the posts as symbols, each with its end mark behind it."""
    mark = bytes([END])
    return b"".join(UTF8_BYTES.encode(post).tobytes() + mark for post in posts)


def data_folder() -> Path:
    """Returns where the real posts are: BOTFACTORY_DATA, by default ../shared/data."""
    return Path(os.environ.get("BOTFACTORY_DATA") or ROOT.parent / "shared" / "data")


def base_corpus() -> list[Path]:
    """Returns the files that the base model learned from; none where the real posts are not at hand."""
    return sorted((data_folder() / "corpus").glob("train-*.txt.xz"))


def some_posts(count: int) -> list[str]:
    """Returns the first posts of the base corpus, or as many made ones where it is not at hand."""
    return list(islice(stream_posts(files) if (files := base_corpus()) else made_posts(count), count))


def first_megabytes(paths: Sequence[Path], megabytes: float) -> bytes:
    """Returns that many megabytes (10^6 symbols, cut behind a post) of the files, as `joined` gives them."""
    parts, left = [], int(megabytes * 1e6)
    for post in stream_posts(paths):
        if left <= 0:
            break
        parts.append(joined([post]))
        left -= len(parts[-1])
    return b"".join(parts)


class BaseCorpus:
    """The first megabytes of the base corpus, read once, for whoever learns from them beside the persona."""

    def __init__(self, megabytes: float) -> None:
        self.megabytes = megabytes

    @cached_property
    def symbols(self) -> bytes:
        if not (files := base_corpus()):
            raise SystemExit(
                f"The base corpus, corpus/train-*.txt.xz, is not in {data_folder()}. Name the folder that holds it in "
                "BOTFACTORY_DATA, or leave kneser_ney, ppmd and --mixed out."
            )
        say(f"reading {self.megabytes:g} MB of the base corpus")
        return first_megabytes(files, self.megabytes)

    @cached_property
    def _posts(self) -> list[bytes]:
        return self.symbols.split(bytes([END]))[:-1]

    def some_posts(self, characters: int, seed: int) -> tuple[str, ...]:
        """Returns posts chosen by chance, no two the same one, until they have at least so many characters.

        Fewer where the corpus has no more.
        """
        chosen, left = [], characters
        for place in np.random.default_rng(seed).permutation(len(self._posts)):
            if left <= 0:
                break
            chosen.append(self._posts[place].decode())
            left -= len(chosen[-1])
        return tuple(chosen)

    def described(self) -> dict[str, Any]:
        """Returns what tells this part of the corpus from others."""
        return {"megabytes": self.megabytes, "files": [[path.name, path.stat().st_size] for path in base_corpus()]}
