"""How a bot comes to be shared, by whom, and what ends it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from botfactory.accounts import rules
from botfactory.accounts.models import PersonalLimits, User
from botfactory.accounts.services import delete_account
from models_app.bots import files as model_files
from models_app.bots import registry, versions
from models_app.bots.rows import BaseChange, TrainedModel
from models_app.sharing import links
from models_app.sharing import rights as sharing
from models_app.sharing.rights import EVERYTHING, OF_BASE, Right
from models_app.training import starting_points
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tests.models_app.shared_bot import make_bot, place_of
from tests.models_app.writing.test_keeping import wrote
from tests.rest.helpers import Program, require_error
from tweets.corpora import deletion, opt_out
from tweets.models import AuditEntry, Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_owner_shares_renews_and_takes_back(alice: User, bob: User, bot: TrainedModel) -> None:
    owner, guest, path = signed_in(alice), signed_in(bob), f"/models/{bot.pk}"
    page = owner.get(f"{path}/").content.decode()
    assert 'value="private" checked' in page and "data-link" not in page
    page = owner.post(f"{path}/share", {"visibility": "unlisted"}, follow=True).content.decode()
    bot.refresh_from_db()
    first = bot.link
    assert first and len(first) == 43 and f"http://testserver/shared/{first}/" in page
    assert guest.get(f"/shared/{first}/").status_code == 200
    owner.post(f"{path}/share", {"renew": "yes"})
    bot.refresh_from_db()
    assert bot.link and bot.link != first
    assert [guest.get(f"/shared/{link}/").status_code for link in (first, bot.link)] == [404, 200]
    owner.post(f"{path}/share", {"visibility": "unlisted"})
    assert guest.get(f"/shared/{bot.link}/").status_code == 200
    second = bot.link
    owner.post(f"{path}/share", {"visibility": "private"})
    assert guest.get(f"/shared/{second}/").status_code == 404
    owner.post(f"{path}/share", {"visibility": "unlisted"})
    bot.refresh_from_db()
    assert bot.link not in (first, second, None)
    for nonsense in ({"visibility": "everybody"}, {}):
        answer = owner.post(f"{path}/share", nonsense)
        assert answer.status_code == 400 and "Choose who can find the bot" in answer.content.decode()
    owner.post(f"{path}/share", {"visibility": "public"})
    page = owner.post(f"{path}/share", {"renew": "yes"}, follow=True).content.decode()
    assert "This bot has no link to renew" in page and f"/gallery/{bot.pk}/" in page


def test_an_old_link_leads_to_the_new_one_nowhere(alice: User, bob: User, bot: TrainedModel) -> None:
    guest, link = signed_in(bob), sharing.share(bot, "unlisted").link
    of_bob = wrote(bot, bob, "a post")
    keep, why = f"/generations/{of_bob.pk}/keep", f"/generations/{of_bob.pk}/why?post=0"
    # Bob has the post, but hasn't shown that he knows the link.
    assert (guest.post(keep, {"post": "0"})["Location"], guest.get(why).status_code) == ("/kept/", 404)
    guest.get(f"/shared/{link}/")
    assert (guest.post(keep, {"post": "0"})["Location"], guest.get(why).status_code) == (f"/shared/{link}/", 200)
    new = sharing.renew_link(bot).link
    for path in (keep, f"/generations/{of_bob.pk}/report"):
        assert guest.post(path, {"post": "0", "reason": "other"})["Location"] == "/kept/"
    assert guest.get(why).status_code == 404
    guest.get(f"/shared/{new}/")
    assert guest.get(why).status_code == 200


def test_a_person_s_session_remembers_few_links(alice: User, bob: User, bot: TrainedModel, monkeypatch: Any) -> None:
    monkeypatch.setattr(links, "MAX_REMEMBERED", 2)
    guest, link = signed_in(bob), sharing.share(bot, "unlisted").link
    others = {str(uuid.uuid4()): "x" * 43 for _ in range(2)}
    session = guest.session
    session["links_of_bots"] = others
    session.save()
    guest.get(f"/shared/{link}/")
    assert guest.session["links_of_bots"] == dict([list(others.items())[1], (str(bot.pk), link)])


def test_a_program_shares_too(alice: User, bob: User, bot: TrainedModel) -> None:
    program, guest, path = Program(alice), Program(bob), f"/models/{bot.pk}"
    assert (program.get(path).json()["visibility"], program.get(path).json()["link"]) == ("private", None)
    require_error(program.post(f"{path}/link"), 409, "not_unlisted")
    told = program.ask("PATCH", path, {"visibility": "unlisted"}).json()
    bot.refresh_from_db()
    assert (told["visibility"], told["link"]) == ("unlisted", f"http://testserver/shared/{bot.link}/")
    assert program.get("/models").json()["data"][0]["link"] == told["link"]
    other = program.post(f"{path}/link").json()["link"]
    assert other != told["link"]
    for link, status in ((told["link"], 404), (other, 200)):
        assert guest.get(f"/shared/{link.split('/')[-2]}").status_code == status
    both = program.ask("PATCH", path, {"visibility": "public", "name": "Herald"}).json()
    assert (both["visibility"], both["name"]) == ("public", "Herald")
    assert both["link"] == f"http://testserver/gallery/{bot.pk}/"
    require_error(program.ask("PATCH", path, {"visibility": "everybody"}), 422, "bad_value", "visibility")
    require_error(program.ask("PATCH", path, {"visibility": "private", "name": " "}), 422, "bad_name", "name")
    assert program.get(path).json() == both


def test_who_shared_what_stands_in_the_audit_log_once_for_each_change(alice: User, bot: TrainedModel) -> None:
    owner = signed_in(alice)
    for visibility in ("unlisted", "unlisted", "public"):
        owner.post(f"/models/{bot.pk}/share", {"visibility": visibility})
    bot.delete()
    told = [(entry.who, entry.about, entry.details) for entry in AuditEntry.objects.filter(action="share")]
    assert told == [
        (alice, "alice/" + bot.name, {"before": "unlisted", "after": "public"}),
        (alice, "alice/" + bot.name, {"before": "private", "after": "unlisted"}),
    ]


def test_who_has_the_id_of_an_unlisted_one_has_nothing(bob: User, bot: TrainedModel) -> None:
    sharing.share(bot, "unlisted")
    written = Program(bob).post(f"/shared/{bot.link}/generate", {"n": 1, "max_characters": 40}).json()
    assert written["model"] == str(bot.pk)
    for path in (f"/gallery/{bot.pk}", f"/models/{bot.pk}"):
        require_error(Program(bob).get(path), 404, "not_found")
    for link in ("x", "x" * 43, "x" * 44, str(bot.pk), f"{bot.link}x", "%00" * 43):
        assert signed_in(bob).get(f"/shared/{link}/").status_code == 404
        require_error(Program(bob).get(f"/shared/{link}"), 404, "not_found")


def test_what_a_guest_lets_it_write_is_theirs_alone(alice: User, bob: User, admin: User, bot: TrainedModel) -> None:
    sharing.share(bot, "public")
    sampling = {"count": "1", "temperature": "0.8", "prompt": "a secret prompt", "max_characters": "40"}
    signed_in(bob).post(f"/gallery/{bot.pk}/generate", sampling)
    signed_in(alice).post(f"/models/{bot.pk}/generate", {**sampling, "prompt": "of its owner"})
    assert "a secret prompt" in signed_in(bob).get(f"/gallery/{bot.pk}/").content.decode()
    assert "a secret prompt" not in signed_in(alice).get(f"/models/{bot.pk}/").content.decode()
    for other in (bob, admin):
        assert "of its owner" not in signed_in(other).get(f"/gallery/{bot.pk}/").content.decode()


def test_a_guest_writes_within_their_own_limit(bob: User, bot: TrainedModel) -> None:
    sharing.share(bot, "public")
    PersonalLimits.objects.create(user=bob, requests_a_minute=0)
    answer = signed_in(bob).post(f"/gallery/{bot.pk}/generate", {"count": "1", "temperature": "0.8"})
    assert answer.status_code == 429 and "at most 0 requests per minute" in answer.content.decode()
    assert not Generation.objects.exists()


def test_a_stream_is_guarded_as_well(bob: User, bot: TrainedModel) -> None:
    sharing.share(bot, "public")
    program, path = Program(bob), f"/gallery/{bot.pk}/generate?stream=1"
    body = {"n": 1, "max_characters": 40}
    for guard in ("copy_guard", "mask_mentions", "personal_guard"):
        require_error(program.post(path, {**body, guard: False}), 422, "guard_kept", guard)
    answer = program.post(path, body)
    assert answer["Content-Type"] == "text/event-stream"
    require_error(program.post(f"/models/{bot.pk}/generate?stream=1", body), 404, "not_found")


def test_nobody_trains_further_from_a_shared_one(bob: User, bot: TrainedModel) -> None:
    sharing.share(bot, "public")
    own = import_posts(bob, seed=3)
    with pytest.raises(TrainedModel.DoesNotExist):
        starting_points.start_for_user(bob, bot.pk)
    body = {"kind": "fine_tune", "corpus": str(own.pk), "model": str(bot.pk)}
    require_error(Program(bob).post("/jobs", body), 422, "unknown_model", "model")


def test_without_a_basis_nothing_is_shared(alice: User, bot: TrainedModel, base: TrainedModel, corpus: Corpus) -> None:
    assert bot.corpus is not None
    further = make_bot(bot.corpus, base, "Further", parent=bot)
    assert sharing.basis_of(further) == "public"
    other = import_posts(alice, seed=4)
    of_two = make_bot(other, base, "Of two", parent=bot)
    assert (other.basis, sharing.basis_of(of_two)) == ("own", "public")
    Corpus.objects.filter(pk=corpus.pk).update(basis="")
    for model in (bot, further, of_two):
        fresh = TrainedModel.objects.get(pk=model.pk)
        for visibility in ("unlisted", "public"):
            answer = Program(alice).ask("PATCH", f"/models/{model.pk}", {"visibility": visibility})
            require_error(answer, 422, "basis_unknown", "visibility")
            page = signed_in(alice).post(f"/models/{model.pk}/share", {"visibility": visibility}, follow=True)
            assert "We don’t know whose posts" in page.content.decode()
        fresh.refresh_from_db()
        assert (fresh.visibility, fresh.link) == ("private", None)
    Corpus.objects.filter(pk=corpus.pk).update(basis="own")
    registry.delete(TrainedModel.objects.get(pk=bot.pk))
    with pytest.raises(sharing.BasisUnknown):
        sharing.share(TrainedModel.objects.get(pk=of_two.pk), "public")


CLOSINGS = ["no corpus", "no basis", "retired", "owner inactive", "no gallery", "no gallery by the administrator"]


def close(what: str, bot: TrainedModel, settings: LazySettings) -> None:
    """Do what ends sharing."""
    if what == "no corpus":
        assert bot.corpus is not None
        deletion.delete_corpus(bot.corpus, by=bot.owner)
    elif what == "no basis":
        Corpus.objects.update(basis="")
    elif what == "retired":
        registry.retire(bot)
    elif what == "owner inactive":
        User.objects.filter(trained_models=bot).update(is_active=False)
    elif what == "no gallery":
        settings.PUBLIC_SHARING = False
    else:
        row = rules.row()
        row.public_sharing = False
        row.save()


@pytest.mark.parametrize("what", CLOSINGS)
def test_what_ends_sharing_ends_it_at_once(
    alice: User, bob: User, bot: TrainedModel, settings: LazySettings, what: str
) -> None:
    for visibility in ("public", "unlisted"):
        sharing.share(bot, visibility)
        place = place_of(bot, by_link=visibility == "unlisted")
        assert signed_in(bob).get(f"{place}/").status_code == 200
        assert sharing.gallery_for_user(bob).exists() is (visibility == "public")
    sharing.share(bot, "public")
    close(what, bot, settings)
    assert signed_in(bob).get(f"/gallery/{bot.pk}/").status_code == 404
    require_error(Program(bob).get(f"/gallery/{bot.pk}"), 404, "not_found")
    assert Program(bob).get("/gallery").json() == {"data": [], "has_more": False}
    assert not sharing.gallery_for_user(bob).exists()
    # The owner is told. A deactivated person is sent to the sign-in page. Without its posts, the bot is private.
    pages = {path: signed_in(alice).get(f"/{path}/{bot.pk}/") for path in ("models", "gallery")}
    private = 'value="private" checked' if what == "no corpus" else "Only you can find it now"
    told = {"models": private, "gallery": "It isn’t shared now"}
    found = {path for path, answer in pages.items() if told[path] in answer.content.decode()}
    assert found == (set() if what == "owner inactive" else set(told))


@pytest.mark.parametrize("what", ["no gallery", "no gallery by the administrator"])
def test_without_a_gallery_links_still_open(
    alice: User, bob: User, bot: TrainedModel, settings: LazySettings, what: str
) -> None:
    sharing.share(bot, "public")
    close(what, bot, settings)
    for client in (signed_in(alice), signed_in(bob), Client()):
        assert client.get("/gallery/").status_code == 404 and "/gallery/" not in client.get("/").content.decode()
    with pytest.raises(sharing.SharingOff):
        sharing.share(bot, "public")
    require_error(
        Program(alice).ask("PATCH", f"/models/{bot.pk}", {"visibility": "public"}),
        409,
        "public_sharing_off",
        "visibility",
    )
    sharing.share(bot, "unlisted")
    assert signed_in(bob).get(f"/shared/{bot.link}/").status_code == 200


def test_before_it_deletes_what_others_come_from_a_page_says_that_they_become_private(
    alice: User, bot: TrainedModel
) -> None:
    owner = signed_in(alice)
    bots, posts = (
        owner.get(path).content.decode().partition('<p id="delete-text">')[2].partition("</p>")[0]
        for path in (f"/models/{bot.pk}/", f"/corpora/{bot.corpus_id}/")
    )
    assert "Bots that started from it stay, but become private." in bots
    assert "Bots that learned from them stay, but become private." in posts


def test_an_opt_out_and_a_deleted_account_take_shared_bots_away(
    alice: User, bob: User, admin: User, bot: TrainedModel, base: TrainedModel
) -> None:
    Corpus.objects.update(source="bluesky")
    assert bot.corpus is not None
    theirs = import_posts(bob, seed=6)
    kept = make_bot(theirs, base, "Kept")
    for model in (bot, kept):
        sharing.share(model, "public")
    Program(bob).post(f"/gallery/{bot.pk}/generate", {"n": 1, "max_characters": 40})
    files = model_files.path_of(bot)
    opt_out.add(network="bluesky", handle="town.example", by=admin)
    assert signed_in(bob).get(f"/gallery/{bot.pk}/").status_code == 404 and not files.exists()
    assert not Generation.objects.exists()
    assert [model.pk for model in sharing.gallery_for_user(alice)] == [kept.pk]
    delete_account(bob)
    assert not sharing.gallery_for_user(alice).exists() and signed_in(alice).get("/gallery/").status_code == 200


def test_a_base_model_that_a_person_made_is_not_everybodys_to_let_write_unguarded(
    alice: User, bob: User, bot: TrainedModel, base: TrainedModel
) -> None:
    assert sharing.rights_of(bob, base) == OF_BASE | {Right.LOOSEN}
    versions.make_base(bot, how=BaseChange.How.PROMOTED)
    bot.refresh_from_db()
    assert sharing.rights_of(bob, bot) == OF_BASE and sharing.rights_of(alice, bot) == EVERYTHING
    unguarded = {"n": 1, "max_characters": 40, "copy_guard": False}
    require_error(Program(bob).post(f"/models/{bot.pk}/generate", unguarded), 422, "guard_kept", "copy_guard")
    assert Program(alice).post(f"/models/{bot.pk}/generate", unguarded).status_code == 200
    assert 'name="copy_guard"' not in signed_in(bob).get(f"/models/{bot.pk}/").content.decode()
    delete_account(alice)
    bot.refresh_from_db()
    assert bot.owner is None and sharing.rights_of(bob, bot) == OF_BASE
    require_error(Program(bob).post(f"/models/{bot.pk}/generate", unguarded), 422, "guard_kept", "copy_guard")
