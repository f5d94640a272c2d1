"""Find posts that apps wrote: by the sentences of well-known apps, and by repeated beginnings."""

from __future__ import annotations

import re
from collections import Counter

from tweets.cleaning.text import has_link, without_links

_WORDS = 4
_MIN = 30
_SHARE = 0.02
_WORD = re.compile(r"[^\W\d_]+")

#: How posts of apps begin. The rest is the app's too, or a title that somebody else wrote.
_BEGINNINGS = re.compile(
    r"\W*(?:"
    r"i(?:'m|’m| am) at [^.!?]{1,120}(?:\(|w/ ).{0,80}https?:"
    r"|i(?:'ve|’ve)? (?:just )?(?:unlocked|ousted|earned the|reached level|became the mayor|checked in (?:at|to)"
    r"|entered to win|signed the petition|backed .{1,80}@?kickstarter|completed a [\d.,]+ ?(?:km|mi))"
    r"|i (?:just )?(?:liked|favorited|uploaded|added|subscribed to) (?:an? )?(?:video|@?youtube)"
    r"|i(?:'m|’m| am) (?:listening to|watching|playing|reading) .{1,120}(?:@getglue|@goodreads)"
    r"|i posted \d+ (?:photos?|videos?)"
    r"|i(?:'m|’m| am) earning #?mplusrewards"
    r"|i (?:just )?(?:ran|walked|biked|cycled) [\d.,]+ ?(?:km|mi|miles|kilometers) (?:with|on) "
    r"|just (?:posted a (?:photo|video)|completed a [\d.,]+ ?(?:km|mi))"
    r"|(?:my week on|how i did on) twitter|my (?:top \d+ |week on )#?last\.?fm"
    r"|today stats:|\d+ (?:new )?(?:followers?|people followed me|tweeps unfollowed|unfollowers?)"
    r"|(?:one|\d+) (?:people|person|user|tweep)s? (?:un)?followed me"
    r"|check out my broadcast|live from my playstation"
    r"|#?now ?playing\b.{0,150}(?:https?:|@spotify)|[♫♬]"
    r"|photo(?:set)?: +(?:https?:|.{1,120}tumblr)|posted a new (?:photo|song)|https?:\S+ #instagram"
    r"|drinking an? .{1,100} by .{1,60}https?:"
    r"|wordle \d|nerdle|worldle|heardle|framed #\d|daily quordle"
    r"|(?:the latest )?[^.!?]{1,60}(?:daily|weekly) is out!"
    r"|[^.!?]{1,60} is out! ?https?:\S+ \W{0,2}(?:top )?stories"
    r"|the latest [^.!?]{1,60}! https?:\S+ thanks to"
    r")",
    re.IGNORECASE | re.DOTALL,
)
#: Signatures of apps at the end, after hardly any words of the person.
_SIGNED = re.compile(
    r".{0,100}(?:\bvia (?:swarm|foursquare|nike\+|runkeeper|fitbit|strava|unfollowspy)|#runkeeper|#nikeplus|#endomondo"
    r"|#gameinsight)|.{0,30}(?:#ps4share|#ps4live|#ps5share|#xboxshare|#nintendoswitch)\W*https?:",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST = 400  # characters; no app writes more
_HEAD = 120


def is_of_an_app(text: str) -> bool:
    """Return True for the sentence of a well-known app."""
    text = text[:_LONGEST]
    if _BEGINNINGS.match(text):
        return True
    return ("#" in text or "via" in text) and _SIGNED.match(text) is not None


class Beginnings:
    """Count how the posts of a corpus begin, before the first post is judged."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._posts = 0

    def count(self, text: str) -> None:
        self._posts += 1
        beginning = _beginning(text)
        if beginning:
            self._counts[beginning] += 1

    def close(self) -> frozenset[str]:
        """Return the beginnings that more than 30 posts with a link, and more than 2 % of all posts, share."""
        most = max(_MIN, self._posts * _SHARE)
        often = frozenset(beginning for beginning, count in self._counts.items() if count > most)
        self._counts.clear()
        return often


def begins_like(text: str, beginnings: frozenset[str]) -> bool:
    """Return True for a post with a link that begins with one of these."""
    return bool(beginnings) and _beginning(text) in beginnings


def _beginning(text: str) -> str:
    """Return the first four words of a text with a link; "" for other texts and shorter ones."""
    if text.startswith(("@", "RT @")) or not has_link(text):  # replies and reposts aren't from an app
        return ""
    words = _WORD.findall(without_links(text[:_HEAD]).casefold())[:_WORDS]
    return " ".join(words) if len(words) == _WORDS else ""
