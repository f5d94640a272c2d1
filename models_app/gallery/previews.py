"""Link previews: what messengers and networks show of a shared page (Open Graph and Twitter cards)."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from models_app.bots.rows import TrainedModel
from models_app.gallery.picture import Picture
from models_app.sharing.rights import Right, rights_of

#: The post in a description, in characters; networks cut longer ones anyway.
LONGEST_POST = 160


@dataclass(frozen=True, slots=True)
class Preview:
    """The preview of a page. Addresses are absolute, since other sites load them."""

    title: str
    description: str
    address: str
    picture: str
    picture_in_words: str


def preview_of(request: HttpRequest, model: TrainedModel, samples: list[str], *, link: str) -> Preview | None:
    """Return the preview of the model's page, or None unless visitors may see that page by this address."""
    if Right.SEE not in rights_of(AnonymousUser(), model, link=link):
        return None
    picture = Picture.of(model, samples)
    post = " ".join(samples[0].split()) if samples else ""
    if len(post) > LONGEST_POST:
        post = f"{post[: LONGEST_POST - 1].rstrip()}…"
    return Preview(
        title=model.name,
        # The label comes first, so that no network cuts it off.
        description=f"{model.parody_label} “{post}”" if post else model.parody_label,
        address=request.build_absolute_uri(request.path),
        # The digest makes the address another one when the picture changes: networks keep what they have seen.
        picture=request.build_absolute_uri(f"{request.path}preview.png?v={picture.digest}"),
        picture_in_words=picture.in_words,
    )
