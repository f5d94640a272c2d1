from __future__ import annotations

from datetime import UTC, datetime

import pytest

from botfactory.outages.retry_after import moment_of

pytestmark = pytest.mark.differs

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("120", datetime(2026, 11, 27, 12, 2, tzinfo=UTC)),
        (" 0 ", NOW),
        ("1.65", datetime(2026, 11, 27, 12, 0, 1, tzinfo=UTC)),
        ("1795780800", datetime(2026, 11, 27, 12, 0, tzinfo=UTC)),
        ("Fri, 27 Nov 2026 13:00:00 GMT", datetime(2026, 11, 27, 13, 0, tzinfo=UTC)),
        ("Fri, 27 Nov 2026 13:00:00 +0200", datetime(2026, 11, 27, 11, 0, tzinfo=UTC)),
        ("2026-11-27T12:30:00.000Z", datetime(2026, 11, 27, 12, 30, tzinfo=UTC)),
        ("2026-11-27T12:30:00", datetime(2026, 11, 27, 12, 30, tzinfo=UTC)),
        ("999999999999999999999", datetime(2999, 11, 19, 9, 46, 40, tzinfo=UTC)),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("Fri, 99 Nov 2026", None),
        ("٣", None),
    ],
)
def test_a_moment_is_read_in_each_form_that_servers_use(said: str, moment: datetime | None) -> None:
    assert moment_of(said, NOW) == moment
