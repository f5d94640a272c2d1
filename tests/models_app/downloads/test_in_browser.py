"""Who gets a bot into their browser, and what they get."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client

from botfactory.accounts.models import User
from models_app.bots import guards, loading
from models_app.bots.files import FINGERPRINTS
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml import wire
from models_app.sharing import rights as sharing
from models_app.sharing.rights import OF_GUESTS, OF_PASSERS_BY, Right
from models_app.your_data import bots
from tests.conftest import signed_in
from tests.models_app.conftest import untrained
from tests.models_app.shared_bot import make_bot
from tweets.models import AuditEntry, Corpus

pytestmark = pytest.mark.django_db(transaction=True)

PARTS = ("", "weights", "guard", "manifest.webmanifest", "worker.js", "service.js")


def place_of(model: TrainedModel, kind: str = "models") -> str:
    return f"/shared/{model.link}/browser/" if kind == "shared" else f"/{kind}/{model.pk}/browser/"


def allow(owner: User, model: TrainedModel, visibility: str, *, in_browser: bool = True) -> TrainedModel:
    """Share the bot with the form of its page."""
    form = {"visibility": visibility, "tags": ""} | ({"in_browser": "yes"} if in_browser else {})
    assert signed_in(owner).post(f"/models/{model.pk}/share", form).status_code == 302
    return TrainedModel.objects.get(pk=model.pk)


def exported(model: TrainedModel) -> list[str]:
    """Return the names of the files that the account's ZIP has of the bot."""
    with bots.packed(model) as file, ZipFile(file) as archive:
        return archive.namelist()


