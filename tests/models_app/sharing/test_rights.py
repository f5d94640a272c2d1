"""docs/bots.md as a test: what each person can do with a model of each visibility, on pages and with REST."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils.html import escape

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.sharing import rights as sharing
from models_app.sharing.rights import EVERYTHING, NOTHING, OF_GUESTS, OF_PASSERS_BY, Right
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.shared_bot import SECRET, place_of
from tests.rest.helpers import Program, require_error

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


@dataclass(frozen=True, slots=True)
class Ask:
    """A person who looks at a model, with the link if there is one."""

    user: User | None
    model: TrainedModel

    @property
    def browser(self) -> Client:
        return signed_in(self.user) if self.user else Client()

    @property
    def program(self) -> Program:
        scopes = ("read", "write", "admin") if self.user and self.user.is_superuser else ("read", "write")
        return Program(self.user, *scopes)


#: Person, visibility, by link or by id, whether the gallery is open to everybody -> what they can do.
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
    # Nobody gets there without the link, so the rights are those of somebody who has it.
    has_link = not by_link or visibility == "unlisted"
    assert sharing.rights_of(people[who] or AnonymousUser(), bot, link=link) == may or not has_link
    place = place_of(bot, by_link=by_link)
    _the_pages(ask, place, may, by_link)
    if who != "gone":
        _the_gallery(ask, visibility, is_open)
        _rest(ask, place, may)
    _what_is_the_owners_alone(ask, may)


def _the_pages(ask: Ask, place: str, may: frozenset[Right], by_link: bool) -> None:
    answer = ask.browser.get(f"{place}/")
    hidden = 404 if by_link or (ask.user and ask.user.is_active) else 302
    assert answer.status_code == (200 if Right.SEE in may else hidden)
    page = answer.content.decode()
    if Right.SEE in may:
        assert "Crier" in page and escape("AI parody of @town.example, not by @town.example.") in page
        assert "a sample of the best epoch" in page and "2.125" in page and "a parody of a public figure" in page
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
        for guard in ("copy_guard", "mask_mentions", "personal_guard"):
            unguarded = ask.browser.post(f"{place}/generate", {**sampling, guard: "false"})
            assert unguarded.status_code == (302 if Right.LOOSEN in may else 400)
            assert ("Only the bot’s owner" in unguarded.content.decode()) is (Right.LOOSEN not in may)


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
    assert sorted(told) == [
        "basis",
        "bits_per_character",
        "created_at",
        "id",
        "label",
        "name",
        "report",
        "samples",
        "tags",
        "tier",
        "told_apart_by_people",
    ]
    assert told["basis"] == "public" and told["samples"] == ["a sample of the best epoch"]
    assert "copies" not in told["report"] and told["report"]["voice"]["bot"] == 0.9
    assert written.status_code == 200 and written.json()["label"] == told["label"]
    for guard in ("copy_guard", "mask_mentions", "personal_guard"):
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
