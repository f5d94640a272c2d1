"""docs/sharing.md as a test: what each may do with a model of each visibility, on the pages and over REST."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils.html import escape

from botfactory.accounts import rules
from botfactory.accounts.models import PersonalLimits, User
from botfactory.accounts.services import delete_account
from models_app import registry, services, sharing, trainings
from models_app.ml.copies import CopyGuard
from models_app.models import BaseChange, Generation, TrainedModel
from models_app.sharing import EVERYTHING, NOTHING, OF_BASE, OF_GUESTS, OF_PASSERS_BY, Right
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tests.rest.helpers import Program, require_error
from tweets import deletion, opt_out
from tweets import services as corpora
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

SAMPLE = "a sample of the best epoch by @somebody"
SECRET = "the-name-of-the-corpus"


def make_bot(
    corpus: Corpus, base: TrainedModel, name: str = "Crier", parent: TrainedModel | None = None
) -> TrainedModel:
    """A bot with the weights of the base model: how well it writes does not matter here."""
    job = trainings.fine_tune(owner=corpus.owner, corpus=corpus, start=base, epochs=1, name=name, run_here=True)
    share = {"bot": 0.9, "held_out": 0.8, "base": 0.1}
    return registry.register(
        job=job,
        name=name,
        corpus=corpus,
        parent=parent or base,
        parent_name=(parent or base).full_name,
        trained=registry.load(base),
        guard=CopyGuard.of(corpora.training_posts(corpus)),
        meta={},
        values={
            "history": [{"epoch": 1, "samples": [SAMPLE]}, {"epoch": 2, "samples": ["of another epoch"]}],
            "best_epoch": 1,
            "report": {
                "bits_per_character": 2.125,
                "base_bits_per_character": 2.625,
                "novelty": share,
                "voice": share,
                "real_words": share,
                "copies": [{"post": 1, "share": 0.9, "run": 5}],
            },
        },
    )


@pytest.fixture
def bot(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    """A bot of alice, private as every bot is at first."""
    Corpus.objects.filter(pk=corpus.pk).update(handle="town.example", basis="public", name=SECRET)
    return make_bot(Corpus.objects.get(pk=corpus.pk), base)


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody who looks at a model, with the link if there is one to be had."""

    user: User | None
    model: TrainedModel

    @property
    def browser(self) -> Client:
        return signed_in(self.user) if self.user else Client()

    @property
    def program(self) -> Program:
        scopes = ("read", "write", "admin") if self.user and self.user.is_superuser else ("read", "write")
        return Program(self.user, *scopes)

    def places(self, by_link: bool) -> str:
        return f"/shared/{self.model.link or 'x' * 43}" if by_link else f"/gallery/{self.model.pk}"


#: Who, visibility, by link or by id, is the gallery open to everybody -> what they may.
TABLE: list[tuple[str, str, bool, bool, frozenset[Right]]] = [
    *[("alice", visibility, False, False, EVERYTHING) for visibility in ("private", "unlisted", "public")],
    ("alice", "unlisted", True, False, EVERYTHING),
    *[
        (who, visibility, by_link, is_open, may)
        for who, guest in (("bob", OF_GUESTS), ("admin", OF_GUESTS), ("nobody", OF_PASSERS_BY), ("gone", OF_PASSERS_BY))
        for visibility, by_link, is_open, may in [
            ("private", False, True, NOTHING),
            ("private", True, True, NOTHING),
            ("unlisted", False, True, NOTHING),
            ("unlisted", True, False, guest),
            ("public", False, False, guest if guest == OF_GUESTS else NOTHING),
            ("public", False, True, guest),
            ("public", True, True, NOTHING),
        ]
    ],
]


@pytest.mark.parametrize(("who", "visibility", "by_link", "is_open", "may"), TABLE)
def test_the_table(
    alice: User,
    bob: User,
    admin: User,
    bot: TrainedModel,
    settings: LazySettings,
    who: str,
    visibility: str,
    by_link: bool,
    is_open: bool,
    may: frozenset[Right],
) -> None:
    settings.OPEN_GALLERY = is_open
    if visibility != "private":
        sharing.share(bot, visibility)
    gone = User.objects.create_user("gone", password="x", is_active=False)
    people: dict[str, User | None] = {"alice": alice, "bob": bob, "admin": admin, "nobody": None, "gone": gone}
    ask = Ask(people[who], bot)
    from django.contrib.auth.models import AnonymousUser

    link = (bot.link or "") if by_link else ""
    if not (by_link and visibility != "unlisted"):
        assert sharing.rights_of(people[who] or AnonymousUser(), bot, link=link) == may
    _the_pages(ask, ask.places(by_link), may, by_link)
    if who != "gone":
        _the_gallery(ask, visibility, is_open)
        _rest(ask, ask.places(by_link), may)
    _what_is_the_owners_alone(ask, may)


