"""`/api/v1/webhooks` by real requests, and the administrator's list."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs import services as jobs
from botfactory.webhooks import delivery
from botfactory.webhooks.models import Webhook
from tests.conftest import signed_in
from tests.jobs.test_api import submit
from tests.rest.helpers import Program, require_error
from tests.webhooks.receiver import Receiver, content, is_signed

pytestmark = pytest.mark.django_db(transaction=True)

NEW = {"url": "https://example.com/bots", "events": ["job.failed"]}


def test_its_secret_is_shown_once(alice: User) -> None:
    program = Program(alice)
    answer = program.post("/webhooks", NEW, Idempotency_Key="one")
    made = answer.json()
    secret = made.pop("secret")
    assert answer.status_code == 201 and secret.startswith("whsec_") and len(secret) == 50
    assert made == program.get(f"/webhooks/{made['id']}").json()
    assert program.get("/webhooks").json() == {"data": [made], "has_more": False}
    assert (made["url"], made["events"], made["active"]) == (NEW["url"], ["job.failed"], True)
    require_error(program.post("/webhooks", NEW, Idempotency_Key="one"), 409, "answer_not_kept", "Idempotency-Key")
    assert Webhook.objects.count() == 1


def test_a_secret_is_renewed_and_told_once(alice: User, receiver: Receiver) -> None:
    program = Program(alice)
    made = program.post("/webhooks", {"url": receiver.url}).json()
    path = f"/webhooks/{made['id']}"
    answer = program.post(f"{path}/secret", Idempotency_Key="one")
    renewed = answer.json()
    assert answer.status_code == 200 and renewed["secret"] not in (made["secret"], "")
    assert {**renewed, "secret": ""} == {**program.get(path).json(), "secret": ""}
    require_error(program.post(f"{path}/secret", Idempotency_Key="one"), 409, "answer_not_kept", "Idempotency-Key")
    program.post(f"{path}/test")
    (request,) = receiver.requests
    assert is_signed(request, renewed["secret"]) and is_signed(request, made["secret"])


def test_it_is_changed_and_deleted(alice: User, receiver: Receiver) -> None:
    program = Program(alice)
    path = f"/webhooks/{program.post('/webhooks', NEW).json()['id']}"
    changed = program.ask("PATCH", path, {"url": receiver.url, "events": ["job.cancelled"]}).json()
    assert (changed["url"], changed["events"], changed["active"]) == (receiver.url, ["job.cancelled"], True)
    jobs.cancel(submit(alice))
    assert program.ask("PATCH", path, {"active": False}).json()["active"] is False
    assert not delivery.deliver_next()
    (sent,) = program.get(f"{path}/deliveries").json()["data"]
    assert (sent["state"], sent["attempts"]) == ("failed", 0) and "switched off" in sent["error"]
    assert program.ask("PATCH", path, {"active": True}).json()["events"] == ["job.cancelled"]
    assert program.ask("DELETE", path).status_code == 204
    require_error(program.get(path), 404, "not_found")
    jobs.cancel(submit(alice))
    assert not delivery.deliver_next() and receiver.requests == []


def test_it_is_tried_at_once_whatever_it_is_told_of(alice: User, settings: Any) -> None:
    program = Program(alice)
    with Receiver(500, 204) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        made = program.post("/webhooks", {**NEW, "url": server.url}).json()
        path = f"/webhooks/{made['id']}"
        program.ask("PATCH", path, {"active": False})
        failed, arrived = program.post(f"{path}/test").json(), program.post(f"{path}/test").json()
    assert (failed["state"], failed["status"], failed["due_at"]) == ("failed", 500, None) and "500" in failed["error"]
    assert (arrived["state"], arrived["status"], arrived["error"]) == ("delivered", 204, None)
    request = server.requests[1]
    assert content(request)["type"] == "webhook.test" and content(request)["data"] == {"id": made["id"]}
    assert is_signed(request, made["secret"])
    assert program.get(path).json()["failing_since"] is None
    assert [sent["id"] for sent in program.get(f"{path}/deliveries").json()["data"]] == [arrived["id"], failed["id"]]


def test_a_delivery_tells_what_it_was_about_and_when_it_is_tried_again(alice: User, settings: Any) -> None:
    with Receiver(503) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        program = Program(alice)
        path = f"/webhooks/{program.post('/webhooks', {'url': server.url}).json()['id']}"
        job = submit(alice)
        jobs.cancel(job)
        delivery.deliver_next()
    (sent,) = program.get(f"{path}/deliveries").json()["data"]
    assert (sent["event"], sent["subject"], sent["state"]) == ("job.cancelled", str(job.pk), "pending")
    assert (sent["attempts"], sent["status"]) == (1, 503) and sent["due_at"].endswith("Z") and sent["seconds"] > 0
    assert program.get(path).json()["failing_since"].endswith("Z")


def test_a_message_that_failed_is_sent_again(alice: User, bob: User, receiver: Receiver) -> None:
    program = Program(alice)
    path = f"/webhooks/{program.post('/webhooks', {'url': receiver.url}).json()['id']}"
    jobs.cancel(submit(alice))
    program.ask("PATCH", path, {"active": False})
    test = program.post(f"{path}/test").json()
    (failed,) = (one for one in program.get(f"{path}/deliveries").json()["data"] if one["state"] == "failed")
    again = f"{path}/deliveries/{failed['id']}/resend"
    assert "Switch it on" in require_error(program.post(again), 409, "not_possible")
    program.ask("PATCH", path, {"active": True})
    require_error(Program(bob).post(again), 404, "not_found")
    require_error(program.post(f"{path}/deliveries/{uuid.uuid4()}/resend"), 404, "not_found")
    stranger = Program(bob)
    of_bob = stranger.post("/webhooks", {"url": receiver.url}).json()["id"]
    require_error(stranger.post(f"/webhooks/{of_bob}/deliveries/{failed['id']}/resend"), 404, "not_found")
    refusal = require_error(program.post(f"{path}/deliveries/{test['id']}/resend"), 409, "not_possible")
    assert "A test isn’t sent again" in refusal
    queued = program.post(again).json()
    assert (queued["id"], queued["state"], queued["attempts"], queued["error"]) == (failed["id"], "pending", 0, None)
    assert delivery.deliver_next() and receiver.requests[-1].headers["webhook-id"] == failed["id"]
    require_error(program.post(again), 409, "not_possible")


def test_messages_are_listed_by_state(alice: User, bob: User, receiver: Receiver) -> None:
    program = Program(alice)
    path = f"/webhooks/{program.post('/webhooks', {'url': receiver.url}).json()['id']}"
    for _number in range(2):
        jobs.cancel(submit(alice))
    # Switching it off drops what waits.
    program.ask("PATCH", path, {"active": False})
    test = program.post(f"{path}/test").json()

    def states(query: str) -> list[str]:
        return [one["state"] for one in program.get(f"{path}/deliveries?{query}").json()["data"]]

    assert states("") == ["delivered", "failed", "failed"]
    assert states("state=failed") == ["failed"] * 2 and states("state=pending") == []
    assert states("state=delivered") == ["delivered"]
    # An item that the filter leaves out can be the last of the previous page.
    assert states(f"state=failed&limit=1&after={test['id']}") == ["failed"]
    require_error(program.get(f"{path}/deliveries?state=lost"), 422, "bad_value", "state")
    require_error(Program(bob).get(f"{path}/deliveries?state=failed"), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"url": "https://10.0.0.1/"}, "bad_url", "url"),
        ({"url": "http://[::1]/"}, "bad_url", "url"),
        ({"url": "https://example.com:22/"}, "bad_url", "url"),
        ({"url": "gopher://example.com/"}, "bad_url", "url"),
        ({"url": "example.com"}, "bad_url", "url"),
        ({"url": "https://example.com/\r\nX: y"}, "bad_url", "url"),
        ({"url": "https://example.com/" + "x" * 2000}, "bad_value", "url"),
        ({"url": ""}, "bad_value", "url"),
        ({}, "missing", "url"),
        ({**NEW, "events": ["job.started"]}, "bad_value", "events.0"),
        ({**NEW, "events": []}, "bad_value", "events"),
        ({**NEW, "secret": "mine"}, "unknown_field", "secret"),
    ],
)
def test_what_is_wrong_is_named(alice: User, body: Any, code: str, param: str) -> None:
    program = Program(alice)
    require_error(program.post("/webhooks", body), 422, code, param)
    path = f"/webhooks/{program.post('/webhooks', NEW).json()['id']}"
    if body:
        require_error(program.ask("PATCH", path, body), 422, code, param)
    assert program.get(path).json()["url"] == NEW["url"] and Webhook.objects.count() == 1


def test_a_port_of_http_and_any_free_one_will_do(alice: User) -> None:
    program = Program(alice)
    for url in (
        "http://example.com/",
        "http://example.com:80/",
        "https://example.com:8443/x",
        "https://bücher.example/",
    ):
        assert program.post("/webhooks", {"url": url}).status_code == 201, url


def test_there_are_so_many_and_no_more(alice: User, bob: User, settings: Any) -> None:
    settings.LIMIT_WEBHOOKS = 1
    program = Program(alice)
    assert program.post("/webhooks", NEW).status_code == 201
    assert "1 webhook here" in require_error(program.post("/webhooks", NEW), 409, "limit_reached", "webhooks")
    assert program.get("/me").json()["usage"]["webhooks"] == program.get("/me").json()["limits"]["webhooks"] == 1
    assert Program(bob).post("/webhooks", NEW).status_code == 201
    PersonalLimits.objects.create(user=alice, webhooks=2)
    assert program.post("/webhooks", NEW).status_code == 201


def test_to_others_it_does_not_exist(alice: User, bob: User, admin: User) -> None:
    path = f"/webhooks/{Program(alice).post('/webhooks', NEW).json()['id']}"
    for stranger in (Program(bob), Program(admin, "read", "write", "admin")):
        for method, at in (("GET", path), ("DELETE", path), ("GET", f"{path}/deliveries")):
            require_error(stranger.ask(method, at), 404, "not_found")
        for act in ("test", "secret"):
            require_error(stranger.post(f"{path}/{act}"), 404, "not_found")
        require_error(stranger.ask("PATCH", path, {"active": False}), 404, "not_found")
        assert stranger.get("/webhooks").json()["data"] == []
    assert Webhook.objects.filter(active=True).count() == 1


def test_the_administrator_sees_them_and_switches_them_off(alice: User, admin: User, receiver: Receiver) -> None:
    made = Program(alice).post("/webhooks", {"url": receiver.url}).json()
    jobs.cancel(submit(alice))
    desk = signed_in(admin)
    assert receiver.url in desk.get("/admin/webhooks/webhook/?q=alice").content.decode()
    page = desk.get(f"/admin/webhooks/webhook/{made['id']}/change/").content.decode()
    webhook = Webhook.objects.get()
    assert receiver.url in page and webhook.salt not in page and made["secret"] not in page
    sent = str(webhook.deliveries.get().pk)
    assert sent in desk.get(f"/admin/webhooks/delivery/?q={receiver.url}&state__exact=pending").content.decode()
    assert sent not in desk.get("/admin/webhooks/delivery/?state__exact=failed").content.decode()
    assert desk.get(f"/admin/webhooks/delivery/{sent}/change/").status_code == 200
    chosen = {"_selected_action": [made["id"]]}
    desk.post("/admin/webhooks/webhook/", {**chosen, "action": "switch_off"})
    webhook.refresh_from_db()
    assert not webhook.active and "administrator" in webhook.trouble and not delivery.deliver_next()
    desk.post("/admin/webhooks/webhook/", {**chosen, "action": "delete_selected", "post": "yes"})
    assert not Webhook.objects.exists()
    assert desk.get(f"/admin/webhooks/webhook/{uuid.uuid4()}/change/").status_code == 302
