"""A webhook gets each post as a signed message. One that arrives again has the same id and the same words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from botfactory.accounts import tokens
from botfactory.accounts.models import User
from models_app.bots import registry
from models_app.bots.rows import TrainedModel
from publishing.models import Account, FormerAccount, Publication, Queue
from publishing.queue import connecting, services
from publishing.rules.errors import BadValue
from publishing.sending import remains
from tests.fakes.posting_servers import Fault, PostReceiver
from tests.publishing.helpers import TEXTS, again, due, send_all, unanswered
from tests.webhooks.receiver import content, is_signed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver(settings: Any) -> Iterator[PostReceiver]:
    with PostReceiver() as server:
        settings.PRIVATE_SERVERS = [*settings.PRIVATE_SERVERS, server.url]
        yield server


@pytest.fixture
def hook(model: TrainedModel, receiver: PostReceiver) -> Account:
    return connecting.connect(model, "webhook", {"url": f"{receiver.url}/posts/?key=of-the-receiver"})


def test_a_post_arrives_signed_with_its_label_its_id_and_who_wrote_it(
    model: TrainedModel, queue: Queue, hook: Account, receiver: PostReceiver
) -> None:
    row = due(model)
    send_all()
    row.refresh_from_db()
    (message,) = receiver.requests
    assert (row.state, row.address, message.path) == ("posted", "", "/posts/")
    assert is_signed(message, connecting.secret_of(hook)) and not is_signed(message, "whsec_b3RoZXI=")
    assert message.headers["webhook-id"] == row.key and content(message)["type"] == "post.publish"
    said = content(message)["data"]
    assert said.pop("language") in (None, "en")
    text = f"AI, in the voice of Bot:\n{TEXTS[0]}"
    assert said == {"id": row.key, "text": text, "ai_generated": True, "model": "Bot"}
    # Neither the address nor the secret is in a column.
    shown = str(Account.objects.values().get())
    assert "of-the-receiver" not in shown and connecting.secret_of(hook) not in shown


@pytest.mark.parametrize("fault", ["lost answer", "accepted 502", "502", "cut"])
def test_without_an_answer_the_same_message_is_sent_again_in_time(
    fault: Fault, model: TrainedModel, queue: Queue, hook: Account, receiver: PostReceiver
) -> None:
    row = unanswered(receiver, model, minutes=3, fault=fault)
    send_all()
    row.refresh_from_db()
    assert (row.state, row.error) == ("posted", "")
    first, second = receiver.requests
    assert first.body == second.body and first.headers["webhook-id"] == second.headers["webhook-id"]
    assert len(receiver.posts) == 1


@pytest.mark.parametrize(
    ("fault", "state", "account_state", "words"),
    [
        ("429", "waiting", "connected", "asks us to wait"),
        ("refused", "failed", "connected", "422"),
        ("moved", "failed", "connected", "Redirects aren’t followed"),
        ("logged out", "waiting", "logged_out", "connect it again"),
    ],
)
def test_each_refusal_has_its_sentence_and_publishes_nothing(
    fault: Fault,
    state: str,
    account_state: str,
    words: str,
    model: TrainedModel,
    queue: Queue,
    hook: Account,
    receiver: PostReceiver,
) -> None:
    receiver.faults = [fault]
    row = due(model)
    send_all()
    row.refresh_from_db()
    hook.refresh_from_db()
    assert (row.state, hook.state, receiver.posts) == (state, account_state, [])
    assert words in row.error


def test_nothing_is_sent_again_after_an_hour_but_the_person_may_have_it_sent(
    model: TrainedModel, queue: Queue, hook: Account, receiver: PostReceiver
) -> None:
    row = unanswered(receiver, model, minutes=200)
    send_all()
    row.refresh_from_db()
    assert row.state == "missed" and "can’t find it" in row.error and len(receiver.requests) == 1
    services.send_again(row)
    send_all()
    row.refresh_from_db()
    assert row.state == "posted" and len(receiver.posts) == 1


def test_a_stopped_bot_sends_nothing_to_find_out_whether_its_post_arrived(
    model: TrainedModel, queue: Queue, hook: Account, receiver: PostReceiver
) -> None:
    unanswered(receiver, model, minutes=3, fault="cut")
    services.stop(model)
    send_all()
    again()
    send_all()
    assert receiver.posts == [] and len(receiver.requests) == 1


@pytest.mark.parametrize("fault", ["lost answer", "cut"])
@pytest.mark.parametrize(("minutes", "looks", "state"), [(3, 0, "unknown"), (3, 1, "waiting"), (200, 1, "missed")])
def test_a_deleted_bot_recalls_what_may_have_arrived(
    minutes: int, looks: int, state: str, fault: Fault,
    model: TrainedModel, queue: Queue, hook: Account, receiver: PostReceiver,
) -> None:  # fmt: skip
    row = unanswered(receiver, model, minutes=minutes, fault=fault)
    services.stop(model)
    for _ in range(looks):
        send_all()
    row.refresh_from_db()
    assert row.state == state
    registry.delete(model)
    while remains.clean_next():
        pass
    assert (receiver.posts, receiver.recalled) == ([], [f"{row.key}.recall"])
    assert not FormerAccount.objects.exists()


def test_a_refusal_after_an_unknown_outcome_fails_with_its_reason(
    model: TrainedModel, queue: Queue, hook: Account, receiver: PostReceiver
) -> None:
    receiver.faults = ["502", "refused", "refused"]
    row = due(model)
    for _ in range(3):
        send_all()
        again()
    row.refresh_from_db()
    assert (row.state, receiver.posts) == ("failed", []) and "422" in row.error


def test_recalling_tells_the_receiver_and_one_that_has_nothing_is_fine(
    model: TrainedModel, queue: Queue, hook: Account, receiver: PostReceiver
) -> None:
    rows = [due(model, text) for text in TEXTS[:2]]
    send_all()
    receiver.kept.pop(rows[0].key)
    services.recall_all(model)
    send_all()
    assert set(Publication.objects.values_list("state", flat=True)) == {"recalled"}
    assert sorted(receiver.recalled) == sorted(f"{row.key}.recall" for row in rows) and receiver.posts == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "address of your receiver"),
        ("https://exam ple.org", "address of your receiver"),
        (f"https://example.org/{'x' * 2000}", "address of your receiver"),
        ("http://example.org/posts", "HTTPS"),
        ("ftp://example.org", "HTTPS"),
        ("https://example.org:8443/", "8443"),
        ("https://me:secret@example.org/", "address"),
        ("https://127.0.0.1/", "private network"),
    ],
)
def test_only_https_on_the_public_internet(url: str, words: str, model: TrainedModel) -> None:
    with pytest.raises(BadValue, match=words) as refused:
        connecting.connect(model, "webhook", {"url": url})
    assert refused.value.param == "url" and not Account.objects.exists()


def test_the_page_and_the_api_show_the_secret_once(alice: User, model: TrainedModel, receiver: PostReceiver) -> None:
    page, client = f"/models/{model.pk}/publish/connect/webhook", Client()
    client.force_login(alice)
    assert "whsec_" not in client.get(page).content.decode()
    answer = client.post(page, {"url": f"{receiver.url}/posts"}, follow=True)
    account = Account.objects.get()
    secret = connecting.secret_of(account)
    assert answer.redirect_chain == [(page, 302)] and secret in answer.content.decode()
    assert secret not in client.get(page).content.decode()
    where = client.get(f"/models/{model.pk}/publish/").content.decode()
    assert account.handle in where and secret not in where and 'href=""' not in where
    # Connecting it again makes another secret.
    token = tokens.create_token(owner=alice, name="A token", scopes=["read", "write"]).text
    headers = {"Authorization": f"Bearer {token}"}
    body = {"network": "webhook", "url": f"{receiver.url}/posts"}
    api = f"/api/v1/queues/{model.pk}/accounts"
    connected = Client().post(api, body, content_type="application/json", headers=headers)
    account.refresh_from_db()
    assert connected.status_code == 201 and connected.json()["secret"] == connecting.secret_of(account) != secret
    (listed,) = Client().get(api, headers=headers).json()["data"]
    assert listed["secret"] is None and listed["handle"] == account.handle and listed["address"] == ""
