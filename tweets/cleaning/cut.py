"""Find posts that the service cut off: retweets at 140 characters, long posts in X's old interface."""

from __future__ import annotations

import re

# "… https://t.co/abc" at the very end: the link is the one to the whole post.
_CUT_WITH_LINK = re.compile(r"…\s*+(?:(?:https?://|pic\.twitter\.com/)\S++\s*+)++\Z")
_ENDS_WITH_LINK = re.compile(r"(?:https?://|pic\.twitter\.com/|t\.co/)\S+\s*\Z")
_TAIL = 300  # characters at the end: what a cut leaves is shorter
_SHORT = range(110, 150)  # cut at 140, its link included or not
_LONG = range(255, 330)  # cut at 280
_EXACT = range(138, 141)


def is_cut(text: str, *, is_repost: bool) -> bool:
    """Return whether the end of the text is missing. Because people write "…" too, the length must also fit."""
    if "…" not in text[-_TAIL:]:
        return False
    text = text.rstrip()
    size = len(text)
    if text.endswith("…"):
        # X shows shortened links with " …" after them. There the post is complete.
        is_shown_link = _ENDS_WITH_LINK.search(text[-_TAIL:].rstrip("… ")) is not None
        return (is_repost or size in _EXACT) and not is_shown_link
    if not (is_repost or size in _SHORT or size in _LONG):
        return False
    cut = _CUT_WITH_LINK.search(text[-_TAIL:])
    return cut is not None and _ENDS_WITH_LINK.search(text[-_TAIL:][: cut.start()]) is None
