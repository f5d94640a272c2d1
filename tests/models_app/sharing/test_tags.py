"""Tags of bots, and how the gallery finds and orders bots."""

from __future__ import annotations

import uuid

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.gallery import finding
from models_app.sharing import rights as sharing
from models_app.sharing import tags
from models_app.sharing.rows import BotTag
from models_app.writing.keeping.rows import KeptPost
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.rest.helpers import Program, require_error
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def copies(bot: TrainedModel, count: int, *, visibility: str = "public") -> list[TrainedModel]:
    """Make bots like this one, without files, from the oldest to the newest."""
    return [
        TrainedModel.objects.create(
            owner=bot.owner,
            corpus=bot.corpus,
            name=f"Copy {uuid.uuid4().hex[:6]}",
            directory=f"none/{number}",
            visibility=visibility,
            history=bot.history,
            kept_epoch=bot.kept_epoch,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("#Dad Jokes!", "dad-jokes"),
        ("  cats ", "cats"),
        ("Straße", "straße"),
        ("हिन्दी", "हिन्दी"),
        ("ＦＵＬＬ", "full"),
        ("<b>x</b>", "b-x-b"),
        ("--", ""),
        ("🐈", ""),
        ("a" * 23 + " b", "a" * 23),
    ],
)
def test_a_tag_has_one_form(text: str, tag: str) -> None:
    assert tags.normalised(text) == tag == tags.normalised(tag)


def test_the_owner_sets_tags_when_sharing(alice: User, bob: User, bot: TrainedModel) -> None:
    owner, path = signed_in(alice), f"/models/{bot.pk}"
    owner.post(f"{path}/share", {"visibility": "public", "tags": "Dad Jokes, #cats,,cats, ,WEATHER"})
    assert tags.of(bot) == ["dad-jokes", "cats", "weather"]
    assert 'value="dad-jokes, cats, weather"' in owner.get(f"{path}/").content.decode()
    for place in ("/gallery/", f"/gallery/{bot.pk}/"):
        page = signed_in(bob).get(place).content.decode()
        assert 'href="/gallery/?tag=dad-jokes"' in page or 'href="?tag=dad-jokes"' in page
    # A form without the field changes no tags.
    owner.post(f"{path}/share", {"visibility": "public"})
    assert len(tags.of(bot)) == 3
    for wrong, sentence in (("a,b,c,d,e,f", "at most 5 tags"), ("x" * 25, "A tag can have 24 characters")):
        answer = owner.post(f"{path}/share", {"visibility": "private", "tags": wrong})
        bot.refresh_from_db()
        assert answer.status_code == 400 and bot.visibility == "public" and len(tags.of(bot)) == 3
        # The page says so above the form, in which what was typed is kept.
        part = answer.content.decode().split('id="sharing"')[1].split("</section>")[0]
        said, form = part.split(f'<form method="post" action="{path}/share#sharing">')
        assert "data-form-errors" in said and "<strong>Tags:</strong> " in said and sentence in said
        assert f'value="{wrong}"' in form and 'aria-invalid="true"' in form
        assert 'value="private" checked' in form and 'value="public" checked' not in form
    owner.post(f"{path}/share", {"visibility": "public", "tags": " "})
    assert tags.of(bot) == []


def test_programs_set_and_find_tags(alice: User, bob: User, bot: TrainedModel) -> None:
    program, path = Program(alice), f"/models/{bot.pk}"
    told = program.ask("PATCH", path, {"visibility": "public", "tags": ["Dad Jokes", "!"]}).json()
    assert told["tags"] == ["dad-jokes"] == program.get(path).json()["tags"]
    assert program.ask("PATCH", path, {"name": "Herald"}).json()["tags"] == ["dad-jokes"]
    require_error(program.ask("PATCH", path, {"tags": ["x"] * 6}), 422, "bad_value", "tags")
    require_error(program.ask("PATCH", path, {"tags": ["x" * 25]}), 422, "bad_value", "tags.0")
    guest = Program(bob)
    require_error(guest.ask("PATCH", path, {"tags": ["mine"]}), 404, "not_found")
    assert guest.get(f"/gallery/{bot.pk}").json()["tags"] == ["dad-jokes"]
    found = [len(guest.get(f"/gallery?{query}").json()["data"]) for query in ("tag=dad-jokes", "tag=x", "q=jokes")]
    assert found == [1, 0, 1]


