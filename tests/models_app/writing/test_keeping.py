"""Kept posts: whose they are, edited ones, search, export, removal and deletion."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from botfactory.accounts.models import User
from botfactory.accounts.services import delete_account
from botfactory.web.spreadsheets import safe
from models_app.bots import registry
from models_app.bots.rows import TrainedModel
from models_app.sharing import rights as sharing
from models_app.writing.keeping import export, services
from models_app.writing.keeping.rows import KeptPost
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.rest.helpers import Program, require_error

pytestmark = pytest.mark.django_db(transaction=True)

AS_JSON = {"Accept": "application/json"}
PART = {"HX-Request": "true"}


@pytest.fixture
def written(bot: TrainedModel, alice: User) -> Generation:
    return wrote(bot, alice, "a whale on the bus", "=1+1", "- a list\n- of two")


def wrote(model: TrainedModel, owner: User, *posts: str) -> Generation:
    return Generation.objects.create(model=model, owner=owner, posts=list(posts), seconds=0.1)


def body_of(answer: Any) -> str:
    async def read() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(read)().decode()


def test_a_post_is_kept_once_and_removed_again(written: Generation, alice: User) -> None:
    client, page = signed_in(alice), f"/models/{written.model_id}/"
    assert 'aria-label="Kept: post' not in client.get(page).content.decode()
    for _ in range(2):
        told = client.post(f"/generations/{written.pk}/keep", {"post": "0"}, headers=AS_JSON).json()
    kept = KeptPost.objects.get()
    assert (kept.text, kept.is_edited, told["kept"]) == ("a whale on the bus", False, True)
    assert client.get(page).content.decode().count('aria-label="Kept: post') == 1
    told = client.post(told["action"], headers=AS_JSON).json()
    assert not KeptPost.objects.exists()
    assert (told["kept"], told["action"]) == (False, f"/generations/{written.pk}/keep")


def test_what_was_edited_says_so(written: Generation, alice: User) -> None:
    client, path = signed_in(alice), f"/generations/{written.pk}/keep"
    assert "a whale on the bus</textarea>" in client.get(f"{path}?post=0").content.decode()
    for text in ("  a whale\r\non the bus ", "a whale on the bus"):
        assert client.post(path, {"post": "0", "text": text}).status_code == 302
    assert set(KeptPost.objects.values_list("text", "is_edited")) == {
        ("a whale\non the bus", True),
        ("a whale on the bus", False),
    }
    assert client.get("/kept/").content.decode().count('class="badge edited"') == 1
    for text, sentence in ((" ", "The post is empty"), ("x" * 4001, "at most 4,000 characters")):
        answer = client.post(path, {"post": "0", "text": text}, headers=PART)
        assert answer.status_code == 400 and sentence in answer.content.decode()
    assert KeptPost.objects.count() == 2


def test_there_is_a_limit(written: Generation, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MAX_KEPT", 2)
    client = signed_in(alice)
    for number in range(3):
        answer = client.post(f"/generations/{written.pk}/keep", {"post": number})
    assert answer.status_code == 400 and "which is the limit" in answer.content.decode()
    assert KeptPost.objects.count() == 2


def test_a_guest_keeps_for_themselves_and_keeps_that_when_sharing_ends(
    bot: TrainedModel, alice: User, bob: User, charlie: Client
) -> None:
    sharing.share(bot, "public")
    of_bob = wrote(bot, bob, "for bob")
    assert signed_in(bob).post(f"/generations/{of_bob.pk}/keep", {"post": "0"})["Location"] == f"/gallery/{bot.pk}/"
    kept = KeptPost.objects.get()
    for client, status in ((signed_in(alice), 404), (charlie, 302)):
        assert client.post(f"/kept/{kept.pk}/remove").status_code == status
        assert "for bob" not in client.get("/kept/").content.decode()
    sharing.share(bot, "private")
    assert "for bob" in signed_in(bob).get("/kept/").content.decode()
    assert signed_in(bob).post(f"/generations/{of_bob.pk}/keep", {"post": "0"})["Location"] == "/kept/"


def test_the_tab_of_a_bot_lists_and_finds_its_posts(written: Generation, base: TrainedModel, alice: User) -> None:
    of_base = services.keep(generation=wrote(base, alice, "the base whale"), number=0)
    services.keep(generation=written, number=0)
    services.keep(generation=written, number=1)
    client, tab = signed_in(alice), f"/kept/?bot={written.model_id}"
    part = client.get(tab, headers=PART).content.decode()
    assert "a whale on the bus" in part and "2 posts" in part and "<html" not in part and of_base.text not in part
    found = client.get(f"{tab}&q=whale", headers=PART).content.decode()
    assert "a whale on the bus" in found and "1 post<" in found
    assert "No kept post contains" in client.get(f"{tab}&q=zebra", headers=PART).content.decode()
    everything = client.get("/kept/").content.decode()
    assert of_base.text in everything and '<select name="bot"' in everything
    assert client.get("/kept/?bot=nonsense").status_code == 400


def test_export_in_three_formats(written: Generation, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CHUNK", 2)
    for number in range(3):
        services.keep(generation=written, number=number)
    services.keep(generation=written, number=0, text="=HYPERLINK(1)")
    client, label = signed_in(alice), written.model.parody_label
    files = {name: client.get(f"/kept/export?format={name}&bot={written.model_id}") for name in ("txt", "csv", "jsonl")}
    assert files["csv"]["Content-Disposition"] == 'attachment; filename="crier-kept.csv"'
    text, table, lines = (body_of(file) for file in files.values())
    assert text == f"[{label}]\n\na whale on the bus\n\n=1+1\n\n- a list\n- of two\n\n=HYPERLINK(1)\n\n"
    rows = list(csv.DictReader(io.StringIO(table.removeprefix("\ufeff"))))
    assert [row["text"] for row in rows] == ["a whale on the bus", "'=1+1", "'- a list\n- of two", "'=HYPERLINK(1)"]
    assert {row["label"] for row in rows} == {label} and [row["edited"] for row in rows] == ["no", "no", "no", "yes"]
    assert [json.loads(line)["text"] for line in lines.splitlines()][1] == "=1+1"
    found = body_of(client.get("/kept/export?format=jsonl&q=whale"))
    assert len(found.splitlines()) == 1
    assert client.get("/kept/export?format=exe").status_code == 404


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@SUM(1)", "\t=1", " =1", "\r=1", "\uff1d1", "\n=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["a=1", "5-3", "", "'=1"])
def test_other_cells_stay_as_they_are(cell: str) -> None:
    assert safe(cell) == cell


def test_a_bots_name_begins_no_cell_where_semicolons_separate(written: Generation, alice: User) -> None:
    TrainedModel.objects.filter(pk=written.model_id).update(name="x;=1+1;y")
    services.keep(generation=written, number=0)
    assert "x;'=1+1;y" in body_of(signed_in(alice).get("/kept/export?format=csv"))


def test_over_rest(written: Generation, alice: User, bob: User) -> None:
    program = Program(alice)
    made = program.post("/kept", {"generation": str(written.pk), "post": 1})
    again = program.post("/kept", {"generation": str(written.pk), "post": 1, "text": "edited"}).json()
    assert made.status_code == 201 and made.json()["text"] == "=1+1" and again["edited"] is True
    assert [kept["id"] for kept in program.get("/kept?q=edited").json()["data"]] == [again["id"]]
    assert Program(bob).get("/kept").json()["data"] == []
    require_error(program.post("/kept", {"generation": str(written.pk), "post": 7}), 422, "no_such_post", "post")
    theirs = Program(bob).post("/kept", {"generation": str(written.pk)})
    require_error(theirs, 422, "unknown_generation", "generation")
    assert program.ask("DELETE", f"/kept/{again['id']}").status_code == 204
    assert len(program.get(f"/kept?model={written.model_id}").json()["data"]) == 1


@pytest.mark.parametrize("what", ["bot", "person"])
def test_they_go_with_the_bot_and_with_the_person(bot: TrainedModel, bob: User, what: str) -> None:
    sharing.share(bot, "public")
    services.keep(generation=wrote(bot, bob, "for bob"), number=0)
    if what == "bot":
        registry.delete(bot)
    else:
        delete_account(bob)
    assert not KeptPost.objects.exists()


def test_a_person_deletes_what_somebody_elses_bot_wrote_for_them_but_not_what_they_kept(
    bot: TrainedModel, alice: User, bob: User
) -> None:
    sharing.share(bot, "public")
    first, second = wrote(bot, bob, "for bob"), wrote(bot, bob, "also for bob")
    services.keep(generation=first, number=0)
    require_error(Program(alice).ask("DELETE", f"/generations/{first.pk}"), 404, "not_found")
    assert signed_in(alice).post(f"/generations/{second.pk}/delete").status_code == 404
    assert Program(bob).ask("DELETE", f"/generations/{first.pk}").status_code == 204
    client = signed_in(bob)
    shown = client.get(f"/gallery/{bot.pk}/").content.decode()
    assert "also for bob" in shown and f"/generations/{second.pk}/delete" in shown
    answer = client.post(f"/generations/{second.pk}/delete", follow=True)
    assert answer.redirect_chain == [(f"/gallery/{bot.pk}/", 302)]
    assert "The posts were deleted." in answer.content.decode() and "also for bob" not in answer.content.decode()
    assert not Generation.objects.exists() and KeptPost.objects.get().text == "for bob"


def test_the_report_card_tells_its_owner_how_many_posts_they_found_worth_keeping(
    bot: TrainedModel, alice: User, bob: User
) -> None:
    seen, never_judged = wrote(bot, alice, *map(str, range(49))), wrote(bot, alice, *"abcdefghij")
    for number in (3, 5):
        services.keep(generation=seen, number=number)
    # The same post once more, edited.
    services.keep(generation=seen, number=5, text="five")
    assert services.publishable(alice, bot) == ""
    services.keep(generation=never_judged, number=0)
    assert services.publishable(alice, bot).startswith("You kept 5 out of 100 of its posts")
    assert services.publishable(bob, bot) == ""
    TrainedModel.objects.filter(pk=bot.pk).update(report={**bot.report, "sense": 2.34})
    page = signed_in(alice).get(f"/models/{bot.pk}/").content.decode()
    assert "You kept 5 out of 100" in page and "2.3 out of 3 for sense, give or take 0.24" in page
    sharing.share(bot, "public")
    shared = signed_in(bob).get(f"/gallery/{bot.pk}/").content.decode()
    assert "You kept" not in shared and "2.3 out of 3 for sense" in shared
