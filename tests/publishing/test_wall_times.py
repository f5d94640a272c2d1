"""Times of the wall stay where they are when the clocks change, and slots stay within their hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishing.wall_times import Hours, moment_of, wall_of, zones

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("wall", "moment"),
    [
        # The clocks went back on 25 October 2026 and go forward on 28 March 2027.
        (datetime(2026, 10, 24, 9), datetime(2026, 10, 24, 7, tzinfo=UTC)),
        (datetime(2026, 10, 26, 9), datetime(2026, 10, 26, 8, tzinfo=UTC)),
        (datetime(2027, 3, 29, 9), datetime(2027, 3, 29, 7, tzinfo=UTC)),
        # Twice on the wall: the first. Never on the wall: as much later.
        (datetime(2026, 10, 25, 2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2027, 3, 28, 2, 30), datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),
    ],
)
def test_nine_oclock_is_nine_oclock_in_summer_and_winter(wall: datetime, moment: datetime) -> None:
    assert moment_of(wall, BERLIN) == moment


@given(
    st.builds(
        Hours,
        per_day=st.integers(1, 24),
        opens=st.integers(0, 23),
        closes=st.just(24),
        quiet_from=st.integers(0, 24),
        quiet_until=st.integers(0, 24),
    ),
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.text(max_size=5),
)
def test_slots_are_in_order_within_the_hours_and_never_quiet(hours: Hours, day: date, seed: str) -> None:
    slots = hours.slots_of(day, seed)
    assert slots == sorted(slots) == hours.slots_of(day, seed)
    assert len(slots) <= hours.per_day
    assert all(slot.date() == day and slot.hour >= hours.opens and not hours.is_quiet(slot.time()) for slot in slots)


def test_each_part_of_the_day_has_one_slot_and_days_differ() -> None:
    hours = Hours(4, 9, 21, 22, 7)
    first, second = (hours.slots_of(date(2026, 12, day), "seed") for day in (1, 2))
    assert [(slot.hour - 9) // 3 for slot in first] == [0, 1, 2, 3] == [(slot.hour - 9) // 3 for slot in second]
    assert [slot.time() for slot in first] != [slot.time() for slot in second]
    following = hours.slots(first[1], "seed")
    assert [next(following), next(following), next(following)] == [first[2], first[3], second[0]]


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.sampled_from(["UTC", BERLIN, "Asia/Kathmandu"]))
def test_a_moment_is_found_on_the_wall(moment: datetime, zone: str) -> None:
    aware = moment.replace(tzinfo=UTC)
    # Within the hour that comes twice, the wall means the first.
    assert aware - moment_of(wall_of(aware, zone), zone) in (timedelta(0), timedelta(hours=1))


def test_people_can_choose_their_zone() -> None:
    assert {"UTC", BERLIN, "America/New_York"} <= set(zones())
