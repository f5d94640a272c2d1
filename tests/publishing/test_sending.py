"""Each approved post appears once, and whatever doesn't is shown with its reason."""

from __future__ import annotations

import io
import logging
import zipfile
from datetime import timedelta

import pytest
from django.utils import timezone

from botfactory.accounts.models import HouseRules
from botfactory.jobs import processes
from botfactory.your_data import exporting
from models_app.bots.rows import TrainedModel
from publishing.models import Account, Proposal, Publication, Queue
from publishing.queue import connecting, services
from publishing.rules import credentials
from publishing.rules.errors import NotNow
from publishing.sending import sender
from tests.at_once import at_once
from tests.fakes.posting_servers import PASSWORD, TOKEN, BlueskyPds, Fault, Mastodon, PostingServer
from tests.publishing.helpers import TEXTS, again, approve, due, make_due, send_all, unanswered

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_approved_post_appears_at_its_time_with_its_label(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    proposal = approve(model)
    assert proposal.due is not None and proposal.due > timezone.now()
    assert send_all() == 0 and pds.posts == []
    make_due(proposal)
    send_all()
    row = Publication.objects.get()
    assert pds.posts == [f"AI, in the voice of Bot:\n{TEXTS[0]}"]
    assert (row.state, row.address) == ("posted", f"https://bsky.app/profile/bot.test/post/{row.key}")
    assert send_all() == 0 and len(pds.posts) == 1


def test_on_mastodon_it_is_unlisted(model: TrainedModel, queue: Queue, fediverse: Account, mastodon: Mastodon) -> None:
    row = due(model)
    send_all()
    row.refresh_from_db()
    assert (row.state, row.address) == ("posted", f"{mastodon.url}/@bot/100")
    assert mastodon.visibilities == ["unlisted"] and fediverse.longest == 400 and fediverse.rules == ["Be kind."]


@pytest.mark.parametrize("network", ["bluesky", "mastodon"])
@pytest.mark.parametrize("fault", ["lost answer", "accepted 502", "502", "cut"])
def test_without_an_answer_the_network_is_asked_and_the_post_appears_once(
    fault: Fault, network: str, request: pytest.FixtureRequest, model: TrainedModel, queue: Queue
) -> None:
    server: PostingServer = request.getfixturevalue("pds" if network == "bluesky" else "mastodon")
    request.getfixturevalue("bluesky" if network == "bluesky" else "fediverse")
    server.faults = [fault]
    row = due(model)
    assert sender.send_next()
    row.refresh_from_db()
    assert row.state == "unknown" and row.error
    # Before the network is asked, nothing is sent again.
    assert send_all() == 0
    again()
    send_all()
    row.refresh_from_db()
    assert (row.state, row.error) == ("posted", "") and row.address
    assert len(server.posts) == 1


def test_however_often_it_fails_a_post_is_looked_for_in_time(
    model: TrainedModel, queue: Queue, fediverse: Account, mastodon: Mastodon
) -> None:
    row = due(model)
    for _ in range(12):
        mastodon.faults = ["502"]
        again()
        send_all()
        row.refresh_from_db()
        assert row.next_at is not None and row.next_at <= timezone.now() + timedelta(minutes=5)
    assert row.state == "unknown" and mastodon.posts == []
    # When it's too late anyway, there is no hurry.
    mastodon.is_down = True
    make_due(row.proposal, minutes=90)
    again()
    send_all()
    row.refresh_from_db()
    assert row.state == "unknown" and row.next_at is not None and row.next_at > timezone.now() + timedelta(minutes=50)


def test_after_its_hour_a_post_that_mastodon_has_is_found_among_its_posts(
    model: TrainedModel, queue: Queue, fediverse: Account, mastodon: Mastodon
) -> None:
    row = unanswered(mastodon, model, minutes=200)
    mastodon.forget_keys()
    send_all()
    row.refresh_from_db()
    assert row.state == "posted" and len(mastodon.posts) == 1


def test_a_post_that_never_arrived_is_missed_after_an_hour_not_sent_late(
    model: TrainedModel, queue: Queue, fediverse: Account, mastodon: Mastodon
) -> None:
    row = unanswered(mastodon, model, minutes=200, fault="cut")
    send_all()
    row.refresh_from_db()
    assert (row.state, mastodon.posts) == ("missed", []) and "can’t find it" in row.error


def test_a_pause_is_kept_and_then_it_is_sent(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    pds.faults = ["429"]
    row = due(model)
    send_all()
    row.refresh_from_db()
    bluesky.refresh_from_db()
    assert row.state == "waiting" and bluesky.not_before is not None
    assert 100 < (bluesky.not_before - timezone.now()).total_seconds() <= 120
    again()
    assert send_all() == 0
    Account.objects.update(not_before=timezone.now())
    send_all()
    row.refresh_from_db()
    assert row.state == "posted" and len(pds.posts) == 1


def test_a_refusal_fails_with_the_networks_words(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    pds.faults = ["refused"]
    row = due(model)
    send_all()
    row.refresh_from_db()
    assert (row.state, pds.posts) == ("failed", []) and "no thanks" in row.error
    services.send_again(row)
    send_all()
    row.refresh_from_db()
    assert row.state == "posted" and len(pds.posts) == 1


@pytest.mark.parametrize("network", ["bluesky", "mastodon"])
def test_only_invalid_credentials_disconnect_and_what_waits_waits(
    network: str, request: pytest.FixtureRequest, model: TrainedModel, queue: Queue
) -> None:
    server: PostingServer = request.getfixturevalue("pds" if network == "bluesky" else "mastodon")
    account: Account = request.getfixturevalue("bluesky" if network == "bluesky" else "fediverse")
    first, second = due(model), due(model, TEXTS[1])
    server.is_down = True
    send_all()
    account.refresh_from_db()
    assert account.state == "connected" and account.mail_due_at is None
    server.is_down, server.faults = False, ["logged out"]
    again()
    send_all()
    account.refresh_from_db()
    assert account.state == "logged_out" and account.mail_due_at is not None and account.trouble
    noticed = account.troubled_at
    again()
    assert send_all() == 0
    make_due(first.proposal, minutes=300)
    make_due(second.proposal, minutes=300)
    assert sender.give_up_late_ones() == 0
    server.is_logged_out = False
    entered = (
        {"identifier": "bot.test", "password": PASSWORD, "server": server.url}
        if network == "bluesky"
        else {"server": server.url, "token": TOKEN}
    )
    connecting.connect(model, network, entered)
    account.refresh_from_db()
    assert (account.state, account.trouble, account.mail_due_at) == ("connected", "", None) and noticed is not None
    # They have new times, so they don't go out in a burst.
    assert send_all() == 0
    for proposal in Proposal.objects.all():
        assert proposal.due is not None and proposal.due > timezone.now()


def test_a_session_is_kept_and_refreshed_instead_of_logging_in(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    assert pds.logins == 1
    for text in TEXTS[:3]:
        pds.expire()
        due(model, text)
        send_all()
    assert len(pds.posts) == 3 and pds.logins == 1
    pds.expire()
    pds.are_sessions_over = True
    due(model, TEXTS[3])
    send_all()
    assert len(pds.posts) == 4 and pds.logins == 2


def test_an_account_that_is_no_longer_marked_sends_nothing_until_it_is(
    model: TrainedModel, queue: Queue, fediverse: Account, mastodon: Mastodon
) -> None:
    mastodon.is_marked = False
    due(model)
    send_all()
    fediverse.refresh_from_db()
    assert fediverse.state == "unmarked" and mastodon.posts == []
    connecting.mark(fediverse)
    assert mastodon.is_marked and fediverse.state == "connected"
    make_due(Proposal.objects.get())
    send_all()
    assert len(mastodon.posts) == 1


def test_bluesky_gets_its_mark_and_keeps_the_rest_of_the_profile(model: TrainedModel, pds: BlueskyPds) -> None:
    pds.is_marked = False
    entered = {"identifier": "@bot.test", "password": PASSWORD, "server": pds.url}
    assert connecting.connect(model, "bluesky", entered, marks=False).state == "unmarked"
    account = connecting.connect(model, "bluesky", entered)
    profile = pds.records["app.bsky.actor.profile", "self"]
    assert account.state == "connected" and profile["displayName"] == "Bot"
    assert profile["labels"]["values"] == [{"val": "bot"}]


@pytest.mark.differs
def test_of_several_senders_at_once_one_takes_a_post(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    row = due(model)
    taken = [claimed for claimed in at_once(4, sender.claim_next) if claimed is not None]
    assert [claimed.pk for claimed in taken] == [row.pk]
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("sending", 1)


@pytest.mark.differs
def test_what_a_dead_sender_left_is_asked_about_at_once(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    row = due(model)
    claimed = sender.claim_next()
    assert claimed is not None and claimed.state == "sending"
    # It was killed after the network had accepted the post.
    sender.poster_of(claimed.account).publish(sender.outgoing(claimed))
    assert send_all() == 0
    place = processes.here()
    Publication.objects.update(sender=f"{place}:4194303-1")
    send_all()
    row.refresh_from_db()
    assert row.state == "posted" and len(pds.posts) == 1


@pytest.mark.differs
@pytest.mark.parametrize(("first", "second"), [("refused", ""), ("", "refused")])
def test_a_sender_that_was_overtaken_writes_only_that_the_post_is_there(
    first: Fault, second: Fault, model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    row = due(model)
    renewed = sender._renewed

    def slept(publication: Publication) -> bool:
        """Sleep after the last look, until another one has taken over."""
        assert renewed(publication)
        monkeypatch.setattr(sender, "_renewed", renewed)
        Publication.objects.update(next_at=timezone.now())
        pds.faults = [second]
        send_all()
        pds.faults = [first]
        return True

    monkeypatch.setattr(sender, "_renewed", slept)
    sender.send_next()
    row.refresh_from_db()
    assert (row.state, row.error, row.sender, len(pds.posts)) == ("posted", "", "", 1)


def test_a_stop_after_the_claim_still_holds_the_post_back(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    due(model)
    claimed = sender.claim_next()
    assert claimed is not None
    services.stop(model)
    sender.attempt(claimed)
    row = Publication.objects.get()
    assert (row.state, row.began_at, pds.posts) == ("waiting", None, [])


def test_what_may_have_been_sent_once_isnt_forgotten_by_a_later_pause(
    model: TrainedModel, queue: Queue, fediverse: Account, mastodon: Mastodon
) -> None:
    row = unanswered(mastodon, model, minutes=3, fault="cut")
    mastodon.faults = ["429"]
    send_all()
    again = Publication.objects.get()
    assert (again.state, again.began_at, again.text) == ("waiting", row.began_at, row.text)
    with pytest.raises(NotNow):
        services.move(again.proposal, None)


@pytest.mark.differs
def test_a_sender_that_slept_until_others_could_take_over_sends_nothing(
    model: TrainedModel, queue: Queue, fediverse: Account, mastodon: Mastodon
) -> None:
    row = due(model)
    claimed = sender.claim_next()
    assert claimed is not None
    # A laptop was closed for hours.
    Publication.objects.update(next_at=timezone.now() - timedelta(hours=3))
    make_due(row.proposal, minutes=190)
    sender.attempt(claimed)
    assert mastodon.posts == []
    Publication.objects.update(tried_at=timezone.now() - timedelta(hours=3))
    send_all()
    row.refresh_from_db()
    assert (row.state, mastodon.posts) == ("missed", [])


def test_what_is_over_an_hour_late_is_missed_and_not_made_up(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    rows = [due(model, text) for text in TEXTS[:3]]
    for row in rows[:2]:
        make_due(row.proposal, minutes=61)
    make_due(rows[2].proposal, minutes=59)
    send_all()
    assert len(pds.posts) == 1
    assert sorted(Publication.objects.values_list("state", flat=True)) == ["missed", "missed", "posted"]


def test_stopped_means_nothing_is_sent_and_going_on_makes_nothing_up(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    row = due(model)
    services.stop(model)
    assert send_all() == 0
    make_due(row.proposal, minutes=300)
    assert send_all() == 0 and Publication.objects.get().state == "waiting"
    services.go_on(model)
    assert send_all() == 0 and pds.posts == []
    proposal = Proposal.objects.get()
    assert proposal.due is not None and proposal.due > timezone.now()


def test_it_is_judged_again_right_before_it_leaves(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    row = due(model)
    HouseRules.objects.update_or_create(pk=HouseRules.THE_ROW, defaults={"banned_phrases": "kettle"})
    send_all()
    row.refresh_from_db()
    assert (row.state, pds.posts) == ("failed", []) and "kettle" in row.error


def test_a_recalled_post_is_deleted_where_it_was_published(
    model: TrainedModel, queue: Queue, bluesky: Account, fediverse: Account, pds: BlueskyPds, mastodon: Mastodon
) -> None:
    proposal = approve(model)
    make_due(proposal)
    send_all()
    assert len(pds.posts) == len(mastodon.posts) == 1
    assert services.recall(proposal) == 2
    pds.is_down = True
    send_all()
    assert sorted(Publication.objects.values_list("state", flat=True)) == ["recalled", "recalling"]
    pds.is_down = False
    again()
    send_all()
    assert pds.posts == mastodon.posts == []
    assert set(Publication.objects.values_list("state", flat=True)) == {"recalled"}


def test_credentials_are_in_no_column_no_log_and_no_text(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    pds.faults = ["accepted 502"]
    due(model)
    send_all()
    row = Account.objects.filter(pk=bluesky.pk).values().get()
    kept = credentials.opened(row["credentials"])
    assert kept["password"] == PASSWORD and kept["access"] == "access-0"
    said = f"{row} {bluesky!r} {caplog.text} {Publication.objects.values().get()}"
    assert not any(secret in said for secret in (PASSWORD, "access-0", "refresh-0"))


def test_another_secret_key_asks_to_connect_again(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds, settings: object
) -> None:
    due(model)
    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]
    send_all()
    bluesky.refresh_from_db()
    assert bluesky.state == "logged_out" and "SECRET_KEY" in bluesky.trouble and pds.posts == []


def test_an_export_says_what_was_published_and_no_secret(
    model: TrainedModel, queue: Queue, bluesky: Account, feed: Account
) -> None:
    make_due(approve(model))
    send_all()
    assert model.owner is not None and feed.link
    exported = b"".join(exporting.pieces_of(model.owner))
    with zipfile.ZipFile(io.BytesIO(exported)) as archive:
        texts = {name: archive.read(name).decode(errors="replace") for name in archive.namelist()}
    assert TEXTS[0] in texts["proposals.jsonl"] and '"posted"' in texts["proposals.jsonl"]
    sealed = Account.objects.get(pk=bluesky.pk).credentials
    secrets = (PASSWORD, "access-0", sealed, feed.link)
    assert not any(secret in text for text in texts.values() for secret in secrets)
