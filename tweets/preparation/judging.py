"""Clean a batch of posts, drop those that no rule keeps, and compute by what the others are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from tweets.cleaning import Cleaner, Drop
from tweets.cleaning.auto_posts import is_of_an_app
from tweets.cleaning.cleaner import says_something
from tweets.cleaning.language import language_of
from tweets.cleaning.personal import find
from tweets.cleaning.rules import Duplicates, Form, Links
from tweets.cleaning.text import text_cleaner
from tweets.preparation import screens
from tweets.preparation.batch import QUOTE, REPLY, REPOST, WARNING, Batch
from tweets.preparation.characters import Block
from tweets.preparation.light import LightCleaner
from tweets.preparation.likeness import Authors, Keys, bands_of_long, keys_of, looks_of
from tweets.preparation.recipe import Recipe
from tweets.preparation.records import Records, chosen, record_type
from tweets.sources.base import Post

#: Posts that are looked at together. Their arrays fit into the processor's cache.
_TOGETHER: Final = 2_000
_REASONS: Final = ((REPOST, Drop.REPOST), (REPLY, Drop.REPLY), (QUOTE, Drop.QUOTE), (WARNING, Drop.WARNING))


@dataclass(frozen=True, slots=True)
class Judged:
    """What is kept of a batch: a record for each post, sorted by key, and their texts in UTF-8, one after the other.

    - `dropped`: how many posts each reason left out
    - `masked`: how many pieces of personal data of each kind were replaced in posts that no rule drops
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
        self._light = LightCleaner(recipe.rules)
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
        reasons: list[Drop | None] = [None] * len(raw)
        ascii_ones: list[int] = []
        others: list[int] = []
        for place, (text, flag) in enumerate(zip(raw, flags, strict=True)):
            if flag & self._unwanted:
                reasons[place] = next(reason for bit, reason in _REASONS if bit & flag & self._unwanted)
            elif text.isascii():
                ascii_ones.append(place)
            else:
                others.append(place)
        for places in (ascii_ones, others):
            for start in range(0, len(places), _TOGETHER):
                some = places[start : start + _TOGETHER]
                cleaned = self._some_cleaned([raw[place] for place in some], [flags[place] for place in some], masked)
                for place, text, reason in zip(some, *cleaned, strict=True):
                    texts[place] = text
                    reasons[place] = reason
        return texts, reasons

    def _some_cleaned(
        self, raw: list[str], flags: list[int], masked: Counter[str]
    ) -> tuple[list[str], list[Drop | None]]:
        rules = self._rules
        texts = list(raw)
        block = Block(raw)
        links = rules.links is not Links.KEEP
        change, hard = screens.may_change(block, links=links)
        if rules.unicode is Form.NFKC and not block.joined.isascii():
            hard[:] = True
        light = np.flatnonzero(change & ~hard)
        rest = np.flatnonzero(hard).tolist()
        if light.size:
            lighter = self._light.cleaned([raw[place] for place in light.tolist()])
            for place, text in zip(light.tolist(), lighter, strict=True):
                texts[place] = text
            # A text that may still change needs all steps.
            rest += light[screens.may_change(Block(lighter), links=links)[0]].tolist()
        for place in rest:
            texts[place] = self._clean_text(raw[place])[0]
        closer = screens.may_lack_something(block)
        if rules.drop_auto:
            for place in np.flatnonzero(screens.may_be_of_an_app(block, raw)).tolist():
                closer[place] |= is_of_an_app(raw[place])
        if light.size or rest:
            block = Block(texts)
        closer |= block.ends - block.starts < rules.minimum_characters
        for place in np.flatnonzero(screens.may_say_nothing(block, texts) & ~closer).tolist():
            closer[place] = not says_something(texts[place])
        if rules.mask_personal:
            for place in np.flatnonzero(screens.may_be_personal(block, texts) & ~closer).tolist():
                closer[place] = bool(find(texts[place]))
        if rules.banned_words:
            closer[:] = True
        reasons: list[Drop | None] = [None] * len(raw)
        for place in np.flatnonzero(closer).tolist():
            cleaned = self._cleaner.judged(_post(raw[place], flags[place]), texts[place])
            texts[place], reasons[place] = cleaned.text, cleaned.dropped
            if cleaned.dropped is None:
                masked.update(map(str, cleaned.masked))
        if self._languages:
            for place, text in enumerate(texts):
                if reasons[place] is None and language_of(text) not in self._wanted:
                    reasons[place] = Drop.LANGUAGE
        return texts, reasons

    def _recorded(self, texts: list[str], who: Keys | None) -> tuple[Records, bytes, int]:
        """Return the records and texts of the posts without repeated ones, and how many those were."""
        looks = looks_of(texts, letters=self._is_near)
        records = np.zeros(len(texts), record_type(near=self._is_near))
        if self._is_near:
            records["bands"] = bands_of_long(looks.letters)
        encoded = [text.encode() for text in texts]
        records["key"] = keys_of(looks, self._recipe.seed)
        records["who"] = records["key"] if who is None else np.where(who == 0, records["key"], who)
        records["size"] = np.fromiter(map(len, encoded), np.uint32, len(encoded))
        order = chosen(records, encoded, repeats=self._rules.duplicates is Duplicates.KEEP)
        return records[order], b"".join([encoded[place] for place in order.tolist()]), len(texts) - len(order)


def _flags(batch: Batch, texts: Sequence[str]) -> Sequence[int]:
    """Return the flags of each post: what the source says, or what its beginning says."""
    if batch.flags is not None:
        return batch.flags
    return [REPOST if text.startswith("RT @") else REPLY if text.startswith("@") else 0 for text in texts]


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
