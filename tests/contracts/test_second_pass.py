"""CI's pass on Postgres and Redis takes the tests marked `differs`."""

from __future__ import annotations

import re

from django.conf import settings

#: Asks which database or broker the tests run on.
ASKS = re.compile(r"connection\.vendor|environ\[\"DATABASE_URL\"\]|tests\.(outages|at_once|lost_claims) import")


def test_modules_that_go_another_way_there_are_in_the_second_pass() -> None:
    found = {path: path.read_text() for path in sorted((settings.BASE_DIR / "tests").rglob("test_*.py"))}
    asking = {path for path, text in found.items() if ASKS.search(text)}
    assert len(asking) > 20
    assert [path for path in asking if "pytest.mark.differs" not in found[path]] == []


def test_the_second_pass_takes_these() -> None:
    passes = (settings.BASE_DIR / ".ci/run").read_text()
    assert passes.index("make test") < passes.index("export DATABASE_URL") < passes.index("-m differs")
