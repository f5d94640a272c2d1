"""A setting exists only if it is documented, and the other way round."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from tests.contracts.test_compose import known_settings

ROOT = Path(settings.BASE_DIR)
COMPOSE_ONLY = {"POSTGRES_PASSWORD", "PORT", "COMPOSE_PROFILES"}


def test_each_setting_has_its_heading_in_the_docs_and_no_other_has() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### `(\w+)`", text, re.MULTILINE)) == known_settings()


def test_each_setting_stands_in_the_example_and_no_other_does() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=", text, re.MULTILINE)) == known_settings() | COMPOSE_ONLY
