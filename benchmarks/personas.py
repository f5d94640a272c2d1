"""A person's posts as the product would learn them, split by age, and the base corpus."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from models_app.ml.training.dataset import stream_posts
from models_app.ml.vocabulary import UTF8_BYTES
from models_app.ml.vocabulary.utf8_bytes import END
from tweets.cleaning import Cleaner, CleaningRules, Survey
from tweets.sources import Post, SourceSettings, open_source

from .common import ROOT
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
        """Return the number of posts in all parts."""
        return len(self.train) + len(self.validation) + len(self.test)

    @property
    def characters(self) -> int:
        """Return the number of characters in the training part, without end marks."""
        return sum(map(len, self.train))

    def fingerprint(self) -> str:
        """Return an identifier of these posts with this split."""
        text = json.dumps([self.train, self.validation, self.test])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_persona(path: Path, *, newest: int, rules: CleaningRules | None = None) -> Persona:
    """Return the newest posts of a file that is sorted newest first, cleaned as in an import."""
    source = open_source("file", path=path, settings=SourceSettings(page_size=1000))
    found = list(islice((post for page in source.pages() for post in page.posts), newest))
    texts = cleaned(found, rules or CleaningRules())
    return Persona(path.name.partition(".")[0], len(found), *by_age(texts[::-1]))


def cleaned(posts: Sequence[Post], rules: CleaningRules) -> list[str]:
    """Return the texts that are learned from, in the posts' order."""
    survey = Survey(rules, len(posts))
    survey.look([post.text for post in posts])
    outcomes = Cleaner(rules, survey.overview()).clean_all(posts)
    return [outcome.text for outcome in outcomes if outcome.dropped is None]


def by_age(posts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the oldest 80 %, the next 10 % and the newest 10 % of posts given oldest first.

    Raises ValueError for fewer than 10 posts, because they have no tenth.
    """
    tenth = round(len(posts) / 10)
    if len(posts) < 10:
        raise ValueError(f"{len(posts)} posts are too few to split 80/10/10. You need at least 10.")
    end = len(posts) - tenth
    return tuple(posts[: end - tenth]), tuple(posts[end - tenth : end]), tuple(posts[end:])


def characters_and_marks(posts: Sequence[str]) -> int:
    """Return the divisor of code lengths: Unicode characters plus one end mark per post (evaluation.py)."""
    return sum(len(post) + 1 for post in posts)


def joined(posts: Iterator[str] | Sequence[str]) -> bytes:
    """Return the posts as symbols, each followed by its end mark."""
    mark = bytes([END])
    return b"".join(UTF8_BYTES.encode(post).tobytes() + mark for post in posts)


def data_folder() -> Path:
    """Return where the real posts are: BOTFACTORY_DATA, by default ../shared/data."""
    return Path(os.environ.get("BOTFACTORY_DATA") or ROOT.parent / "shared" / "data")


def base_corpus() -> list[Path]:
    """Return the files that the base model learned from, or none if the real posts aren't available."""
    return sorted((data_folder() / "corpus").glob("train-*.txt.xz"))


def some_posts(count: int) -> list[str]:
    """Return the first posts of the base corpus, or as many made-up ones if it isn't available."""
    return list(islice(stream_posts(files) if (files := base_corpus()) else made_posts(count), count))
