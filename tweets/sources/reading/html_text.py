"""Turn the HTML of a post into the text that people see, with complete links."""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from html.parser import HTMLParser

from tweets.sources.reading.links import whole_link

LONGEST = 100_000  # characters of HTML; no post is longer
_PARAGRAPHS = frozenset({"p", "blockquote", "pre", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6"})
_LINES = frozenset({"div", "li", "tr"})
_UNSEEN = frozenset({"script", "style", "template", "title"})
_EMPTY = frozenset({"br", "img", "hr", "wbr", "input", "meta", "link"})  # these have no end tag
_BARE = re.compile(r"<(?![a-zA-Z/!?])")
# Every tag and quote is closed before the next begins. On other input, html.parser can take quadratic time, and no
# network writes such posts.
_WELL_FORMED = re.compile(r"""(?:[^<]|<[a-zA-Z/](?:[^<>"']|"[^"<]*"|'[^'<]*')*+>)*+""")
_LINE_END = re.compile(r"<(?:br|/p|/li|/div|/h[1-6])\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>?")
_SHORTCODE = re.compile(r":([A-Za-z0-9_]+):")


def text_of_html(content: str, *, pictures: Collection[str] = ()) -> str:
    """Return the text: a blank line between paragraphs, links with their full address, no tags.

    `pictures` are the names of a server's own emoji. Each `:name:` of one is removed: outside the server it's noise.
    """
    content = _BARE.sub("&lt;", content[:LONGEST])
    if _WELL_FORMED.fullmatch(content):
        reader = _Reader()
        reader.feed(content)
        reader.close()
        text = reader.text()
    else:
        text = html.unescape(_TAG.sub("", _LINE_END.sub("\n", content)))
    if pictures:
        text = _SHORTCODE.sub(lambda code: "" if code.group(1) in pictures else code.group(), text)
        text = re.sub(r"[ \t]{2,}", " ", text)
    text = "\n".join(line.strip(" \t") for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


class _Reader(HTMLParser):
    """Collect the text, including the parts of a link that the network hides to shorten it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._links: list[tuple[int, str]] = []  # where the text of an open link begins, and its address
        self._unseen: list[str] = []  # the open elements, from the first hidden one on
        self._preformatted = 0

    def text(self) -> str:
        return "".join(self._parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = given.get("class", "").split()
        # Mastodon writes "RE: address" above a quoted post, for servers without quotes.
        if self._unseen or tag in _UNSEEN or "quote-inline" in classes:
            if tag not in _EMPTY:
                self._unseen.append(tag)
            return
        if tag == "br":
            self._parts.append("\n")
        elif tag == "img":
            self._parts.append(given.get("alt", ""))
        elif tag == "a":
            address = "" if {"mention", "hashtag"} & set(classes) else given.get("href", "")
            self._links.append((len(self._parts), address))
        elif tag == "li":
            self._parts.append("\n- ")
        else:
            self._break(tag)
        self._preformatted += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            if tag in self._unseen:
                while self._unseen.pop() != tag:
                    pass
            return
        if tag == "a" and self._links:
            start, address = self._links.pop()
            self._parts[start:] = [whole_link("".join(self._parts[start:]), address)]
        elif tag != "li":
            self._break(tag)
        if tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._parts.append(data if self._preformatted else re.sub(r"[ \t\r\n\f]+", " ", data))

    def _break(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self._parts.append("\n\n")
        elif tag in _LINES:
            self._parts.append("\n")
