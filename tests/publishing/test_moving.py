"""The calendar: posts at their times, free slots, and moving a post."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from models_app.bots.rows import TrainedModel
from publishing import wall_times
from publishing.models import Account, Proposal, Queue
from publishing.pages import showing
from publishing.queue import services
from publishing.rules import errors
from tests.publishing.helpers import TEXTS, approve, due, propose, send_all

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def calm(model: TrainedModel, feed: Account) -> Queue:
    """A queue with two slots a day."""
    return services.change(model, {"zone": "Europe/Berlin", "per_day": 2, "daily_maximum": 2})


def day_after(days: int, hour: int = 12) -> datetime:
    today = wall_times.wall_of(timezone.now(), "Europe/Berlin")
    return (today + timedelta(days=days)).replace(hour=hour, minute=0, second=0, microsecond=0)


def test_a_moved_post_keeps_its_time_and_the_others_move_up(model: TrainedModel, calm: Queue) -> None:
    first, second = approve(model, TEXTS[0]), approve(model, TEXTS[1])
    slot = first.wall_time
    moved = services.move(first, day_after(9))
    assert (moved.wall_time, moved.is_fixed) == (day_after(9), True)
    assert Proposal.objects.get(pk=second.pk).wall_time == slot
    back = services.move(moved, None)
    assert (back.wall_time, back.is_fixed) == (slot, False)


def test_a_move_obeys_quiet_hours_full_days_and_the_clock(model: TrainedModel, calm: Queue) -> None:
    proposal = approve(model, TEXTS[0])
    for hour in (12, 13):
        services.approve(propose(model, f"{TEXTS[hour - 10]} {hour}"), at=day_after(9, hour))
    before = proposal.wall_time
    for wrong in (day_after(-1), day_after(500), day_after(5, 23), day_after(9, 14)):
        with pytest.raises(errors.BadValue):
            services.move(proposal, wrong)
    assert Proposal.objects.get(pk=proposal.pk).wall_time == before


def test_only_what_waits_is_moved(model: TrainedModel, calm: Queue) -> None:
    services.change(model, {"quiet_from": 0, "quiet_until": 0})
    posted = due(model).proposal
    send_all()
    for proposal in (posted, propose(model, TEXTS[1])):
        with pytest.raises(errors.NotNow):
            services.move(proposal, day_after(3))


def test_the_week_has_posts_and_free_slots_in_order(model: TrainedModel, calm: Queue) -> None:
    monday = day_after(14).date() - timedelta(days=day_after(14).weekday())
    fixed = services.approve(
        propose(model, TEXTS[0]), at=datetime.combine(monday + timedelta(days=2), datetime.min.time()).replace(hour=12)
    )
    week = showing.week(calm, showing.waiting(calm), str(monday + timedelta(days=3)))
    assert [day.day for day in week.days] == [monday + timedelta(days=number) for number in range(7)]
    wednesday = week.days[2].slots
    assert [slot.entry.proposal for slot in wednesday if slot.entry] == [fixed]
    assert len(wednesday) == 3 and wednesday == sorted(wednesday, key=lambda slot: slot.at)
    assert week.others == 0 and week.before == monday - timedelta(days=7)
    # A wrong week, or one that is over, is this one.
    for asked in ("yesterday", "2020-01-01"):
        this = showing.week(calm, showing.waiting(calm), asked)
        assert any(day.is_today for day in this.days) and this.before is None and this.others == 1


def test_a_week_in_which_the_clocks_change_has_its_slots(model: TrainedModel, calm: Queue) -> None:
    # The clocks go forward on 28 March 2027.
    week = showing.week(calm, [], "2027-03-28")
    assert week.days[6].day == date(2027, 3, 28) and [len(day.slots) for day in week.days] == [2] * 7


def test_the_form_moves_a_post_and_says_what_is_wrong(model: TrainedModel, calm: Queue, client: Client) -> None:
    assert model.owner is not None
    client.force_login(model.owner)
    proposal = approve(model)
    address = f"/proposals/{proposal.pk}/move"
    assert client.post(address, {"at": f"{day_after(8):%Y-%m-%dT%H:%M}"}).status_code == 302
    assert Proposal.objects.get(pk=proposal.pk).wall == day_after(8).replace(tzinfo=UTC)
    page = client.get(f"/models/{model.pk}/publish/?week={day_after(8):%Y-%m-%d}").content.decode()
    assert f'data-at="{day_after(8):%Y-%m-%dT%H:%M}"' in page and "To the next free slot" in page
    for wrong in ("soon", f"{day_after(8, 23):%Y-%m-%dT%H:%M}"):
        refused = client.post(address, {"at": wrong}, headers={"accept": "application/json"})
        assert refused.status_code == 400 and refused.json()["error"]
    client.post(address, {"at": ""})
    assert not Proposal.objects.get(pk=proposal.pk).is_fixed
