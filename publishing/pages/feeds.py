"""The feed of a bot as RSS, Atom and JSON Feed, for everybody who has its address."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.contrib.syndication.views import Feed
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.feedgenerator import Atom1Feed
from django.utils.html import escape
from django.views.decorators.http import require_safe

from botfactory.web.missing import missing_is_404
from models_app.bots.house_bans import house_bans
from publishing.models import Account, Publication
from publishing.rules import labels

#: The newest posts of a feed.
LENGTH: Final = 50
_LONGEST_TITLE: Final = 80


def account_of(link: str) -> Account:
    """Return the feed with this link. Raises Account.DoesNotExist if there is none any more."""
    rows = Account.objects.select_related("queue__model__corpus").filter(queue__model__owner__is_active=True)
    return rows.get(link=link, network="feed", state=Account.State.CONNECTED)


def posts_of(account: Account) -> list[Publication]:
    """Return what is in the feed, newest first, without what is banned by now."""
    rows = account.publications.filter(state=Publication.State.POSTED, posted_at__lte=timezone.now())
    bans = house_bans()
    newest = rows.order_by("-posted_at", "-pk")[:LENGTH]
    return [row for row in newest if bans.finds(row.text) is None]


def title_of(text: str) -> str:
    """Return the first words of a post."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_TITLE else f"{line[: _LONGEST_TITLE - 1].rstrip()}…"


class Rss(Feed):  # type: ignore[type-arg]
    """RSS 2.0."""

    name = "feed_rss"

    def get_object(self, request: HttpRequest, link: str) -> Account:
        with missing_is_404(Account.DoesNotExist):
            return account_of(link)

    def title(self, account: Account) -> str:
        return account.queue.model.name

    def description(self, account: Account) -> str:
        return labels.usual_label(account.queue.model)

    def link(self, account: Account) -> str:
        return reverse(self.name, args=[account.link])

    def categories(self, account: Account) -> tuple[str, ...]:
        return ("AI-generated",)

    def items(self, account: Account) -> list[Publication]:
        return posts_of(account)

    def item_title(self, item: Any) -> str:
        return title_of(item.text)

    def item_description(self, item: Any) -> str:
        # Readers take it for HTML.
        return "<br>".join(escape(line) for line in item.text.split("\n"))

    def item_link(self, item: Publication) -> str:
        return f"{reverse(self.name, args=[item.account.link])}#{item.pk}"

    def item_guid(self, item: Publication) -> str:
        return f"urn:uuid:{item.pk}"

    item_guid_is_permalink = False

    def item_pubdate(self, item: Publication) -> datetime:
        assert item.posted_at is not None
        return item.posted_at

    def item_categories(self, item: Publication) -> tuple[str, ...]:
        return ("AI-generated",)


class Atom(Rss):
    """Atom 1.0."""

    name = "feed_atom"
    feed_type = Atom1Feed
    subtitle = Rss.description


@require_safe
def json_feed(request: HttpRequest, link: str) -> JsonResponse:
    """JSON Feed 1.1 (jsonfeed.org)."""
    try:
        account = account_of(link)
    except Account.DoesNotExist:
        raise Http404("There is no such feed.") from None
    model = account.queue.model
    made_by = {"ai_generated": True, "model": model.name}
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": model.name,
        "description": labels.usual_label(model),
        "feed_url": request.build_absolute_uri(reverse("feed_json", args=[link])),
        "language": labels.language_of(model) or "en",
        "_botfactory": made_by,
        "items": [
            {
                "id": f"urn:uuid:{row.pk}",
                "content_text": row.text,
                "date_published": row.posted_at.isoformat() if row.posted_at else None,
                "tags": ["AI-generated"],
                "_botfactory": made_by,
            }
            for row in posts_of(account)
        ],
    }
    answer = JsonResponse(feed, json_dumps_params={"ensure_ascii": False})
    answer.headers["Content-Type"] = "application/feed+json; charset=utf-8"
    return answer
