"""Clean a corpus: first survey all posts, then judge each of them in their order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tweets.cleaning.auto_posts import Beginnings, begins_like, is_of_an_app
from tweets.cleaning.banned import word_finder
from tweets.cleaning.cut import is_cut
from tweets.cleaning.duplicates import Seen
from tweets.cleaning.language import LanguageCount, language_of
from tweets.cleaning.personal import PLACEHOLDERS, Kind, mask
from tweets.cleaning.rules import Change, CleaningRules, Drop, Language
from tweets.cleaning.text import text_cleaner, without_links
from tweets.sources.base import Post

_LETTER = re.compile(r"[^\W\d_]")
_EMOJI = re.compile("[\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff]")
# With dots, it's a domain, as on Bluesky. Its end is in lower case: after "@bob.", a sentence may begin.
_MENTION = re.compile(
    r"[@＠](?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[a-z]{2,}(?![\w-])|[\w.-]*\w(?=@\w)|\w+)(?:@[\w.-]+)?"
)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The cleaned text (also of a dropped post, to show it), why the post was dropped, and what changed in its text.

    masked: the personal data that placeholders replace, one kind for each.
    """

    text: str
    dropped: Drop | None
    changes: tuple[Change, ...] = ()
    masked: tuple[Kind, ...] = ()


@dataclass(frozen=True, slots=True)
class Overview:
    """What only all posts of a corpus together show."""

    language: str | None = None
    languages: tuple[tuple[str, int], ...] = ()
    beginnings: frozenset[str] = frozenset()


class Survey:
    """Survey a corpus before cleaning. It needs every post in their order, in portions of any size."""

    #: Enough posts to know the languages.
    SAMPLE = 4_000

    def __init__(self, rules: CleaningRules, total: int) -> None:
        self._beginnings = Beginnings() if rules.drop_auto else None
        self._languages = LanguageCount()
        self._step = max(1, total // self.SAMPLE)
        self._place = 0

    def look(self, texts: Sequence[str]) -> None:
        if self._beginnings:
            for text in texts:
                self._beginnings.count(text)
        for place in range(-self._place % self._step, len(texts), self._step):
            self._languages.count(texts[place])
        self._place += len(texts)

    def overview(self) -> Overview:
        found = self._languages.most_common()
        return Overview(
            language=found[0][0] if found else None,
            languages=tuple(found),
            beginnings=self._beginnings.close() if self._beginnings else frozenset(),
        )


class Cleaner:
    """Clean the posts of one corpus in their order, in portions of any size.

    What it makes of a post depends on the rules, the overview and the posts before, and on nothing else: not on
    portions, not on when or how often an import was interrupted.
    """

    def __init__(self, rules: CleaningRules, overview: Overview | None = None) -> None:
        self._rules = rules
        self._overview = overview or Overview()
        self._clean_text = text_cleaner(rules)
        self._seen = Seen(rules.duplicates)
        self._is_banned = word_finder(rules.banned_words)

    def clean(self, post: Post) -> Cleaned:
        """Return the cleaned text, and the first reason to leave the post out, if any."""
        return self.clean_all([post])[0]

    def clean_all(self, posts: Sequence[Post]) -> list[Cleaned]:
        """Clean several posts. Many at a time are faster."""
        texts = [self._text(post) for post in posts]
        reasons = [self._reason(post, text) for post, (text, *_) in zip(posts, texts, strict=True)]
        looks = self._seen.prepared(
            [None if reason else text for reason, (text, *_) in zip(reasons, texts, strict=True)]
        )
        cleaned = []
        for (text, changes, masked), reason, look in zip(texts, reasons, looks, strict=True):
            if reason is None and not self._seen.is_new(look):
                reason = Drop.DUPLICATE
            # Last, so that banning a word changes nothing for posts without it.
            if reason is None and self._is_banned(text):
                reason = Drop.BANNED
            cleaned.append(Cleaned(text, reason, changes, masked))
        return cleaned

    def judged(self, post: Post, text: str, changes: tuple[Change, ...] = ()) -> Cleaned:
        """Return what becomes of a post whose text `text_cleaner` has cleaned, by all rules that need no other post."""
        text, changes, masked = self._masked(text, changes)
        reason = self._reason(post, text)
        return Cleaned(text, Drop.BANNED if reason is None and self._is_banned(text) else reason, changes, masked)

    def _text(self, post: Post) -> tuple[str, tuple[Change, ...], tuple[Kind, ...]]:
        return self._masked(*self._clean_text(post.text))

    def _masked(self, text: str, changes: tuple[Change, ...]) -> tuple[str, tuple[Change, ...], tuple[Kind, ...]]:
        # After cleaning, because what was between the parts of a number is gone then.
        text, masked = mask(text) if self._rules.mask_personal else (text, ())
        return text, (*changes, Change.PERSONAL) if masked else changes, masked

    def _reason(self, post: Post, text: str) -> Drop | None:
        rules = self._rules
        if post.is_repost and not rules.keep_reposts:
            return Drop.REPOST
        if post.is_reply and not rules.keep_replies:
            return Drop.REPLY
        if post.is_quote and not rules.keep_quotes:
            return Drop.QUOTE
        if post.has_warning and not rules.keep_warnings:
            return Drop.WARNING
        if rules.drop_cut and is_cut(post.text, is_repost=post.is_repost):
            return Drop.CUT
        if rules.drop_auto and (is_of_an_app(post.text) or begins_like(post.text, self._overview.beginnings)):
            return Drop.AUTO
        if not text and not post.text.strip():
            return Drop.TOO_SHORT
        if not says_something(text) or _is_garbage(post.text):
            return Drop.NOT_TEXT
        if len(text) < rules.minimum_characters:
            return Drop.TOO_SHORT
        if rules.language is Language.MAIN and self._is_foreign(text):
            return Drop.LANGUAGE
        return None

    def _is_foreign(self, text: str) -> bool:
        language = language_of(text)
        return language is not None and language != self._overview.language


def says_something(text: str) -> bool:
    """Return True if there is a letter of any script, or an emoji, besides links, mentions and placeholders."""
    rest = without_links(text)
    if "[" in rest:
        for placeholder in PLACEHOLDERS:
            rest = rest.replace(placeholder, " ")
    if "@" in rest or "＠" in rest:
        rest = _MENTION.sub("", rest)
    return _LETTER.search(rest) is not None or (not rest.isascii() and _EMOJI.search(rest) is not None)


def _is_garbage(text: str) -> bool:
    """Return True if at least a tenth of the characters was lost to a wrong encoding before the import."""
    return "\ufffd" in text and text.count("\ufffd") * 10 >= len(text.strip())