def _the_pages(ask: Ask, place: str, may: frozenset[Right], by_link: bool) -> None:
    answer = ask.browser.get(f"{place}/")
    hidden = 404 if by_link or (ask.user and ask.user.is_active) else 302
    assert answer.status_code == (200 if Right.SEE in may else hidden)
    page = answer.content.decode()
    if Right.SEE in may:
        assert "Crier" in page and escape("AI parody of @town.example, not by @town.example.") in page
        assert "a sample of the best epoch by @…" in page and "2.125" in page and "A parody of a public figure" in page
        assert SECRET not in page and "alice" not in page.replace(">alice<", "", 1) and "of another epoch" not in page
        assert answer["X-Robots-Tag"] == "noindex"
    assert ('name="count"' in page) is (Right.WRITE in may)
    assert 'name="copy_guard"' not in page
    sampling = {"count": "1", "temperature": "0.8", "max_characters": "40"}
    written = ask.browser.post(f"{place}/generate", sampling)
    asked_in = ask.user is None or not ask.user.is_active
    assert written.status_code == 302 if Right.WRITE in may or asked_in else 404
    assert Generation.objects.filter(owner=ask.user).count() == (1 if Right.WRITE in may else 0)
    if Right.WRITE in may:
        assert written["Location"] == f"{place}/" and 'id="generation-' in ask.browser.get(f"{place}/").content.decode()
        for guard in ("copy_guard", "mask_mentions"):
            unguarded = ask.browser.post(f"{place}/generate", {**sampling, guard: "false"})
            assert unguarded.status_code == (302 if Right.LOOSEN in may else 400)
            assert ("Only its owner may" in unguarded.content.decode()) is (Right.LOOSEN not in may)


def _the_gallery(ask: Ask, visibility: str, is_open: bool) -> None:
    answer = ask.browser.get("/gallery/")
    assert answer.status_code == (200 if ask.user or is_open else 302)
    if answer.status_code == 200:
        assert (f"/gallery/{ask.model.pk}/" in answer.content.decode()) is (visibility == "public")
    listed = ask.program.get("/gallery")
    if ask.user is None:
        require_error(listed, 401, "not_authenticated")
    else:
        assert [shown["id"] for shown in listed.json()["data"]] == (
            [str(ask.model.pk)] if visibility == "public" else []
        )


def _rest(ask: Ask, place: str, may: frozenset[Right]) -> None:
    answer, written = ask.program.get(place), ask.program.post(f"{place}/generate", {"n": 1, "max_characters": 40})
    if ask.user is None:
        require_error(answer, 401, "not_authenticated")
        require_error(written, 401, "not_authenticated")
        return
    if Right.SEE not in may:
        for refused in (answer, written):
            require_error(refused, 404, "not_found")
        return
    told = answer.json()
    assert sorted(told) == ["basis", "bits_per_character", "created_at", "id", "label", "name", "report", "samples"]
    assert told["basis"] == "public" and told["samples"] == ["a sample of the best epoch by @…"]
    assert "copies" not in told["report"] and told["report"]["voice"]["bot"] == 0.9
    assert written.status_code == 200 and written.json()["label"] == told["label"]
    for guard in ("copy_guard", "mask_mentions"):
        unguarded = ask.program.post(f"{place}/generate", {"n": 1, "max_characters": 40, guard: False})
        if Right.LOOSEN in may:
            assert unguarded.status_code == 200
        else:
            require_error(unguarded, 422, "guard_kept", guard)


