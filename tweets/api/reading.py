"""The content of a corpus: its report, and its posts one by one."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router
from pydantic import Field

from botfactory.rest.errors import bad_value
from botfactory.rest.paging import DEFAULT, MAX, PageDict
from botfactory.rest.schemas import Input, Output, Page, Text, examples
from tweets.api.corpora import corpus_or_404
from tweets.cleaning.personal import Kind
from tweets.corpora import idle, posts, summary
from tweets.corpora.report import Line
from tweets.models import Post

router = Router(tags=["corpora"])


class CountOut(Output):
    name: str
    posts: int


class UseOut(Output):
    name: str
    uses: int


class LanguageOut(Output):
    name: str
    percent: int


class ReportOut(Output):
    """What a corpus contains, and whether that is enough to learn from."""

    verdict: Literal["enough", "few", "too_few"] = Field(description="With too_few posts, no model can be trained.")
    advice: str = Field(description="The verdict as a sentence.")
    posts_found: int
    posts_kept: int
    characters: int
    dropped: dict[str, int]
    personal_data: dict[str, int] = Field(
        description=f"How many pieces of personal data are masked in the kept posts, by kind: {', '.join(Kind)}."
    )
    sample: list[str] = Field(description="Some kept posts, cleaned, spread evenly over the corpus.")
    months: list[CountOut] = Field(description="Kept posts by month, or by year if there are more than ten years.")
    undated: int = Field(description="Kept posts without a date.")
    lengths: list[CountOut] = Field(description="Kept posts by number of characters.")
    words: list[UseOut]
    hashtags: list[UseOut]
    languages: list[LanguageOut]

    model_config = examples(
        {
            "verdict": "enough",
            "advice": "190,000 characters: enough to learn a voice.",
            "posts_found": 2400,
            "posts_kept": 2100,
            "characters": 190000,
            "dropped": {"reply": 250, "too_short": 50},
            "personal_data": {"email": 3, "phone": 1},
            "sample": ["just had the best coffee of my life"],
            "months": [{"name": "2026-10", "posts": 210}],
            "undated": 0,
            "lengths": [{"name": "21–40", "posts": 400}],
            "words": [{"name": "coffee", "uses": 90}],
            "hashtags": [{"name": "#monday", "uses": 4}],
            "languages": [{"name": "English", "percent": 98}],
        }
    )


class PostOut(Output):
    """An original post, and the result of its cleaning."""

    id: str = Field(description="The id at the source, or the place in the file.")
    text: str
    created_at: datetime | None
    is_repost: bool
    is_reply: bool
    is_quote: bool
    has_warning: bool
    cleaned: str | None = Field(description="The text that bots learn from; null if the post is left out.")
    dropped: str | None = Field(description="Why the post is left out; null if it is kept.")

    model_config = examples(
        {
            "id": "3l6oveex3ii2l",
            "text": "just had the best coffee of my life https://example.org",
            "created_at": "2026-11-25T12:00:00.000Z",
            "is_repost": False,
            "is_reply": False,
            "is_quote": False,
            "has_warning": False,
            "cleaned": "just had the best coffee of my life",
            "dropped": None,
        }
    )


class PostsQuery(Input):
    after: Text | None = Field(None, max_length=64, description="The id of the last post of the previous page.")
    limit: int = Field(DEFAULT, ge=1, le=MAX, description="The maximum number of posts.")
    q: Text = Field("", max_length=200, description="Only posts that contain these words, in any case.")
    show: posts.Show = Field("kept", description="Which posts: kept, dropped by cleaning, removed by hand, or all.")


@router.get(
    "/{uuid:corpus_id}/report",
    response=ReportOut,
    summary="Get the report of a corpus",
    openapi_extra={"responses": {409: {}}},
)
def corpus_report(request: HttpRequest, corpus_id: uuid.UUID) -> ReportOut:
    """Return what the posts are like, and whether they are enough. Answers 409 until they are imported."""
    corpus = corpus_or_404(request, corpus_id)
    idle.require_ready(corpus)
    report = summary.report(corpus)
    return ReportOut.model_validate(
        {
            "verdict": report.verdict,
            "advice": report.advice,
            "posts_found": report.found,
            "posts_kept": report.kept,
            "characters": report.characters,
            "dropped": report.dropped,
            "personal_data": report.masked,
            "sample": report.sample,
            "months": _counted(report.months, "posts"),
            "undated": report.undated,
            "lengths": _counted(report.lengths, "posts"),
            "words": _counted(report.words, "uses"),
            "hashtags": _counted(report.hashtags, "uses"),
            "languages": [{"name": share.name, "percent": share.percent} for share in report.languages],
        }
    )


@router.get("/{uuid:corpus_id}/posts", response=Page[PostOut], summary="List the posts of a corpus")
def corpus_posts(request: HttpRequest, corpus_id: uuid.UUID, query: Query[PostsQuery]) -> PageDict:
    """Return the posts after the post `after`, in the order of their source. Default: the kept ones."""
    corpus = corpus_or_404(request, corpus_id)
    rows = posts.find(corpus, words=query.q, show=query.show)
    if query.after is not None:
        last = corpus.posts.filter(key=query.after).values_list("pk", flat=True).first()
        if last is None:
            raise bad_value("after", _("The post with this id no longer exists. Start again without after."))
        rows = rows.filter(pk__gt=last)
    found = list(rows[: query.limit + 1])
    return PageDict(data=[_post(post) for post in found[: query.limit]], has_more=len(found) > query.limit)


def _counted(lines: list[Line], what: str) -> list[dict[str, Any]]:
    return [{"name": line.name, what: line.number} for line in lines]


def _post(post: Post) -> PostOut:
    return PostOut(
        id=post.key,
        text=post.text,
        created_at=post.posted_at,
        is_repost=post.is_repost,
        is_reply=post.is_reply,
        is_quote=post.is_quote,
        has_warning=post.has_warning,
        cleaned=None if post.dropped else post.cleaned,
        dropped=post.dropped or None,
    )
