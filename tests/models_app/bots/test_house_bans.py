"""The administrator's bans apply on each path by which a bot's words reach somebody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from botfactory.accounts import banned_phrases, rules
from botfactory.accounts.models import HouseRules, User
from models_app.bots.rows import TrainedModel
from models_app.sharing import rights as sharing
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.conftest import train
from tests.models_app.test_commands import json_of
from tests.rest.helpers import Program, require_error
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

ASKED: dict[str, Any] = {"n": 5, "temperature": 1.0, "seed": 3}


def ban(*phrases: str) -> None:
    HouseRules.objects.update_or_create(pk=HouseRules.THE_ROW, defaults={"banned_phrases": "\n".join(phrases)})


def word_of(post: str) -> str:
    return max(post.split(), key=len)


@pytest.fixture
def banned(alice: User, base: TrainedModel) -> tuple[str, str]:
    """Return a post that the base model would write for ASKED, and one of its words, which is now banned."""
    post: str = Program(alice).post(f"/models/{base.pk}/generate", ASKED).json()["posts"][0]
    Generation.objects.all().delete()
    ban(word_of(post))
    return post, word_of(post)


def test_programs_do_not_get_it(alice: User, base: TrainedModel, banned: tuple[str, str]) -> None:
    post, word = banned
    told = Program(alice).post(f"/models/{base.pk}/generate", ASKED).json()
    assert len(told["posts"]) == 5 and post not in told["posts"]
    assert told["refused"]["house"] >= 1 and told["refused"]["banned"] == 0
    answer = Program(alice).post(f"/models/{base.pk}/generate", {"n": 1, "prompt": f"so {word} "})
    assert "which no bot here may write" in require_error(answer, 422, "bad_sampling", "prompt")


def test_the_page_does_not_show_it_and_says_that_a_post_was_refused(
    alice: User, base: TrainedModel, banned: tuple[str, str]
) -> None:
    form = {"count": "5", "temperature": "1", "seed": "3"}
    shown = signed_in(alice).post(f"/models/{base.pk}/generate", form, headers={"HX-Request": "true"})
    assert banned[0] not in Generation.objects.get().posts
    assert "1 with a phrase banned here" in shown.content.decode()


def test_a_command_does_not_print_it(base: TrainedModel, banned: tuple[str, str]) -> None:
    written = json_of("generate", "base", "--count", 5, "--temperature", 1.0, "--seed", 3)
    assert banned[0] not in written["posts"] and written["refused"]["house"] >= 1


async def test_a_stream_does_not_send_it(alice: User, base: TrainedModel, banned: tuple[str, str]) -> None:
    import asyncio

    from asgiref.sync import sync_to_async
    from django.db import connections

    from tests.models_app.writing.test_live import open_stream, read

    found = await asyncio.wait_for(read(await open_stream(base, alice, ASKED)), 60)
    assert len(found) == 6 and banned[0] not in json.dumps(found, ensure_ascii=False)
    await sync_to_async(connections.close_all)()


def test_neither_trainings_nor_the_gallery_show_it(corpus: Corpus, base: TrainedModel, model: TrainedModel) -> None:
    (epoch,) = model.history
    post = epoch["samples"][0]
    assert post in sharing.samples_of(model)
    ban(word_of(post))
    job = train(corpus, base)
    (event,) = job.events.filter(kind="epoch")
    assert event.payload["samples"] and post not in event.payload["samples"]
    # A bot that was trained before the phrase was banned.
    assert post not in sharing.samples_of(model)


def test_it_is_on_from_the_start_also_for_who_has_house_rules_already() -> None:
    assert "kill yourself" in rules.house_rules().banned_phrases
    HouseRules.objects.create(pk=HouseRules.THE_ROW, signup_mode="open")
    assert rules.house_rules().banned_phrases == banned_phrases.phrases_in(banned_phrases.SHIPPED)


def test_the_administrator_changes_it_and_is_told_what_is_too_much(admin: User) -> None:
    client, page = signed_in(admin), f"/admin/accounts/houserules/{rules.row().pk}/change/"
    assert "kill yourself" in client.get(page).content.decode()
    others = {"signup_mode": "", "public_sharing": "unknown", "open_gallery": "unknown"}
    client.post(page, {**others, "banned_phrases": " one  phrase \r\n\r\nanother\r\none phrase"})
    assert rules.house_rules().banned_phrases == ("one phrase", "another")
    answer = client.post(page, {**others, "banned_phrases": "x" * 101})
    assert "longer than 100 characters. Shorten it." in answer.content.decode()
    answer = client.post(page, {**others, "banned_phrases": "\n".join(map(str, range(501)))})
    assert "The list has 501 phrases. Keep at most 500." in answer.content.decode()
    client.post(page, {**others, "banned_phrases": ""})
    assert rules.house_rules().banned_phrases == ()
