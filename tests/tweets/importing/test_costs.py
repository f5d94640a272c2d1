"""The cost of posts from X is shown and confirmed before buying, on the page and at the terminal."""

from __future__ import annotations

import io
import re
import sys
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.at_once import at_once
from tests.conftest import signed_in
from tests.fakes.x_api_server import XApiServer
from tests.tweets.helpers import pasted, run
from tweets.corpora import services
from tweets.corpora.budget import XMonth
from tweets.importing import costs
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


@pytest.fixture
def client(alice: User) -> Client:
    return signed_in(alice)


def asked(client: Client, handle: str, **more: str) -> Any:
    return client.post("/corpora/new", {"way": "x", "x": handle, "basis": "permission", **more})


def fields_of(page: Any) -> dict[str, str]:
    """Return what the page's button would send."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.content.decode()))


def figures_of(page: Any) -> dict[str, str]:
    return dict(re.findall(r'data-figure="(\w+)">([^<]*)<', page.content.decode()))


def look_ups(x_api: XApiServer) -> int:
    return sum("/users/by/username/" in request.path for request in x_api.requests)


def test_an_x_handle_is_told_with_its_cost_and_nothing_is_bought_before_the_yes(
    client: Client, x_api: XApiServer
) -> None:
    page = asked(client, "https://x.com/prolific", name="Prolific", keep_replies="on")
    assert page.status_code == 200
    assert figures_of(page) == {"posts": "4,000", "bought": "3,200", "cost": "$16.01"}
    assert "@prolific" in page.content.decode() and "includes $0.01 for looking up the account" in page.content.decode()
    assert not Corpus.objects.exists() and not Job.objects.exists() and not x_api.pages_sold()


def test_the_yes_imports_as_it_was_asked_without_another_look_up(client: Client, x_api: XApiServer) -> None:
    page = asked(client, "chatty", name="Chats", keep_replies="on")
    assert figures_of(page) == {"posts": "20", "bought": "20", "cost": "$0.11"}
    answer = client.post("/corpora/new", fields_of(page))
    job = Job.objects.get()
    assert answer["Location"] == f"/jobs/{job.pk}/"
    job, corpus = run(job)
    assert job.state == State.SUCCEEDED, job.error_message
    assert (corpus.name, corpus.basis, corpus.handle, corpus.posts_found) == ("Chats", "permission", "chatty", 19)
    assert corpus.keep_replies and not corpus.keep_reposts
    assert look_ups(x_api) == 1 and corpus.account_id, "the look-up before the yes has found it"


def test_one_yes_buys_once_however_often_it_is_sent(client: Client, x_api: XApiServer, settings: Any) -> None:
    fields = fields_of(asked(client, "chatty"))
    settings.LIMIT_CORPORA = 1
    first = client.post("/corpora/new", fields)
    job, corpus = run(Job.objects.get())
    assert first["Location"] == f"/jobs/{job.pk}/" and corpus.posts_found == 19
    # The browser heard no answer to the first, so the person presses the button again.
    again = client.post("/corpora/new", fields)
    assert (again.status_code, again.headers.get("Location")) == (302, first["Location"])
    assert Corpus.objects.get() == corpus and Job.objects.get() == job
    assert len(x_api.pages_sold()) == 1


def test_one_yes_that_is_sent_twice_at_once_buys_once(client: Client, x_api: XApiServer) -> None:
    fields = fields_of(asked(client, "chatty"))
    answers = at_once(2, lambda: client.post("/corpora/new", fields))
    assert [answer["Location"] for answer in answers] == [f"/jobs/{Job.objects.get().pk}/"] * 2
    assert Corpus.objects.count() == 1


def test_the_operators_budget_and_prices_are_in_the_estimate(client: Client, x_api: XApiServer, settings: Any) -> None:
    settings.X_MONTHLY_POSTS, settings.X_POST_PRICE, settings.X_USER_PRICE = 250, Decimal("0.1"), Decimal(1)
    page = asked(client, "prolific")
    assert figures_of(page) == {"posts": "4,000", "bought": "250", "cost": "$26.00"}
    assert "250 posts a month, and has 250 left" in page.content.decode()
    settings.X_MONTHLY_POSTS = 3
    page = asked(client, "prolific")
    assert page.status_code == 400 and "X_MONTHLY_POSTS" in page.content.decode()
    assert look_ups(x_api) == 1, "an account is not looked up where nothing can be bought of it"


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        ("nobody_there", "X has no account @nobody_there"),
        ("suspended", "X has suspended @suspended"),
        ("protected", "are protected"),
        ("nocredits", "API credits are used up"),
        ("empty", "@empty hasn’t posted anything"),
        ("notenrolled", "must belong to a project with API access"),
        ("down", "is having problems (503)"),
    ],
)
def test_what_the_look_up_says_is_told_on_the_form(client: Client, x_api: XApiServer, handle: str, words: str) -> None:
    page = asked(client, handle)
    assert page.status_code == 400
    assert words in page.content.decode() and f'value="{handle}"' in page.content.decode()
    assert not Corpus.objects.exists()


def test_a_refused_token_is_told_without_showing_it(client: Client, x_api: XApiServer, settings: Any) -> None:
    settings.X_BEARER_TOKEN = "wrong-token"
    page = asked(client, "prolific")
    assert page.status_code == 400 and "X refused this server’s API token" in page.content.decode()
    assert "wrong-token" not in page.content.decode()


def test_a_pause_that_x_asks_for_is_told_with_its_end(
    client: Client, x_api: XApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fakes.server import Answer

    monkeypatch.setattr(x_api, "_user", lambda name: Answer(429, {"status": 429}, {"x-rate-limit-reset": "1"}))
    page = asked(client, "prolific")
    assert page.status_code == 400
    assert re.search(r"X asks for a pause until \d\d:\d\d UTC\. Nothing was bought", page.content.decode())


@pytest.mark.parametrize("changed", [{"confirmed": "yes"}, {"confirmed": ""}, {"x": "@essayist"}])
def test_a_yes_to_something_else_is_asked_again(client: Client, x_api: XApiServer, changed: dict[str, str]) -> None:
    fields = fields_of(asked(client, "chatty"))
    page = client.post("/corpora/new", {**fields, **changed})
    assert page.status_code == 200 and figures_of(page)["cost"]
    assert not Job.objects.exists()


def test_a_yes_of_somebody_else_or_of_long_ago_is_asked_again(
    client: Client, bob: User, x_api: XApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = fields_of(asked(client, "chatty"))
    assert signed_in(bob).post("/corpora/new", fields).status_code == 200
    monkeypatch.setattr(costs, "SECONDS_TO_CONFIRM", -1)
    assert client.post("/corpora/new", fields).status_code == 200
    assert not Job.objects.exists()


def test_an_x_address_in_another_networks_field_is_asked_too(client: Client, x_api: XApiServer) -> None:
    form = {"way": "bluesky", "bluesky": "https://x.com/chatty", "basis": "own"}
    page = client.post("/corpora/new", form)
    assert page.status_code == 200 and figures_of(page)["cost"] == "$0.11"
    assert client.post("/corpora/new", fields_of(page)).status_code == 302
    assert Corpus.objects.get().source == "x"


def test_newer_posts_are_asked_for_with_the_most_that_they_cost(
    client: Client, alice: User, x_api: XApiServer, settings: Any
) -> None:
    corpus = run(services.import_handle(owner=alice, handle="chatty"))[1]
    x_api.publish("chatty", ["one more", "and another"])
    settings.X_MONTHLY_POSTS = 1019
    address = f"/corpora/{corpus.pk}/newer"
    assert client.get(address).status_code == 405
    before = len(x_api.requests)
    page = client.post(address)
    assert page.status_code == 200 and figures_of(page) == {"bought": "1,000", "cost": "$5.01"}
    assert len(x_api.requests) == before and Job.objects.count() == 1
    assert client.post(address, fields_of(page)).status_code == 302
    corpus = run(Job.objects.get(state=State.QUEUED))[1]
    assert corpus.posts_found == 21
    assert XMonth.objects.get().posts == 21


def test_newer_posts_that_cannot_be_bought_are_told(
    client: Client, alice: User, x_api: XApiServer, settings: Any
) -> None:
    corpus = run(services.import_handle(owner=alice, handle="chatty"))[1]
    settings.X_MONTHLY_POSTS = 19
    page = client.post(f"/corpora/{corpus.pk}/newer", follow=True)
    assert page.redirect_chain and "X_MONTHLY_POSTS" in page.content.decode()
    assert Job.objects.count() == 1


def test_what_costs_nothing_is_not_asked_about(client: Client, alice: User, settings: Any) -> None:
    form = {"way": "bluesky", "bluesky": "@name.bsky.social", "basis": "own"}
    assert client.post("/corpora/new", form).status_code == 302
    corpus = pasted(alice, ["a post of my own, long enough to be kept"] * 2)
    assert client.post(f"/corpora/{corpus.pk}/newer")["Location"] == f"/corpora/{corpus.pk}/"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def imported(*arguments: str) -> str:
    told = io.StringIO()
    call_command("import_posts", *arguments, stdout=io.StringIO(), stderr=told)
    return told.getvalue()


def test_without_a_terminal_the_command_buys_nothing_and_names_yes(
    admin: User, x_api: XApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(CommandError, match="--yes"):
        imported("@chatty")
    assert not x_api.requests and not Job.objects.exists()


def test_yes_buys_after_telling_the_cost(admin: User, x_api: XApiServer) -> None:
    told = imported("@chatty", "--yes")
    assert "@chatty has 20 posts. The import buys 20 posts for about $0.11" in told
    assert "[y/N]" not in told
    assert Corpus.objects.get().posts_found == 19 and look_ups(x_api) == 1


@pytest.mark.parametrize("word", ["n", "", "maybe"])
def test_at_a_terminal_everything_but_yes_is_no(
    admin: User, x_api: XApiServer, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{word}\n"))
    with pytest.raises(CommandError, match=r"Nothing was imported. Looking up the account cost \$0.01"):
        imported("@chatty")
    assert not Job.objects.exists() and not x_api.pages_sold()


def test_at_a_terminal_yes_imports(admin: User, x_api: XApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert "Buy them? [y/N]" in imported("https://x.com/chatty")
    assert Corpus.objects.get().posts_found == 19
