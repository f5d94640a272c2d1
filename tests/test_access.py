"""Every route of pages and of the administration, for each kind of person.

Owner, stranger, visitor, administrator, deactivated person, and invalid tokens. Each route has its expectation here,
those of sockets in tests/test_socket_access.py, and those of the REST API in tests/rest/test_access.py. A route
without one fails the last test.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.test import Client

from botfactory.accounts import tokens
from botfactory.accounts.models import ApiToken, User
from botfactory.jobs.models import Job
from botfactory.webhooks import services as webhooks
from botfactory.webhooks.models import Delivery, Webhook
from models_app.bots.rows import TrainedModel
from models_app.writing.keeping import reports
from models_app.writing.keeping import services as keeping
from models_app.writing.rows import Generation
from publishing.models import Publication
from publishing.queue import connecting
from tests.conftest import signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.models_app.conftest import untrained
from tests.models_app.search.searching import search_for
from tests.publishing.helpers import TEXTS, approve, propose
from tests.routes import filled, routes
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

#: Routes with the id of a thing -> what the owner gets for (GET, POST).
ROUTES: dict[str, tuple[int, int]] = {
    "/jobs/{job}/": (200, 405),
    "/jobs/{job}/events": (200, 405),
    "/jobs/{job}/stop": (405, 302),
    "/jobs/{job}/retry": (405, 302),
    "/jobs/{job}/cancel": (405, 302),
    # While it runs: tests/jobs/test_views.py.
    "/jobs/{job}/delete": (405, 302),
    "/corpora/{corpus}/": (200, 400),
    "/corpora/{corpus}/clean": (200, 400),
    "/corpora/{corpus}/column": (405, 302),
    "/models/{model}/": (200, 405),
    "/models/{model}/written/": (200, 405),
    "/generations/{generation}/why": (200, 405),
    # For others' games, see tests/models_app/writing/test_game.py.
    "/models/{model}/game": (200, 400),
    "/models/{model}/game/open": (405, 302),
    "/gallery/{model}/game": (200, 400),
    "/generations/{generation}/keep": (200, 302),
    # Nobody reports posts of their own bots: tests/models_app/writing/test_keeping.py.
    "/generations/{generation}/report": (404, 404),
    "/kept/{kept}/remove": (405, 302),
    "/reports/{report}/close": (405, 302),
    "/models/{model}/publish/": (200, 405),
    "/models/{model}/publish/write": (405, 302),
    "/models/{model}/publish/settings": (405, 400),
    "/models/{model}/publish/feed": (405, 302),
    "/models/{model}/publish/connect/bluesky": (200, 400),
    "/models/{model}/publish/connect/mastodon": (200, 400),
    "/models/{model}/publish/connect/webhook": (200, 400),
    # Without the operator's keys. See tests/publishing/test_x.py.
    "/models/{model}/publish/connect/x": (404, 404),
    "/accounts-of-bots/{account}/renew": (405, 302),
    "/accounts-of-bots/{account}/mark": (405, 302),
    "/proposals/{proposal}/approve": (405, 302),
    # It's approved by now.
    "/proposals/{proposal}/reject": (405, 400),
    "/proposals/{proposal}/move": (405, 302),
    # It isn't posted.
    "/proposals/{proposal}/recall": (405, 400),
    "/proposals/{proposal}/back": (405, 302),
    "/publications/{publication}/again": (405, 302),
    "/models/{model}/publish/stop": (405, 302),
    "/models/{model}/publish/stop-all": (405, 302),
    "/models/{model}/publish/recall": (405, 302),
    "/accounts-of-bots/{account}/disconnect": (405, 302),
    # Last of those of a generation, because it's gone then.
    "/generations/{generation}/delete": (405, 302),
    "/corpora/{corpus}/instant": (405, 302),
    "/corpora/{corpus}/search": (200, 400),
    # For those for base models, see tests/models_app/search/test_search_pages.py.
    "/searches/{search}/": (200, 405),
    "/searches/{search}/trials.csv": (200, 405),
    "/searches/{search}/add": (405, 400),
    "/searches/{search}/use": (405, 400),
    # For administrators, see tests/models_app/training/test_tier_recipes.py.
    "/searches/{search}/recipe": (405, 403),
    "/searches/{search}/stop": (405, 302),
    "/searches/{search}/resume": (405, 302),
    "/searches/{search}/delete": (405, 302),
    "/models/{model}/generate": (405, 400),
    "/models/{model}/rename": (405, 400),
    "/models/{model}/share": (405, 400),
    # A private one, as others would see it. For shared ones, see tests/models_app/sharing/test_sharing.py.
    "/gallery/{model}/": (200, 405),
    "/gallery/{model}/preview.png": (200, 405),
    "/gallery/{model}/generate": (405, 400),
    # For others' browsers, see tests/models_app/downloads/test_in_browser.py.
    "/models/{model}/browser/": (200, 405),
    "/models/{model}/browser/weights": (200, 405),
    "/models/{model}/browser/guard": (200, 405),
    "/models/{model}/browser/manifest.webmanifest": (200, 405),
    "/models/{model}/browser/worker.js": (200, 405),
    "/models/{model}/browser/service.js": (200, 405),
    "/gallery/{model}/browser/": (200, 405),
    "/gallery/{model}/browser/weights": (200, 405),
    "/gallery/{model}/browser/guard": (200, 405),
    "/gallery/{model}/browser/manifest.webmanifest": (200, 405),
    "/gallery/{model}/browser/worker.js": (200, 405),
    "/gallery/{model}/browser/service.js": (200, 405),
    "/models/{model}/written/delete": (405, 302),
    "/models/{model}/delete": (405, 302),
    "/corpora/{corpus}/posts": (200, 405),
    "/corpora/{corpus}/posts/out": (405, 302),
    "/corpora/{corpus}/posts/back": (405, 302),
    "/corpora/{corpus}/export": (200, 405),
    "/corpora/{corpus}/newer": (405, 302),
    "/corpora/{corpus}/delete": (405, 302),
    "/tokens/{token}/revoke": (405, 302),
    "/webhooks/{webhook}/": (200, 400),
    "/webhooks/{webhook}/test": (405, 302),
    "/webhooks/{webhook}/messages/{delivery}/resend": (405, 302),
    "/webhooks/{webhook}/secret": (405, 302),
    "/webhooks/{webhook}/switch": (405, 302),
    "/webhooks/{webhook}/delete": (405, 302),
}
#: Pages that show people their own things -> what a signed-in person gets for (GET, POST).
OWN_PAGES: dict[str, tuple[int, int]] = {
    "/": (200, 405),
    "/jobs/": (200, 405),
    "/status/": (200, 405),
    "/corpora/": (200, 405),
    "/corpora/new": (200, 400),
    "/corpora/demo": (405, 302),
    "/corpora/blend": (200, 400),
    "/models/": (200, 405),
    "/compare/": (200, 400),
    "/compare/curves": (200, 405),
    # Without what was begun. See tests/publishing/test_consent.py.
    "/accounts-of-bots/callback/{place}": (302, 405),
    "/kept/": (200, 405),
    "/kept/export": (200, 405),
    "/tokens/": (200, 302),
    "/webhooks/": (200, 400),
    "/account/": (200, 405),
    "/account/delete": (200, 400),
    "/account/export": (200, 405),
    "/account/import": (200, 400),
    "/account/notifications": (405, 302),
    "/account/sessions/end": (405, 302),
    "/account/sessions/{number}/end": (405, 404),
    "/accounts/sessions/": (200, 302),
    # For what is shared with whom, see tests/models_app/sharing/test_sharing.py.
    "/gallery/": (200, 405),
    "/shared/{link}/generate": (405, 404),
    "/shared/{link}/game": (404, 404),
    "/shared/{link}/browser/": (404, 405),
    "/shared/{link}/browser/weights": (404, 405),
    "/shared/{link}/browser/guard": (404, 405),
    "/shared/{link}/browser/manifest.webmanifest": (404, 405),
    "/shared/{link}/browser/worker.js": (404, 405),
    "/shared/{link}/browser/service.js": (404, 405),
    "/accounts/logout/": (200, 302),
    "/accounts/reauthenticate/": (200, 200),
    "/accounts/email/": (200, 302),
    "/accounts/password/change/": (200, 200),
    "/accounts/2fa/": (200, 405),
    "/accounts/2fa/reauthenticate/": (302, 302),
    "/accounts/2fa/totp/activate/": (302, 302),
    "/accounts/2fa/totp/deactivate/": (404, 404),
    "/accounts/2fa/recovery-codes/": (404, 405),
    "/accounts/2fa/recovery-codes/generate/": (302, 302),
    "/accounts/2fa/recovery-codes/download/": (404, 404),
    # Last, because it makes a visitor of who isn't signed in: tests/accounts/test_visitors.py.
    "/example/": (200, 302),
}
#: Pages without anything personal for visitors: a welcome, or nothing to sign out from.
FOR_NOBODY = {"/": 200, "/accounts/logout/": 302, "/example/": 302}
#: Pages for everybody -> what a visitor gets for GET. They show nothing personal.
OPEN_PAGES: dict[str, int] = {
    "/api/docs": 200,
    "/words/{language}.{digest}.js": 404,
    "/shared/{link}/": 404,
    "/shared/{link}/preview.png": 404,
    "/feeds/{link}.rss": 404,
    "/feeds/{link}.atom": 404,
    "/feeds/{link}.json": 404,
    "/accounts/login/": 200,
    "/accounts/signup/": 200,
    "/accounts/inactive/": 200,
    "/accounts/confirm-email/": 200,
    "/accounts/confirm-email/{key}/": 200,
    "/accounts/password/reset/": 200,
    "/accounts/password/reset/done/": 200,
    "/accounts/password/reset/key/{uidb36}-{key}/": 200,
    "/accounts/password/reset/key/done/": 200,
    # Steps of a sign-in that has begun.
    "/accounts/login/code/confirm/": 302,
    "/accounts/2fa/authenticate/": 302,
    # People without a password are redirected.
    "/accounts/password/set/": 302,
}
#: Actions for everybody, that change nothing but the browser (tests/web/test_themes.py, test_languages.py) or let the
#: demo bot write (tests/models_app/writing/test_demo_bot.py).
OPEN_ACTIONS = {"/language", "/theme", "/demo"}
#: For administrators, and for everybody with DEBUG: tests/web/test_themes.py.
FOR_DESIGNERS = {"/styleguide/"}
#: For programs, by token: tests/tweets/api/test_tweet_server.py, tests/models_app/test_openai.py.
BY_TOKEN = {"/api/{handle}", "/v1/models", "/v1/models/{name}", "/v1/completions", "/v1/{rest}"}
#: Routes that answer with a file.
FILES = {
    "/gallery/{model}/preview.png",
    "/jobs/{job}/events",
    "/feeds/{link}.rss",
    "/feeds/{link}.atom",
    "/feeds/{link}.json",
    "/corpora/{corpus}/export",
    "/searches/{search}/trials.csv",
    "/kept/export",
    "/account/export",
    *(
        f"/{place}/{{model}}/browser/{name}"
        for place in ("models", "gallery")
        for name in ("weights", "guard", "manifest.webmanifest", "worker.js", "service.js")
    ),
}
#: Values for names that don't belong to anybody.
NOBODYS = {"place": "x", "number": "1", "link": "x" * 43, "key": "x", "uidb36": "1", "language": "xx", "digest": "0"}


@pytest.fixture
def model(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    return untrained(corpus, base)


@pytest.fixture
def ids(corpus: Corpus, model: TrainedModel, base: TrainedModel) -> dict[str, uuid.UUID]:
    assert model.job_id is not None
    token = tokens.create_token(owner=corpus.owner, name="A token").token
    # An address that no machine has, so what the owner sends there fails at once.
    webhook = webhooks.create(owner=corpus.owner, url="https://nowhere.invalid/", events=["job.failed"]).webhook
    generation = Generation.objects.create(model=model, owner=corpus.owner, posts=["A post."], seconds=1)
    guest = User.objects.create(username="guest", password="!")
    of_guest = Generation.objects.create(model=model, owner=guest, posts=["A bad post."], seconds=1)
    report = reports.report(generation=of_guest, number=0, reason="other")
    feed = connecting.connect(model, "feed", {})
    missed = Publication.objects.get(proposal=approve(model, TEXTS[1]))
    Publication.objects.filter(pk=missed.pk).update(state="missed")
    return {
        "account": feed.pk,
        "proposal": propose(model).pk,
        "publication": missed.pk,
        "job": model.job_id,
        "corpus": corpus.pk,
        "model": model.pk,
        "token": token.pk,
        "webhook": webhook.pk,
        "delivery": Delivery.objects.create(
            webhook=webhook, event="job.failed", subject_id=model.job_id, state="failed"
        ).pk,
        "generation": generation.pk,
        "kept": keeping.keep(generation=generation, number=0, text="Another post.").pk,
        "report": report.pk,
        "search": search_for(corpus, base).pk,
    }


def text_of(answer: Any) -> str:
    """Return the page without what differs in each answer."""
    text = answer.content.decode()
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)


def test_the_owner_gets_in(ids: dict[str, uuid.UUID], alice: User) -> None:
    client = signed_in(alice)
    for route, expected in ROUTES.items():
        path = route.format(**ids)
        assert (client.get(path).status_code, client.post(path).status_code) == expected, route


def test_strangers_and_the_administrator_get_what_does_not_exist(
    ids: dict[str, uuid.UUID], bob: User, admin: User
) -> None:
    for person in (bob, admin):
        client = signed_in(person)
        for route, allowed in ROUTES.items():
            there = route.format(**ids)
            nowhere = route.format(**{name: uuid.uuid4() for name in ids})
            for method, status in zip(("GET", "POST"), allowed, strict=True):
                if status == 405:
                    continue
                answers = [client.generic(method, path) for path in (there, nowhere)]
                assert [answer.status_code for answer in answers] == [404, 404], route
                assert text_of(answers[0]) == text_of(answers[1]), route
    assert Job.objects.count() == 3 and TrainedModel.objects.count() == 2 and Corpus.objects.count() == 1
    assert ApiToken.objects.get().revoked_at is None and Webhook.objects.get().active


def test_nobody_is_asked_to_sign_in(ids: dict[str, uuid.UUID], charlie: Client) -> None:
    for route in ROUTES:
        path = route.format(**ids)
        for answer in (charlie.get(path), charlie.post(path)):
            assert answer.status_code == 302 and answer["Location"].startswith("/accounts/login/"), route


def test_lists_and_choices_show_own_things_only(ids: dict[str, uuid.UUID], bob: User, corpus: Corpus) -> None:
    client = signed_in(bob)
    shown = ("/", "/jobs/", "/corpora/", "/models/", "/corpora/new", "/corpora/blend", "/gallery/")
    for path in (*shown, "/tokens/", "/webhooks/"):
        page = client.get(path).content.decode()
        assert not any(str(found) in page for found in ids.values()), path


def test_a_training_cannot_start_from_somebody_elses_model(
    ids: dict[str, uuid.UUID], bob: User, model: TrainedModel
) -> None:
    from tests.models_app.conftest import import_posts

    own = import_posts(bob, seed=9)
    answer = signed_in(bob).post(f"/corpora/{own.pk}/", {"start": str(model.pk), "epochs": "1"})
    assert answer.status_code == 400
    assert not Job.objects.filter(owner=bob, kind="fine_tune").exists()


def test_the_base_model_is_everybodys_to_use_and_nobodys_to_change(
    ids: dict[str, uuid.UUID], bob: User, base: TrainedModel
) -> None:
    client = signed_in(bob)
    assert client.get(f"/models/{base.pk}/").status_code == 200
    assert client.post(f"/models/{base.pk}/generate", {"count": "1", "temperature": "0.8"}).status_code == 302
    for action in ("rename", "delete"):
        assert client.post(f"/models/{base.pk}/{action}", {"name": "mine"}).status_code == 404
    base.refresh_from_db()
    assert base.name == "base"


def test_what_one_person_lets_the_base_model_write_another_does_not_see(
    ids: dict[str, uuid.UUID], alice: User, bob: User, base: TrainedModel
) -> None:
    sampling = {"count": "1", "temperature": "0.8", "prompt": "a secret prompt"}
    signed_in(alice).post(f"/models/{base.pk}/generate", sampling)
    assert "a secret prompt" in signed_in(alice).get(f"/models/{base.pk}/").content.decode()
    assert "a secret prompt" not in signed_in(bob).get(f"/models/{base.pk}/").content.decode()


def test_who_was_deactivated_is_out(ids: dict[str, uuid.UUID], alice: User) -> None:
    client = signed_in(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    open_to_owners = [route for route, allowed in ROUTES.items() if allowed[0] == 200]
    found = {route: client.get(route.format(**ids)).status_code for route in open_to_owners}
    assert found == dict.fromkeys(open_to_owners, 302) != {}


def test_the_administration_is_for_administrators(alice: User, admin: User, charlie: Client) -> None:
    assert signed_in(alice).get("/admin/").status_code == 403
    assert charlie.get("/admin/").status_code == 302
    assert signed_in(admin).get("/admin/").status_code == 200


def refused(answer: Any) -> bool:
    """Return whether the answer sends the person to the sign-in page."""
    return bool(answer.status_code == 302 and "/login/" in answer["Location"])


def test_own_pages_open_for_who_is_signed_in_and_for_nobody_else(alice: User, charlie: Client) -> None:
    found = {}
    for path in OWN_PAGES:
        # A new one each time, because one of them signs out.
        client = signed_in(alice)
        address = path.format(**NOBODYS)
        found[path] = (client.get(address).status_code, client.post(address).status_code)
    assert found == OWN_PAGES
    for path, expected in OWN_PAGES.items():
        for method, status in zip(("GET", "POST"), expected, strict=True):
            answer = charlie.generic(method, path.format(**NOBODYS))
            assert refused(answer) or answer.status_code == FOR_NOBODY.get(path) or status == 405, path
    gone = signed_in(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    for path in OWN_PAGES:
        answer = gone.get(path.format(**NOBODYS))
        assert refused(answer) or answer.status_code == FOR_NOBODY.get(path), path


def test_open_pages_are_open(db: None, charlie: Client) -> None:
    for route, status in OPEN_PAGES.items():
        assert charlie.get(route.format(**NOBODYS)).status_code == status, route


def test_a_token_opens_no_page(ids: dict[str, uuid.UUID], alice: User, admin: User) -> None:
    for owner, paths in ((alice, [*OWN_PAGES, *ROUTES]), (admin, ["/admin/", "/admin/house/"])):
        text = tokens.create_token(owner=owner, name="A program").text
        program = Client(headers={"Authorization": f"Bearer {text}"})
        answers = {route: program.get(route.format(**ids, **NOBODYS)) for route in paths}
        let_in = [
            route
            for route, answer in answers.items()
            if not refused(answer) and answer.status_code != FOR_NOBODY.get(route)
        ]
        assert answers and let_in == []


def test_the_administration_is_for_active_administrators_to_the_last_route(
    ids: dict[str, uuid.UUID], alice: User, admin: User, charlie: Client
) -> None:
    paths = [filled(route, ids) for route in routes() if route.startswith("/admin/")]
    assert len(paths) > 40
    boss, stranger = signed_in(admin), signed_in(alice)
    for path in paths:
        for answer in (charlie.get(path), charlie.post(path)):
            assert refused(answer) and answer["Location"].startswith("/accounts/login/?next="), path
        for answer in (stranger.get(path), stranger.post(path)):
            assert answer.status_code == 403, path
        answer = boss.get(path)
        assert not refused(answer) and answer.status_code < 500, (path, answer.status_code)
    User.objects.filter(pk=admin.pk).update(is_active=False)
    assert all(refused(boss.get(path)) for path in paths)


def test_every_route_has_an_expectation() -> None:
    # Routes of the administration are requested above, and operations of the REST API through its document.
    ours = {path for path in routes() if not path.startswith(("/admin/", "/api/v1"))}
    actions = {f"/jobs/{{job}}/{action}" for action in ("cancel", "stop", "retry")}
    known = {*ROUTES, *OWN_PAGES, *OPEN_PAGES, *OPEN_ACTIONS, *FOR_DESIGNERS, *BY_TOKEN} - actions | {
        "/jobs/{job}/{action}"
    }
    assert ours == known
