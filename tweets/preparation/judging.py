"""Clean a batch of posts, drop those that no rule keeps, and compute by what the others are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tweets.cleaning import Cleaner, Drop
from tweets.cleaning.language import language_of
from tweets.cleaning.rules import Duplicates, Form
from tweets.cleaning.text import text_cleaner
from tweets.preparation import screens
from tweets.preparation.batch import QUOTE, REPLY, REPOST, WARNING, Batch
from tweets.preparation.characters import Block
from tweets.preparation.likeness import Authors, Keys, bands_of_long, keys_of, letters_of
from tweets.preparation.recipe import Recipe
from tweets.preparation.records import Records, chosen, record_type
from tweets.sources.base import Post


@dataclass(frozen=True, slots=True)
class Judged:
    """What is kept of a batch: a record for each post, sorted by key, and their texts in UTF-8, one after the other.

    - `dropped`: how many posts each reason left out
    - `masked`: how many pieces of personal data of each kind were replaced
    """

    records: Records
    texts: bytes
    found: int
    dropped: Counter[str]
    masked: Counter[str]


@lru_cache(maxsize=1)
def judge_of(recipe: Recipe) -> Judge:
    """Return the judge of this recipe. A process keeps it."""
    return Judge(recipe)


class Judge:
    """Judge the posts of any batch: each by itself, whatever came before."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._rules = recipe.rules
        self._cleaner = Cleaner(recipe.rules)
        self._clean_text = text_cleaner(recipe.rules)
        self._authors = Authors(recipe.seed)
        self._languages = frozenset(recipe.languages)
        # A text without a clear language is kept.
        self._wanted = self._languages | {None}
        # What the rules don't drop needs no closer look.
        rules = recipe.rules
        dropped = ((REPOST, rules.keep_reposts), (REPLY, rules.keep_replies), (QUOTE, rules.keep_quotes))
        self._unwanted = sum(flag for flag, is_kept in (*dropped, (WARNING, rules.keep_warnings)) if not is_kept)

    def judge(self, batch: Batch) -> Judged:
        """Return what is kept."""
        dropped: Counter[str] = Counter()
        masked: Counter[str] = Counter()
        if not batch.count:
            return Judged(np.empty(0, record_type(near=self._is_near)), b"", 0, dropped, masked)
        texts, reasons = self._cleaned(batch, masked)
        dropped.update(str(reason) for reason in reasons if reason is not None)
        places = [place for place, reason in enumerate(reasons) if reason is None]
        who = None
        if batch.authors is not None:
            who = np.array(self._authors.hashes(batch.authors.split("\x00")), np.uint64)[places]
        records, joined, repeated = self._recorded([texts[place] for place in places], who)
        if repeated:
            dropped[str(Drop.DUPLICATE)] += repeated
        return Judged(records, joined, batch.count, dropped, masked)

    @property
    def _is_near(self) -> bool:
        return self._rules.duplicates is Duplicates.NEAR

    def _cleaned(self, batch: Batch, masked: Counter[str]) -> tuple[list[str], list[Drop | None]]:
        """Return the texts after cleaning, and why each is dropped."""
        raw = batch.texts.split("\x00")
        texts = list(raw)
        flags = _flags(batch, raw)
        block = Block(raw)
        change = screens.may_change(block)
        if self._rules.unicode is Form.NFKC:
            change |= np.maximum.reduceat(block.codes, block.starts) > 126
        for place in np.flatnonzero(change).tolist():
            texts[place] = self._clean_text(raw[place])[0]
        # Look again at the cleaned texts: without its link, a post is as plain as most.
        closer = (flags & self._unwanted > 0) | screens.may_lack_something(block)
        if self._rules.drop_auto:
            closer |= screens.may_be_of_an_app(block, raw)
        block = Block(texts)
        if self._rules.mask_personal:
            closer |= screens.may_be_personal(block)
        closer |= screens.may_say_nothing(block)
        closer |= block.ends - block.starts < self._rules.minimum_characters
        if self._rules.banned_words:
            closer[:] = True
        reasons: list[Drop | None] = [None] * len(raw)
        for place in np.flatnonzero(closer).tolist():
            post = _post(raw[place], int(flags[place]))
            cleaned = self._cleaner.judged(post, texts[place])
            texts[place], reasons[place] = cleaned.text, cleaned.dropped
            masked.update(map(str, cleaned.masked))
        if self._languages:
            for place, text in enumerate(texts):
                if reasons[place] is None and language_of(text) not in self._wanted:
                    reasons[place] = Drop.LANGUAGE
        return texts, reasons

    def _recorded(self, texts: list[str], who: Keys | None) -> tuple[Records, bytes, int]:
        """Return the records and texts of the posts without repeated ones, and how many those were."""
        letters = letters_of(texts)
        records = np.zeros(len(texts), record_type(near=self._is_near))
        if self._rules.duplicates is Duplicates.NEAR:
            records["bands"] = bands_of_long(letters)
        elif self._rules.duplicates is Duplicates.SAME:
            letters = [""] * len(texts)
        encoded = [text.encode() for text in texts]
        records["key"] = keys_of(texts, letters, self._recipe.seed)
        records["who"] = records["key"] if who is None else np.where(who == 0, records["key"], who)
        records["size"] = np.fromiter(map(len, encoded), np.uint32, len(encoded))
        order = chosen(records, encoded, repeats=self._rules.duplicates is Duplicates.KEEP)
        return records[order], b"".join([encoded[place] for place in order.tolist()]), len(texts) - len(order)


def _flags(batch: Batch, texts: Sequence[str]) -> NDArray[np.uint8]:
    """Return the flags of each post: what the source says, and what its beginning says."""
    if batch.flags is not None:
        return np.frombuffer(batch.flags, np.uint8)
    begin = [REPOST if text.startswith("RT @") else REPLY if text.startswith("@") else 0 for text in texts]
    return np.array(begin, np.uint8)


def _post(text: str, flags: int) -> Post:
    return Post(
        key="",
        text=text,
        created_at=None,
        is_repost=bool(flags & REPOST),
        is_reply=bool(flags & REPLY),
        is_quote=bool(flags & QUOTE),
        has_warning=bool(flags & WARNING),
    )
