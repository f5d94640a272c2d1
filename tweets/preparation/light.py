"""Take the most common steps of cleaning for many posts at a time: in one long text instead of in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tweets.cleaning import CleaningRules, Links
from tweets.cleaning.text import PLACEHOLDER, light_cleaner, with_links_as
from tweets.preparation.characters import MARK

_OTHERS: Final = {Links.DROP: " ", Links.PLACEHOLDER: PLACEHOLDER}


class LightCleaner:
    """Give for each text what `light_cleaner` gives."""

    def __init__(self, rules: CleaningRules) -> None:
        self._one = light_cleaner(rules)
        self._link = _OTHERS.get(rules.links)

    def cleaned(self, texts: Sequence[str]) -> list[str]:
        """Return the texts after cleaning. None contains MARK, and plain spaces and breaks are their only spaces."""
        found = list(texts)
        together = []
        for place, text in enumerate(texts):
            # Entities and line breaks have rules of their own, and so have brackets around a link.
            if "&" in text or "(" in text or "[" in text or "\n" in text or "\t" in text:
                found[place] = self._one(text)
            else:
                together.append(place)
        for place, text in zip(together, self._together([texts[place] for place in together]), strict=True):
            found[place] = text
        return found

    def _together(self, texts: Sequence[str]) -> list[str]:
        if not texts:
            return []
        joined = MARK + MARK.join(texts) + MARK
        if self._link is not None:
            # No link contains the mark, and a link may begin after it as at the beginning of a text.
            joined = with_links_as(self._link, joined)
        while "  " in joined:
            joined = joined.replace("  ", " ")
        return joined.replace(" " + MARK, MARK).replace(MARK + " ", MARK)[1:-1].split(MARK)
