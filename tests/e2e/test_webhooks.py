"""A webhook on its page: created, tested, sent a message about a job, and deleted."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.conftest import PASSWORD
from tests.e2e.person import Person
from tests.fakes.posts import make_posts
from tests.product import wait_for
from tests.webhooks.receiver import Receiver, content, is_signed


def test_a_webhook_is_made_tried_told_and_deleted(alice: Person, receiver: Receiver) -> None:
    page = alice.page
    alice.open("/account/")
    page.get_by_role("link", name="Manage webhooks").click()
    page.get_by_label("Address").fill(f"{receiver.url}/bots")
    page.get_by_label("a job fails").uncheck()
    page.get_by_role("button", name="Make a webhook").click()
    secret = page.locator("#new-webhook .post-text").inner_text()
    here = page.url
    page.reload()
    expect(page.locator("#new-webhook")).to_have_count(0)
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("#messages")).to_contain_text("The test arrived. The server answered 204")
    assert content(receiver.requests[0])["type"] == "webhook.test" and is_signed(receiver.requests[0], secret)

    page.get_by_role("button", name="Make a new secret").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    renewed = page.locator("#new-webhook .post-text").inner_text()
    assert renewed != secret

    corpus = alice.paste(make_posts(30, seed=5), "Webhook posts")
    wait_for("the message about the job", lambda: len(receiver.requests) == 2, seconds=30)
    assert content(receiver.requests[1])["type"] == "job.succeeded"
    assert is_signed(receiver.requests[1], renewed) and is_signed(receiver.requests[1], secret)
    alice.open(here)
    told = page.get_by_role("listitem").filter(has_text="job.succeeded")
    expect(told).to_contain_text("Arrived")
    told.get_by_role("link", name="the job").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Webhook posts")

    with alice.other_device(viewport={"width": 360, "height": 740}) as phone:
        phone.open(here)
        widths = phone.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert widths[0] <= widths[1]
        phone.page.get_by_role("button", name="Delete").click()
        phone.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(phone.page.locator("#messages")).to_contain_text("Webhook deleted.")
        phone.require_no_complaints()
    assert alice.open(here).status == 404
    alice.open(corpus)
