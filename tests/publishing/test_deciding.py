"""What people decide about proposals, and when the posts then go out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from botfactory.accounts.models import User
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.writing import asking
from models_app.writing.rows import Generation
from publishing import wall_times
from publishing.models import Account, Proposal, Publication, Queue
from publishing.queue import connecting, services
from publishing.rules import errors, judging, labels
from tests.fakes.posting_servers import PASSWORD
from tests.publishing.helpers import TEXTS, approve, due, make_due, propose, send_all
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def times(queue: Queue) -> list[object]:
    approved = queue.proposals.filter(state="approved").order_by("position")
    return [proposal.wall_time for proposal in approved]


def test_a_bot_proposes_what_is_new_and_allowed(model: TrainedModel) -> None:
    made = services.propose(model=model, owner=model.owner, count=3, about="")  # type: ignore[arg-type]
    assert 1 <= len(made) <= 3
    for proposal in made:
        judging.require_allowed(model, proposal.text)
        assert proposal.generation is not None and proposal.generation.posts[proposal.number] == proposal.text


def test_a_list_of_proposals_takes_as_many_queries_however_long_it_is(
    alice: User, client: Client, model: TrainedModel, queue: Queue, feed: Account
) -> None:
    client.force_login(alice)
    counts: list[int] = []
    for texts in (TEXTS[:2], TEXTS[2:]):
        for text in texts:
            propose(model, text)
            services.approve(propose(model, text), is_sure=True)
        with CaptureQueriesContext(connection) as queries:
            assert len(client.get("/api/v1/proposals").json()["data"]) == (4, 12)[len(counts)]
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_rejected_posts_and_their_near_copies_are_not_proposed_again(
    model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.reject(propose(model, TEXTS[0]), reason="sense")

    def wrote(**asked: object) -> object:
        posts = [TEXTS[0], f"{TEXTS[0]} again", TEXTS[1], TEXTS[1].upper()]
        assert model.owner is not None
        return Generation.objects.create(model=model, owner=model.owner, posts=posts, seconds=1)

    monkeypatch.setattr(asking, "generate", wrote)
    made = services.propose(model=model, owner=model.owner)  # type: ignore[arg-type]
    assert [proposal.text for proposal in made] == [TEXTS[1]]
    with pytest.raises(errors.NothingNew):
        services.propose(model=model, owner=model.owner)  # type: ignore[arg-type]


def test_taking_one_out_moves_the_rest_up(model: TrainedModel, queue: Queue, feed: Account) -> None:
    first, *_rest = [approve(model, text) for text in TEXTS[:4]]
    before = times(queue)
    assert before == sorted(before) and len(set(before)) == 4  # type: ignore[type-var]
    services.put_back(first)
    assert times(queue) == before[:3]
    assert Proposal.objects.get(pk=first.pk).state == "proposed" and Publication.objects.count() == 3


def test_a_time_of_your_own_stays_when_others_move(model: TrainedModel, queue: Queue, feed: Account) -> None:
    first = approve(model, TEXTS[0])
    at = (wall_times.wall_of(timezone.now(), "UTC") + timedelta(days=3)).replace(second=0, microsecond=0)
    fixed = services.approve(propose(model, TEXTS[1]), at=at)
    services.put_back(first)
    fixed.refresh_from_db()
    assert fixed.wall_time == at and fixed.is_fixed


def test_times_that_are_over_quiet_or_full_are_refused(model: TrainedModel, queue: Queue, feed: Account) -> None:
    now = wall_times.wall_of(timezone.now(), "UTC").replace(second=0, microsecond=0)
    services.change(model, {"quiet_from": 3, "quiet_until": 5, "daily_maximum": 1, "per_day": 1})
    tomorrow = now + timedelta(days=1)
    for wrong in (now - timedelta(minutes=5), now + timedelta(days=500), tomorrow.replace(hour=4)):
        with pytest.raises(errors.BadValue):
            services.approve(propose(model, TEXTS[0]), at=wrong)
    services.approve(propose(model, TEXTS[1]), at=tomorrow.replace(hour=12))
    with pytest.raises(errors.BadValue):
        services.approve(propose(model, TEXTS[2]), at=tomorrow.replace(hour=13))
    # Slots skip the full day, too.
    walls = [approve(model, text).wall_time for text in TEXTS[3:]]
    assert tomorrow.date() not in [wall.date() for wall in walls if wall is not None]
    assert len({wall.date() for wall in walls if wall is not None}) == 3


def test_summer_time_moves_nothing_on_the_wall(model: TrainedModel, queue: Queue, feed: Account) -> None:
    services.change(model, {"zone": "Europe/Berlin"})
    proposal = approve(model)
    wall = proposal.wall_time
    assert wall is not None and proposal.due == wall_times.moment_of(wall, "Europe/Berlin")
    for month, offset in ((1, 1), (7, 2)):
        proposal.wall = timezone.now().replace(month=month, day=15)
        assert proposal.wall_time is not None and proposal.due is not None
        assert proposal.wall_time - proposal.due.replace(tzinfo=None) == timedelta(hours=offset)


def test_a_duplicate_warns_and_can_be_insisted_on(model: TrainedModel, queue: Queue, feed: Account) -> None:
    approve(model)
    again = propose(model)
    with pytest.raises(errors.Duplicate):
        services.approve(again)
    assert services.approve(again, is_sure=True).state == "approved"


def test_what_is_too_long_for_a_network_is_refused_with_how_much(
    model: TrainedModel, queue: Queue, bluesky: Account
) -> None:
    with pytest.raises(errors.TooLong, match="Bluesky"):
        services.approve(propose(model, "many words about soup " * 14))
    room = services.room_of(queue)
    assert room == 300 - len("AI, in the voice of Bot:\n")
    services.approve(propose(model, "x" * room))


@pytest.mark.parametrize(
    "text",
    ["Hello @somebody@example.social, how are you", "write me at anna.smith@example.com please", "hey @… there friend"],
)
def test_mentions_and_personal_data_are_refused(text: str, model: TrainedModel, queue: Queue, feed: Account) -> None:
    with pytest.raises(judging.NotAllowed):
        services.approve(propose(model), text=text)


def test_a_copy_of_a_learned_post_is_refused_however_it_is_labelled(
    model: TrainedModel, queue: Queue, feed: Account, corpus: Corpus
) -> None:
    learned = max((post.cleaned for post in corpus.posts.exclude(cleaned="")), key=len)
    learned = " ".join(word for word in learned.split() if not word.startswith("@"))
    with pytest.raises(judging.NotAllowed):
        services.approve(propose(model, learned))


def test_without_a_place_to_go_nothing_is_approved(model: TrainedModel) -> None:
    with pytest.raises(errors.NoAccount):
        approve(model)


def test_nobody_decides_twice(model: TrainedModel, queue: Queue, feed: Account) -> None:
    proposal = approve(model)
    for decide in (services.approve, services.reject):
        with pytest.raises(errors.NotNow):
            decide(proposal)


def test_what_was_posted_is_not_put_back_and_what_was_missed_is(
    model: TrainedModel, queue: Queue, feed: Account
) -> None:
    row = due(model)
    send_all()
    with pytest.raises(errors.NotNow):
        services.put_back(row.proposal)
    late = due(model, TEXTS[1])
    make_due(late.proposal, minutes=90)
    send_all()
    services.put_back(late.proposal)
    assert services.approve(Proposal.objects.get(pk=late.proposal_id)).state == "approved"


def test_the_label_is_in_the_bots_language_and_mentions_nobody(model: TrainedModel, corpus: Corpus) -> None:
    assert labels.usual_label(model) == "AI, in the voice of Bot"
    Corpus.objects.filter(pk=corpus.pk).update(
        report={**corpus.report, "languages": [["de", 300]]}, handle="ada@example.social", source="mastodon"
    )
    model.refresh_from_db()
    label = labels.usual_label(TrainedModel.objects.get(pk=model.pk))
    assert label.endswith("ada") and "@" not in label and label.startswith("KI")


def test_people_may_change_the_words_and_only_the_operator_allows_none(
    model: TrainedModel, queue: Queue, settings: object
) -> None:
    changed = services.change(model, {"label": "  Written by my   robot "})
    assert labels.labelled(changed, "Hi") == "Written by my robot:\nHi"
    for wrong in ("made by @ada", "x" * 81):
        with pytest.raises(errors.BadValue):
            services.change(model, {"label": wrong})
    with pytest.raises(errors.BadValue):
        services.change(model, {"is_unlabelled": True})
    settings.UNLABELLED_POSTS = True  # type: ignore[attr-defined]
    assert labels.labelled(services.change(model, {"is_unlabelled": True}), "Hi") == "Hi"
    settings.UNLABELLED_POSTS = False  # type: ignore[attr-defined]
    assert labels.labelled(services.queue_of(model), "Hi") == "Written by my robot:\nHi"


def test_a_disconnected_account_keeps_no_credentials_and_other_accounts_cannot_take_its_place(
    model: TrainedModel, queue: Queue, bluesky: Account
) -> None:
    due(model)
    send_all()
    Account.objects.filter(pk=bluesky.pk).update(remote_id="did:plc:another")
    connecting.disconnect(bluesky)
    row = Account.objects.get(pk=bluesky.pk)
    assert (row.state, row.credentials) == ("removed", "") and services.accounts_of(queue) == []
    with pytest.raises(errors.BadValue):
        connecting.connect(model, "bluesky", {"identifier": "bot.test", "password": PASSWORD, "server": bluesky.server})


@pytest.mark.parametrize(
    ("network", "entered"),
    [
        ("bluesky", {"identifier": "bot.test", "password": "wrong"}),
        ("mastodon", {"token": "wrong"}),
    ],
)
def test_wrong_credentials_connect_nothing_and_say_so(
    network: str, entered: dict[str, str], model: TrainedModel, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("pds" if network == "bluesky" else "mastodon")
    with pytest.raises(errors.NotConnected, match=r"Check both|Copy it again"):
        connecting.connect(model, network, {**entered, "server": server.url})
    assert not Account.objects.exists()


def test_private_networks_are_out_of_reach(model: TrainedModel) -> None:
    with pytest.raises(errors.NotConnected, match="private network"):
        connecting.connect(model, "mastodon", {"server": "https://127.0.0.1", "token": "x"})


@pytest.mark.parametrize(("tier", "drafts", "posts"), [(Tier.FLUENT, 9, 6), (Tier.QUICK, None, 10)])
def test_a_fluent_bot_proposes_the_best_of_many_drafts(
    model: TrainedModel, monkeypatch: pytest.MonkeyPatch, tier: Tier, drafts: int | None, posts: int
) -> None:
    asked: list[SamplingConfig] = []

    def wrote(*, sampling: SamplingConfig, **_others: object) -> Generation:
        asked.append(sampling)
        assert model.owner is not None
        return Generation.objects.create(model=model, owner=model.owner, posts=[TEXTS[0]], seconds=1)

    monkeypatch.setattr(asking, "generate", wrote)
    model.tier = tier
    services.propose(model=model, owner=model.owner, count=5)  # type: ignore[arg-type]
    assert [(sampling.best_of, sampling.count) for sampling in asked] == [(drafts, posts)]
