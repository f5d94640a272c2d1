"""The links by which a person opened others' bots, remembered in their session until they sign out.

The pages for a post that such a bot wrote have addresses without the link. An old link must not lead further there
than it does itself, so the rights on these pages follow the link that the person last used.
"""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest

from models_app.bots.rows import TrainedModel

_KEY: Final = "links_of_bots"
#: More links than this are forgotten, the oldest first.
MAX_REMEMBERED: Final = 100


def remember(request: HttpRequest, model: TrainedModel, link: str) -> None:
    """Remember that the person, if signed in, opened the model by this link."""
    links = dict(request.session.get(_KEY, {})) if request.user.is_authenticated else None
    if links is None or links.get(str(model.pk)) == link:
        return
    links.pop(str(model.pk), None)
    links[str(model.pk)] = link
    request.session[_KEY] = dict(list(links.items())[-MAX_REMEMBERED:])


def link_to(request: HttpRequest, model: TrainedModel) -> str:
    """Return the link by which the person last opened the model, or ""; it may no longer work."""
    found: str = request.session.get(_KEY, {}).get(str(model.pk), "")
    return found