def test_tags_of_bots_that_are_not_shared_are_nobodys(
    alice: User, bob: User, admin: User, bot: TrainedModel, settings: LazySettings
) -> None:
    settings.OPEN_GALLERY = True
    shown, hidden = copies(bot, 2)
    tags.set_tags(shown, ["open-word"])
    tags.set_tags(hidden, ["secret-word"])
    people = [signed_in(user) for user in (alice, bob, admin)] + [Client()]
    for visibility in ("private", "unlisted"):
        sharing.share(hidden, visibility)
        for client in people:
            page = client.get("/gallery/").content.decode()
            assert "open-word" in page and "secret-word" not in page
            assert "tag matches" in client.get("/gallery/?q=secret-word").content.decode()
            assert hidden.name not in client.get("/gallery/?tag=secret-word").content.decode()
            assert "secret-word" not in client.get("/").content.decode() or client is people[0]


def test_the_gallery_filters_by_tag_and_orders(bob: User, alice: User, bot: TrainedModel) -> None:
    old, middle, new = copies(bot, 3)
    for model, name in ((old, "beta"), (middle, "Alpha"), (new, "gamma")):
        TrainedModel.objects.filter(pk=model.pk).update(name=name)
    tags.set_tags(old, ["cats", "Rain"])
    tags.set_tags(new, ["cats"])

    def kept(model: TrainedModel, user: User, times: int) -> None:
        generation = Generation.objects.create(model=model, owner=user, posts=["x"], seconds=1)
        for number in range(times):
            KeptPost.objects.create(model=model, owner=user, generation=generation, number=number, text="x")

    kept(middle, bob, 2)
    kept(old, bob, 1)
    # What its owner keeps doesn't count.
    kept(new, alice, 9)

    def names(**asked: str) -> list[str]:
        return [model.name for model in finding.find(sharing.gallery_for_user(bob), **asked)]

    assert names() == ["gamma", "Alpha", "beta"]
    assert names(order="kept") == ["Alpha", "beta", "gamma"]
    assert names(order="name") == ["Alpha", "beta", "gamma"]
    assert names(tag="#Cats") == ["gamma", "beta"] and names(tag="cats", words="rain") == ["beta"]
    assert names(words="#cats gamma") == ["gamma"] and names(words="cats alpha") == []
    client = signed_in(bob)
    page = client.get("/gallery/?tag=cats&sort=name").content.decode()
    assert "Alpha" not in page and page.index("beta") < page.index("gamma")
    # The chosen tag is a link to all bots in the same order, and stays while one searches.
    assert 'href="?sort=name"' in page and '<input type="hidden" name="tag" value="cats">' in page
    assert "2 posts kept" in client.get("/gallery/").content.decode()
    assert client.get("/gallery/?sort=owner").status_code == 400


def test_the_gallery_costs_at_most_twelve_queries_for_any_number_of_bots(bob: User, bot: TrainedModel) -> None:
    client = signed_in(bob)
    counts = []
    for count in (1, 30):
        for model in copies(bot, count):
            tags.set_tags(model, ["cats", f"of-{model.name}"])
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/gallery/?q=copy&sort=kept").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12


def test_tags_go_with_their_bot(bot: TrainedModel, corpus: Corpus) -> None:
    (model,) = copies(bot, 1)
    tags.set_tags(model, ["cats"])
    assert BotTag.objects.count() == 1
    model.delete()
    assert not BotTag.objects.exists()
