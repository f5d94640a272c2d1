"""The picture of each shared bot in link previews: who gets it, for how long, and what it shows."""

from __future__ import annotations

import io
import re
import threading
import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client
from django.utils import translation
from PIL import Image

from botfactory.accounts.models import User
from botfactory.pictures.lettering import drawable
from models_app.bots.rows import TrainedModel
from models_app.gallery import picture
from models_app.gallery.picture import HEIGHT, WIDTH, Picture
from models_app.sharing import rights as sharing
from tests.conftest import signed_in
from tests.models_app.shared_bot import SECRET, place_of
from tweets.models import Corpus

PAPER = (243, 247, 245)
#: Where the name is.
NAME = (60, 40, 1140, 134)
LABEL = "AI parody of @town.example, not by @town.example."


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    assert (image.format, image.size) == ("PNG", (1200, 630)) == ("PNG", (WIDTH, HEIGHT))
    return image.convert("RGB")


def drawn(name: str = "Crier", label: str = LABEL, post: str = "Rain again.") -> Image.Image:
    return opened(Picture(name, label, post).png())


def has_anything(image: Image.Image, box: tuple[int, int, int, int]) -> bool:
    return image.crop(box).getcolors(maxcolors=1) != [((box[2] - box[0]) * (box[3] - box[1]), PAPER)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("visibility", "by_link", "is_open", "statuses"),
    [
        # For the owner, another person, an administrator and a visitor.
        ("private", False, True, (200, 404, 404, 302)),
        ("private", True, True, (404, 404, 404, 404)),
        ("public", False, True, (200, 200, 200, 200)),
        ("public", False, False, (200, 200, 200, 302)),
        ("unlisted", True, False, (200, 200, 200, 200)),
        ("unlisted", False, True, (200, 404, 404, 302)),
    ],
)
def test_who_may_open_the_page_gets_the_picture(
    alice: User,
    bob: User,
    admin: User,
    bot: TrainedModel,
    settings: LazySettings,
    visibility: str,
    by_link: bool,
    is_open: bool,
    statuses: tuple[int, ...],
) -> None:
    settings.OPEN_GALLERY = is_open
    sharing.share(bot, visibility)
    place = place_of(bot, by_link=by_link)
    clients = (signed_in(alice), signed_in(bob), signed_in(admin), Client())
    answers = [client.get(f"{place}/preview.png") for client in clients]
    assert tuple(answer.status_code for answer in answers) == statuses
    assert statuses == tuple(client.get(f"{place}/").status_code for client in clients)
    for answer in answers:
        assert (answer["Content-Type"] == "image/png") is (answer.status_code == 200)


@pytest.mark.django_db(transaction=True)
def test_browsers_keep_the_picture_of_an_address_and_ask_again_without_a_digest(
    bob: User, bot: TrainedModel, settings: LazySettings
) -> None:
    settings.OPEN_GALLERY = True
    sharing.share(bot, "public")
    page = Client().get(f"/gallery/{bot.pk}/").content.decode()
    found = re.search(r'og:image" content="http://testserver([^"]+)"', page)
    assert found is not None
    address = found[1]
    answer = Client().get(address)
    image = opened(answer.content)
    assert has_anything(image, NAME) and SECRET not in address
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable" and answer["X-Robots-Tag"] == "noindex"
    again = Client().get(address, HTTP_IF_NONE_MATCH=answer["ETag"])
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", answer["ETag"])
    assert Client().get(address, HTTP_IF_NONE_MATCH='"another"').status_code == 200
    assert Client().get(address.partition("?")[0])["Cache-Control"] == "private, no-cache"
    # Another name is another picture. The old address leads to it, and nobody keeps it there.
    TrainedModel.objects.filter(pk=bot.pk).update(name="Another")
    renamed = Client().get(address, HTTP_IF_NONE_MATCH=answer["ETag"])
    assert renamed.status_code == 200 and renamed.content != answer.content
    assert renamed["Cache-Control"] == "private, no-cache" and renamed["ETag"] != answer["ETag"]
    sharing.share(bot, "private")
    assert signed_in(bob).get(address, HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 404


def test_it_shows_the_first_post_that_the_typeface_has(db: None) -> None:
    corpus = Corpus(handle="town.example", source="bluesky")
    model = TrainedModel(name="Crier 🤖", corpus=corpus)
    assert Picture.of(model, []).post == ""
    posts = ["مرحبا بالعالم", "漢字 only, nearly 漢字漢字", "🎉🎉", "A party 🎉\nfor  all", "Second."]
    picture = Picture.of(model, posts)
    assert (picture.name, picture.post) == ("Crier 🤖", "A party for all")
    assert picture.label == model.parody_label and "@town.example" in picture.label
    assert picture.in_words == f"Crier 🤖. {model.parody_label} “A party for all”"
    with translation.override("de"):
        assert Picture.of(model, posts).label == model.parody_label != picture.label
    # Half of a person's name in a label would be wrong.
    model.corpus = Corpus(handle="مدينة.example", source="bluesky")
    assert Picture.of(model, posts).label == "Written by a model, not by the person."


def test_no_name_or_post_breaks_it(db: None) -> None:
    names = ["", "x", "W" * 200, "a b " * 60, "👩🏽‍🚀❤️", "שלום", "Привет, мир", "\u202eabc\u0000", "﷽" * 50]
    posts = ["", "no", "x" * 2000, "word " * 300, "fin", "𝓯𝓪𝓷𝓬𝔂", "e\u0301" * 300]
    for name in names:
        assert has_anything(drawn(name=name), NAME) is bool(drawable(name)), name
    pictures = [drawn(post=post) for post in posts]
    assert len({image.tobytes() for image in pictures}) == len(posts)
    # Nothing runs out of the picture: its edges stay empty.
    for image in [*pictures, drawn(name="W" * 200, label=f"{LABEL} {'W' * 300}", post="W" * 900)]:
        for box in ((0, 0, 1200, 20), (0, 610, 1200, 630), (0, 0, 6, 630), (1194, 0, 1200, 630)):
            assert not has_anything(image, box)
    assert len({Picture("a", "b", "c").digest, Picture("ab", "", "c").digest, Picture("a", "b", "").digest}) == 3


def test_pictures_drawn_at_once_are_those_drawn_alone(db: None) -> None:
    cards = [Picture(f"Bot {number}", LABEL, f"Post number {number}, at once.") for number in range(4)]
    alone = [drawn(card.name, card.label, card.post).tobytes() for card in cards]
    cache.delete_many([f"preview:{card.digest}" for card in cards])
    found: dict[int, bytes] = {}

    def draw(number: int) -> None:
        found[number] = opened(cards[number].png()).tobytes()

    threads = [threading.Thread(target=draw, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(4)] == alone


def test_however_often_it_is_asked_for_it_is_drawn_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Picture] = []
    draw = picture._drawn

    def counted(shown: Picture) -> Any:
        drawn.append(shown)
        return draw(shown)

    monkeypatch.setattr(picture, "_drawn", counted)
    shown = Picture("Asked for often", "Written by a model.", f"A post of {uuid.uuid4()}.")
    assert shown.png() == shown.png() and len(drawn) == 1
    assert replace(shown, name="Another").png() != shown.png() and len(drawn) == 2
