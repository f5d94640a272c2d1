"""Bots don't write personal data, on any path by which their words reach somebody, unless their owner allows it."""

from __future__ import annotations

from typing import Any

import pytest

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.sharing.rights import samples_of
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.test_commands import json_of
from tests.rest.helpers import Program
from tweets.cleaning.personal import adds

pytestmark = pytest.mark.django_db(transaction=True)

#: The tiny network goes on with any character. Most letters make another address, which isn't the prompt's.
PROMPT = "mail joe@example.or"
ASKED: dict[str, Any] = {"n": 20, "temperature": 1.0, "seed": 3, "prompt": f"{PROMPT}…", "max_characters": 60}


def test_programs_get_none_unless_they_allow_it(alice: User, base: TrainedModel) -> None:
    told = Program(alice).post(f"/models/{base.pk}/generate", ASKED).json()
    assert told["refused"]["personal"] >= 1
    assert told["posts"] and not any(adds(post, PROMPT) for post in told["posts"])
    allowed = Program(alice).post(f"/models/{base.pk}/generate", {**ASKED, "personal_guard": False}).json()
    assert allowed["refused"]["personal"] == 0 and any(adds(post, PROMPT) for post in allowed["posts"])


def test_the_page_shows_none_and_says_that_posts_were_refused(alice: User, base: TrainedModel) -> None:
    form = {"count": "20", "temperature": "1", "seed": "3", "prompt": f"{PROMPT}…", "max_characters": "60"}
    shown = signed_in(alice).post(f"/models/{base.pk}/generate", form, headers={"HX-Request": "true"})
    assert not any(adds(post, PROMPT) for post in Generation.objects.get().posts)
    assert "with personal data" in shown.content.decode()


def test_a_command_prints_none_unless_it_is_allowed(base: TrainedModel) -> None:
    options = ["--count", 20, "--temperature", 1.0, "--seed", 3, "--prompt", f"{PROMPT}…", "--max-characters", 60]
    written = json_of("generate", "base", *options)
    assert written["refused"]["personal"] >= 1
    assert not any(adds(post, PROMPT) for post in written["posts"])
    allowed = json_of("generate", "base", *options, "--allow-personal-data")
    assert any(adds(post, PROMPT) for post in allowed["posts"])


def test_samples_that_an_early_version_kept_are_not_shown_to_others(base: TrainedModel) -> None:
    base.history = [{"epoch": 1, "samples": ["I love tea", "mail joe@example.org", "call 202-224-5141"]}]
    base.kept_epoch = 1
    assert samples_of(base) == ["I love tea"]


def test_nor_are_those_that_name_somebody_or_once_did(base: TrainedModel) -> None:
    base.history = [{"epoch": 1, "samples": ["@… thanks", " @…", "I love @… so much", "@bob @ann hi", "to @bob"]}]
    base.kept_epoch = 1
    assert samples_of(base) == ["thanks", "hi"]
