"""Judges finished drafts: what becomes a post, and why the others are rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from models_app.ml.config import SamplingConfig
from models_app.ml.words import words

from . import links, mentions
from .banned_words import BanList, HouseBanList
from .copy_guard import CopyGuard

#: What a bot adds to a prompt is compared by itself from this many words on. Shorter endings are often common phrases.
MIN_ADDED: Final = 6

#: Returns whether a post contains personal data beyond its prompt.
HasPersonal = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the drafts of a request. `accept` is one more check of copies; the settings decide which checks count."""

    config: SamplingConfig
    guard: CopyGuard | None
    house: HouseBanList | None
    personal: HasPersonal | None
    accept: Callable[[str], bool] | None
    banned: BanList

    @classmethod
    def of(
        cls,
        config: SamplingConfig,
        *,
        guard: CopyGuard | None,
        house: HouseBanList | None,
        personal: HasPersonal | None,
        accept: Callable[[str], bool] | None,
    ) -> Judge:
        guard = guard if config.copy_guard else None
        personal = personal if config.personal_guard else None
        return cls(config, guard, house, personal, accept, BanList(config.banned))

    @property
    def knows_copies(self) -> bool:
        """Whether there is anything to compare posts with."""
        return bool(self.guard) or self.accept is not None

    def refused(self, text: str) -> str | None:
        """Return why a draft is rejected, as a name of `Refused`, or None if it becomes a post."""
        config = self.config
        if text.strip() == config.prompt.strip():
            return "empty"
        if any(self._is_copy(part) for part in self._parts(text)):
            return "copies"
        if self.banned.finds(text):
            return "banned"
        if self.house is not None and self.house.finds(text):
            return "house"
        if self.personal is not None and self.personal(text, config.prompt):
            return "personal"
        if config.link_guard and links.adds(text, config.prompt):
            return "links"
        return "mentions" if config.mask_mentions and mentions.adds(text, config.prompt) else None

    def _parts(self, text: str) -> Iterator[str]:
        """Yield what must not be a copy: the text, and what the bot added, because a long prompt could hide a copy."""
        yield text
        added = text[len(self.config.prompt) :]
        if self.config.prompt and len(words(added)) >= MIN_ADDED:
            yield added

    def _is_copy(self, text: str) -> bool:
        if self.guard is not None and self.guard.is_copy(text):
            return True
        return self.accept is not None and not self.accept(text)