def bot_on(client: Client, place: str) -> dict[str, Any]:
    """Return what the script of the page gets."""
    found = re.search(r'<script id="bot" type="application/json">(.*?)</script>', client.get(place).content.decode())
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def test_the_owner_gets_the_weights_once_and_the_whole_guard(alice: User, bot: TrainedModel) -> None:
    client, place = signed_in(alice), place_of(bot)
    asked = bot_on(client, place)
    file = client.get(place + asked["weights"])
    assert file["Cache-Control"] == "private, max-age=31536000, immutable"
    assert int(file["Content-Length"]) == len(file.content) < wire.MAX_BYTES
    stored = loading.load(bot).weights
    for name, array in wire.unpack(file.content).items():
        np.testing.assert_array_equal(array, stored[name])
    again = client.get(place + asked["weights"], headers={"If-None-Match": file["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", file["ETag"])
    assert client.get(f"{place}weights?version=another").status_code == 404
    guard = client.get(place + asked["guard"])
    assert asked["guard"].endswith(hashlib.sha256(guard.content).hexdigest())
    known = guards.guard_of(bot)
    assert known is not None and known.parts.text.astype("<u4").tobytes() in guard.content


def test_nobody_else_gets_it_unless_the_owner_allows_it(alice: User, bob: User, bot: TrainedModel) -> None:
    for visibility, kind in (("public", "gallery"), ("unlisted", "shared")):
        shared = allow(alice, bot, visibility, in_browser=False)
        assert [signed_in(bob).get(place_of(shared, kind) + part).status_code for part in PARTS] == [404] * len(PARTS)
        page = place_of(shared, kind).removesuffix("browser/")
        assert "browser/" not in signed_in(bob).get(page).content.decode()
    assert "in_browser" not in str(AuditEntry.objects.last())


@pytest.mark.parametrize(("visibility", "kind"), [("public", "gallery"), ("unlisted", "shared")])
def test_others_get_it_while_its_owner_allows_it(
    alice: User, bob: User, bot: TrainedModel, visibility: str, kind: str
) -> None:
    shared, client = allow(alice, bot, visibility), signed_in(bob)
    place = place_of(shared, kind)
    assert [client.get(place + part).status_code for part in PARTS] == [200] * len(PARTS)
    assert f'href="{place}"' in client.get(place.removesuffix("browser/")).content.decode()
    # The address of the owner stays closed, and visitors are asked to sign in or get nothing.
    assert client.get(place_of(shared)).status_code == 404
    assert Client().get(f"{place}weights").status_code == 302
    assert AuditEntry.objects.first().details == {"before": "server only", "after": "in browsers"}  # type: ignore[union-attr]
    private = allow(alice, shared, "private")
    assert not private.is_browser_open
    assert [client.get(place + part).status_code for part in PARTS] == [404] * len(PARTS)
    assert not allow(alice, private, visibility, in_browser=False).is_browser_open


def test_others_get_no_fingerprints(alice: User, bob: User, bot: TrainedModel) -> None:
    shared = allow(alice, bot, "public")
    guard = signed_in(bob).get(f"{place_of(shared, 'gallery')}guard").content
    known = guards.guard_of(bot)
    assert known is not None
    assert not any(number.tobytes() in guard for number in known.parts.vocabulary.astype("<u8"))
    assert len(guard) < known.parts.text.nbytes


def test_the_owner_gets_no_fingerprints_of_posts_of_others(alice: User, bob: User, bot: TrainedModel) -> None:
    child = make_bot(bot.corpus, bot.parent, name="Child", parent=bot)  # type: ignore[arg-type]
    whole = signed_in(alice).get(f"{place_of(child)}guard").content
    assert FINGERPRINTS in exported(child)
    TrainedModel.objects.filter(pk=bot.pk).update(owner=bob)
    assert FINGERPRINTS not in exported(TrainedModel.objects.get(pk=child.pk))
    assert len(signed_in(alice).get(f"{place_of(child)}guard").content) < len(whole) / 2


def test_the_right_is_the_owners_and_of_guests_only_where_it_is_given(
    alice: User, bob: User, bot: TrainedModel
) -> None:
    sharing.share(bot, "public")
    assert Right.CARRY in sharing.rights_of(alice, bot)
    assert sharing.rights_of(bob, bot) == OF_GUESTS
    bot.is_browser_open = True
    assert sharing.rights_of(bob, bot) == OF_GUESTS | {Right.CARRY}
    assert sharing.rights_of(AnonymousUser(), bot, link=bot.link or "") in (OF_PASSERS_BY, frozenset())
    assert sharing.share(bot, "private").is_browser_open is False


def test_a_fluent_bot_says_why_it_stays_on_the_server(alice: User, bot: TrainedModel) -> None:
    TrainedModel.objects.filter(pk=bot.pk).update(tier=Tier.FLUENT)
    page = signed_in(alice).get(place_of(bot)).content.decode()
    assert "A fluent bot is too large for a browser" in page and 'id="in-browser-form"' not in page
    assert signed_in(alice).get(f"{place_of(bot)}weights").status_code == 404
    assert not allow(alice, bot, "public").is_browser_open


def test_the_page_of_a_bot_offers_it_if_browsers_can_run_the_bot(
    alice: User, corpus: Corpus, bot: TrainedModel, fluent: TrainedModel
) -> None:
    for model, is_offered in ((bot, True), (untrained(corpus, fluent), False)):
        page = signed_in(alice).get(model.get_absolute_url()).content.decode()
        assert (f'href="{place_of(model)}"' in page) is is_offered


def test_the_page_keeps_to_its_own_folder_and_names_what_it_needs(alice: User, bot: TrainedModel) -> None:
    client, place = signed_in(alice), place_of(bot)
    manifest = client.get(f"{place}manifest.webmanifest").json()
    assert manifest["scope"] == manifest["start_url"] == place and manifest["display"] == "standalone"
    service = client.get(f"{place}service.js")
    assert "Service-Worker-Allowed" not in service and json.dumps(f"bot:{alice.pk}:{place}") in service.content.decode()
    assert "'wasm-unsafe-eval'" in client.get(f"{place}worker.js")["Content-Security-Policy"]
    assert "eval" not in client.get(place)["Content-Security-Policy"]
    page = bot_on(client, place)
    for address in page["scripts"]:
        assert client.get(address)["Cache-Control"].endswith("immutable"), address
    assert {re.sub(r"\.\w{12}\.js$", "", address.rsplit("/", 1)[1]) for address in page["scripts"]} >= {
        "worker",
        "sampler",
        "guard",
        "blake2b",
        "store",
    }
    # The browser keeps the page, so nothing on it is about the person.
    assert alice.username not in client.get(place).content.decode()
