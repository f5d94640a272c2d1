"""Posts that the service itself cut: a retweet at 140 characters, a long post as the old interface of X gave it out."""

from __future__ import annotations

import re

# "… https://t.co/abc" at the very end: the link is the one to the whole post.
_CUT_WITH_LINK = re.compile(r"…\s*+(?:(?:https?://|pic\.twitter\.com/)\S++\s*+)++\Z")
_ENDS_WITH_LINK = re.compile(r"(?:https?://|pic\.twitter\.com/|t\.co/)\S+\s*\Z")
_TAIL = 300  # characters looked at: what a cut leaves behind is shorter
_SHORT = range(110, 150)  # cut at 140, its link included or not
_LONG = range(255, 330)  # cut at 280
_EXACT = range(138, 141)


def is_cut(text: str, *, is_repost: bool) -> bool:
    """True where the end of the text is missing. People write "…" too: of their posts the length has to fit as well."""
    if "…" not in text[-_TAIL:]:
        return False
    text = text.rstrip()
    size = len(text)
    if text.endswith("…"):
        # The page of X shows a link with " …" behind it: there the link was shortened, not the post.
        is_shown_link = _ENDS_WITH_LINK.search(text[-_TAIL:].rstrip("… ")) is not None
        return (is_repost or size in _EXACT) and not is_shown_link
    if not (is_repost or size in _SHORT or size in _LONG):
        return False
    cut = _CUT_WITH_LINK.search(text[-_TAIL:])
    return cut is not None and _ENDS_WITH_LINK.search(text[-_TAIL:][: cut.start()]) is None