def _what_is_the_owners_alone(ask: Ask, may: frozenset[Right]) -> None:
    path, is_owner = f"/models/{ask.model.pk}", Right.CHANGE in may
    out = 404 if ask.user and ask.user.is_active else 302
    assert ask.browser.get(f"{path}/").status_code == (200 if is_owner else out)
    if not is_owner:
        for action in ("share", "rename", "delete", "generate"):
            answer = ask.browser.post(f"{path}/{action}", {"visibility": "public", "renew": "yes", "name": "x"})
            assert answer.status_code == out
        refused = (404, "not_found") if ask.user and ask.user.is_active else None
        for method, more, body in [
            ("GET", "", None),
            ("PATCH", "", {"visibility": "public"}),
            ("POST", "/link", None),
            ("DELETE", "", None),
        ]:
            if refused:
                require_error(ask.program.ask(method, f"{path}{more}", body), *refused)
        before = (ask.model.visibility, ask.model.link)
        ask.model.refresh_from_db()
        assert (ask.model.visibility, ask.model.link, ask.model.name) == (*before, "Crier")


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
        page = owner.post(f"{path}/share", nonsense, follow=True).content.decode()
        assert "Choose who can find the bot" in page
    owner.post(f"{path}/share", {"visibility": "public"})
    page = owner.post(f"{path}/share", {"renew": "yes"}, follow=True).content.decode()
    assert "Only a bot that is shared by link has one" in page and f"/gallery/{bot.pk}/" in page


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
    require_error(program.ask("PATCH", path, {"visibility": "private", "name": "a/b"}), 422, "bad_name", "name")
    assert program.get(path).json() == both


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
    assert answer.status_code == 400 and "0 requests a minute are the most" in answer.content.decode()
    assert not Generation.objects.exists()


def test_a_stream_is_guarded_as_well(bob: User, bot: TrainedModel) -> None:
    sharing.share(bot, "public")
    program, path = Program(bob), f"/gallery/{bot.pk}/generate?stream=1"
    body = {"n": 1, "max_characters": 40}
    for guard in ("copy_guard", "mask_mentions"):
        require_error(program.post(path, {**body, guard: False}), 422, "guard_kept", guard)
    answer = program.post(path, body)
    assert answer["Content-Type"] == "text/event-stream"
    require_error(program.post(f"/models/{bot.pk}/generate?stream=1", body), 404, "not_found")


def test_nobody_trains_further_from_a_shared_one(bob: User, bot: TrainedModel) -> None:
    sharing.share(bot, "public")
    own = import_posts(bob, seed=3)
    with pytest.raises(TrainedModel.DoesNotExist):
        services.start_for_user(bob, bot.pk)
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
            assert "It is not known whose posts" in page.content.decode()
        fresh.refresh_from_db()
        assert (fresh.visibility, fresh.link) == ("private", None)
    Corpus.objects.filter(pk=corpus.pk).update(basis="own")
    registry.delete(TrainedModel.objects.get(pk=bot.pk))
    with pytest.raises(sharing.BasisUnknown):
        sharing.share(TrainedModel.objects.get(pk=of_two.pk), "public")


CLOSINGS = ["no corpus", "no basis", "retired", "owner inactive", "no gallery", "no gallery by the administrator"]


@pytest.mark.parametrize("what", CLOSINGS)
def test_what_ends_sharing_ends_it_at_once(
    alice: User, bob: User, bot: TrainedModel, settings: LazySettings, what: str
) -> None:
    for visibility in ("public", "unlisted"):
        sharing.share(bot, visibility)
        place = Ask(bob, bot).places(visibility == "unlisted")
        assert signed_in(bob).get(f"{place}/").status_code == 200
        assert sharing.gallery_for_user(bob).exists() is (visibility == "public")
    sharing.share(bot, "public")
    assert bot.corpus is not None
    if what == "no corpus":
        deletion.delete_corpus(bot.corpus, by=alice)
    elif what == "no basis":
        Corpus.objects.update(basis="")
    elif what == "retired":
        services.retire(bot)
    elif what == "owner inactive":
        User.objects.filter(pk=alice.pk).update(is_active=False)
    elif what == "no gallery":
        settings.PUBLIC_SHARING = False
    else:
        row = rules.row()
        row.public_sharing = False
        row.save()
    assert signed_in(bob).get(f"/gallery/{bot.pk}/").status_code == 404
    require_error(Program(bob).get(f"/gallery/{bot.pk}"), 404, "not_found")
    assert Program(bob).get("/gallery").json() == {"data": [], "has_more": False}
    assert not sharing.gallery_for_user(bob).exists()
    if what != "owner inactive":
        assert "Nobody but you finds it now" in signed_in(alice).get(f"/models/{bot.pk}/").content.decode()
        assert "It is not shared now" in signed_in(alice).get(f"/gallery/{bot.pk}/").content.decode()
    if what.startswith("no gallery"):
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
    files = registry.path_of(bot)
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
    registry.make_base(bot, how=BaseChange.How.PROMOTED)
    bot.refresh_from_db()
    assert sharing.rights_of(bob, bot) == OF_BASE and sharing.rights_of(alice, bot) == EVERYTHING
    unguarded = {"n": 1, "max_characters": 40, "copy_guard": False}
    require_error(Program(bob).post(f"/models/{bot.pk}/generate", unguarded), 422, "guard_kept", "copy_guard")
    assert Program(alice).post(f"/models/{bot.pk}/generate", unguarded).status_code == 200
    assert 'name="copy_guard"' not in signed_in(bob).get(f"/models/{bot.pk}/").content.decode()


