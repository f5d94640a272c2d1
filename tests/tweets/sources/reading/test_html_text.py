from __future__ import annotations

import html
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweets.sources.reading.html_text import LONGEST, text_of_html
from tweets.sources.reading.links import whole_link

_LINK = (
    '<a href="https://example.com/a/long/path" rel="nofollow noopener" translate="no"><span class="invisible">https://'
    '</span><span class="ellipsis">example.com/a/lo</span><span class="invisible">ng/path</span></a>'
)
_MENTION = '<span class="h-card"><a href="https://a.example/@b" class="u-url mention">@<span>b</span></a></span>'


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>One.</p><p>Two.<br>Three.<br/>Four.</p>", "One.\n\nTwo.\nThree.\nFour."),
        (
            "<p>1 &lt; 2 &amp;&amp; 3 &gt; 2, &quot;so&quot; &#39;there&#39; &hellip;</p>",
            "1 < 2 && 3 > 2, \"so\" 'there' …",
        ),
        ("<p>typed as &amp;lt;b&amp;gt;</p>", "typed as &lt;b&gt;"),
        (f"<p>Read {_LINK} today</p>", "Read https://example.com/a/long/path today"),
        (f"<p>{_MENTION} hello</p>", "@b hello"),
        (
            '<p>It is <a href="https://a.example/tags/moss" class="mention hashtag">#<span>moss</span></a></p>',
            "It is #moss",
        ),
        ('<a href="https://example.com/x/y">example.com/x…</a>', "https://example.com/x/y"),
        ('<a href="https://example.com/x/y">in these words</a>', "in these words"),
        ('<a href="https://a.example/@b" class="mention">a.example/@b</a>', "a.example/@b"),
        ("<p>a <strong>b</strong> <em>c</em><del>d</del> <code>e</code></p>", "a b cd e"),
        ("<blockquote><p>said</p></blockquote><p>answered</p>", "said\n\nanswered"),
        ("<ul><li>one</li><li>two</li></ul>after", "- one\n- two\n\nafter"),
        ("<p>a\n   b\t c</p>", "a b c"),
        ("<pre>a\n  b</pre>", "a\nb"),
        ('<p class="quote-inline">RE: <a href="https://a.example/1">a.example/1</a></p><p>Quite.</p>', "Quite."),
        ("<p>one<script>alert(1)</script><style>p {}</style></p>two", "one\n\ntwo"),
        ('<p>a <img class="emoji" alt="☕" src="x.png"> b</p>', "a ☕ b"),
        ("no tags at all", "no tags at all"),
        ("five > four", "five > four"),
        ("", ""),
        ("<p></p><p><br></p>", ""),
        ("<p>open <b>for ever", "open for ever"),
        ("</p></div>closed</b>", "closed"),
        ("<p>3 < 4</p>", "3 < 4"),
        ("<p>broken <a href='x\">tag</p>", "broken tag"),
        ("<!-- a comment --><p>seen</p>", "seen"),
        ("<![foo[ x<br>", ""),
    ],
)
def test_the_text_is_what_a_reader_sees(content: str, text: str) -> None:
    assert text_of_html(content) == text


def test_a_servers_own_emoji_go_and_other_colons_stay() -> None:
    content = "<p>good :blobcat: morning at 10:30 :coffee: :no_such:</p>"
    assert text_of_html(content, pictures={"blobcat", "coffee"}) == "good morning at 10:30 :no_such:"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), max_size=200))
def test_what_was_typed_comes_back(text: str) -> None:
    assert text_of_html(f"<p>{html.escape(text)}</p>") == text


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<br>",
                "<a href='",
                '"',
                "'",
                ">",
                "<",
                "&",
                "&lt;",
                "x",
                "<![",
                "<!--",
                "-->",
                "<?",
                "</",
                "<script>",
                "<pre>",
                "</pre>",
                "<a>",
                "</a>",
                "<p class=quote-inline>",
                "\x00",
                "\ud800",
            ]
        ),
        max_size=40,
    )
)
def test_whatever_a_server_sends_is_text(pieces: list[str]) -> None:
    text = text_of_html("".join(pieces))
    assert text == text.strip()


@pytest.mark.parametrize(
    "piece",
    [
        "<a",
        "<!--",
        "<",
        "&",
        "</",
        "<?",
        "<!d",
        "<![",
        '<a b="',
        "<a b=\"'\" c='>",
        "<a b='\">",
        "<p>x",
        "<a>",
        "<script>",
        "<a =",
        "< ",
        "<a ''",
    ],
)
def test_no_input_takes_long(piece: str) -> None:
    content = (piece * LONGEST)[:LONGEST]
    started = time.process_time()
    text_of_html(content)
    text_of_html(content[: content.rfind(">") + 1])
    assert time.process_time() - started < 6


@pytest.mark.parametrize(
    ("shown", "address", "whole"),
    [
        ("example.com/a-ver...", "https://example.com/a-very-long", True),
        ("example.com/a-ver…", "https://www.example.com/a-very-long", True),
        ("example.com", "https://example.com/", True),
        ("www.example.com/", "http://example.com", True),
        ("Example.com", "https://example.com/path", True),
        ("https://example.com/a", "https://example.com/a", True),
        ("another.example", "https://example.com/", False),
        ("this post", "https://example.com/this", False),
        ("this", "https://this.example/", False),
        ("", "https://example.com/", False),
        ("...", "https://example.com/", False),
        ("example.com", "javascript:alert(1)", False),
        ("example.com", "", False),
    ],
)
def test_a_link_is_made_whole_only_where_it_was_shortened(shown: str, address: str, whole: bool) -> None:
    assert whole_link(shown, address) == (address if whole else shown)