def test_the_gallery_is_searched_and_paged(alice: User, bob: User, bot: TrainedModel, corpus: Corpus) -> None:
    for number in range(30):
        TrainedModel.objects.create(
            owner=alice, corpus=corpus, name=f"Number {number:02}", directory=f"none/{number}", visibility="public"
        )
    client = signed_in(bob)
    first, second = (client.get(f"/gallery/?page={page}").content.decode() for page in (1, 2))
    assert "30 bots" in first and "page 1 of 2" in first and 'href="?page=2"' in first
    assert first.count("bot-card") == 24 and second.count("bot-card") == 6 and "Number 00" in second
    found = client.get("/gallery/?q=number+29").content.decode()
    assert "1 bot with" in found and "Number 29" in found
    assert "30 bots with" in client.get("/gallery/?q=@Town").content.decode()
    for words in ("nothing-of-the-kind", SECRET, "alice"):
        assert "No bot has this" in client.get(f"/gallery/?q={words}").content.decode()
    assert "30 bots" in client.get("/gallery/?q=%00&page=many").content.decode()
    program = Program(bob)
    page = program.get("/gallery?limit=10").json()
    assert page["data"][0]["name"] == "Number 29" and page["has_more"] is True
    then = program.get(f"/gallery?limit=30&after={page['data'][-1]['id']}").json()
    assert len(then["data"]) == 20 and then["has_more"] is False
    assert [shown["name"] for shown in program.get("/gallery?q=number+07").json()["data"]] == ["Number 07"]
    require_error(program.get(f"/gallery?after={bot.pk}"), 422, "bad_value", "after")
    require_error(program.get("/gallery?query=x"), 422, "unknown_field", "query")
    require_error(program.get(f"/gallery/{uuid.uuid4()}"), 404, "not_found")


def test_an_empty_gallery_says_how_to_fill_it(bob: User) -> None:
    page = signed_in(bob).get("/gallery/").content.decode()
    assert "Nobody shows a bot yet" in page and 'href="/gallery/" aria-current="page"' in page


def test_the_administrator_decides_on_the_gallery(alice: User, admin: User, settings: LazySettings) -> None:
    client = signed_in(admin)
    answer = client.get("/admin/accounts/houserules/", follow=True)
    page = answer.content.decode()
    assert answer.redirect_chain and "as the settings say: yes" in page and "as the settings say: no" in page
    path = answer.redirect_chain[-1][0]
    decided: dict[str, Any] = {"public_sharing": "true", "open_gallery": "true"}
    assert client.post(path, decided).status_code == 302
    settings.PUBLIC_SHARING = False
    assert (rules.house_rules().public_sharing, rules.house_rules().open_gallery) == (True, True)
    assert Client().get("/gallery/").status_code == 200 and "/gallery/" in Client().get("/").content.decode()
    client.post(path, {"public_sharing": "unknown", "open_gallery": "false"})
    assert (rules.house_rules().public_sharing, rules.house_rules().open_gallery) == (False, False)
    assert signed_in(alice).get(path).status_code == 302


def test_the_administrator_takes_a_bot_out_of_the_gallery(bob: User, admin: User, bot: TrainedModel) -> None:
    sharing.share(bot, "public")
    answer = signed_in(admin).post(
        "/admin/models_app/trainedmodel/", {"action": "make_private", "_selected_action": [str(bot.pk)]}, follow=True
    )
    assert "1 private now" in answer.content.decode()
    assert signed_in(bob).get(f"/gallery/{bot.pk}/").status_code == 404
