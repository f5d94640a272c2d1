"""Side by side: who may compare which bots, and what the columns have in common."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.http import QueryDict

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.sharing import rights as sharing
from models_app.writing.comparing import services as comparing
from models_app.writing.comparing.services import Choice
from models_app.writing.comparing.views import _columns
from models_app.writing.rows import Generation
from tests.conftest import signed_in

pytestmark = pytest.mark.django_db(transaction=True)

SHORT = {"count": "2", "max_characters": "30"}


def chosen(*columns: tuple[Any, float], **values: Any) -> dict[str, Any]:
    return {"bot": [str(key) for key, _ in columns], "temperature": [each for _, each in columns], **SHORT, **values}


def test_two_bots_write_with_the_same_seed_and_beginning(bot: TrainedModel, base: TrainedModel, alice: User) -> None:
    body = chosen((bot.pk, 0.5), (base.pk, 1.2), prompt="I am")
    page = signed_in(alice).post("/compare/", body)
    first, second = Generation.objects.order_by("created_at")
    assert page.status_code == 200 and page.content.decode().count('class="column"') == 2
    assert (first.model, second.model, first.owner) == (bot, base, alice)
    assert first.sampling["seed"] == second.sampling["seed"] and first.sampling["prompt"] == "I am"
    assert (first.sampling["temperature"], second.sampling["temperature"]) == (0.5, 1.2)


def test_three_temperatures_of_a_bot(bot: TrainedModel, alice: User) -> None:
    columns = comparing.three_temperatures(comparing.choice_for_user(alice, str(bot.pk)))
    sampling = SamplingConfig(count=100, max_characters=30, seed=7)
    found = comparing.write(owner=alice, columns=columns, sampling=sampling)
    written = [column.generation.sampling for column in found if column.generation]
    assert [each["temperature"] for each in written] == [0.5, 0.9, 1.4]
    assert {(each["seed"], each["count"]) for each in written} == {(7, comparing.MAX_POSTS)}
    # Without JavaScript, the button of the bot's page leads to the page that compares.
    page = signed_in(alice).post("/compare/", {"three": str(bot.pk), **SHORT}).content.decode()
    assert [word in page for word in ("0.5 · careful", "0.9 · natural", "1.4 · wild")] == [True] * 3
    assert "At most five posts each." in signed_in(alice).get(f"/models/{bot.pk}/").content.decode()
    assert comparing.MAX_POSTS == 5
    german = {"accept-language": "de"}
    answer = signed_in(alice).post("/compare/", {"three": str(bot.pk), **SHORT}, headers=german)
    in_german = answer.content.decode()
    assert '<option value="0.9" selected>0,9</option>' in in_german
    assert f'aria-label="{bot.name}, 1,4 · wild"' in in_german and '<p class="quiet">0,5 · vorsichtig</p>' in in_german


def test_each_tier_has_its_own_three_temperatures_and_words(fluent: TrainedModel, base: TrainedModel) -> None:
    three = {model.tier: comparing.three_of(model) for model in (base, fluent)}
    assert three == {"quick": (0.5, 0.9, 1.4), "fluent": (0.3, 0.5, 0.9)}
    columns = [comparing.three_temperatures(Choice(str(model.pk), model)) for model in (base, fluent)]
    assert [[column.word for column in each] for each in columns] == [["careful", "natural", "wild"]] * 2
    assert [each[1].temperature for each in columns] == [base.usual.temperature, fluent.usual.temperature]


def test_without_a_temperature_each_bot_writes_at_its_usual_one(
    fluent: TrainedModel, base: TrainedModel, alice: User
) -> None:
    page = signed_in(alice).get("/compare/").content.decode()
    assert page.count('<option value="">usual temperature</option>') == 4 and page.count("selected") == 2
    columns = _columns(alice, QueryDict(f"bot={base.pk}&bot={fluent.pk}&temperature=&temperature="))
    assert [column.temperature for column in columns] == [0.9, 0.5]


def test_a_reload_shows_all_three_temperatures(bot: TrainedModel, alice: User) -> None:
    page = signed_in(alice)

    def columns() -> list[tuple[str, str]]:
        shown = page.get(f"/models/{bot.pk}/").content.decode()
        return re.findall(r'class="column" aria-label="(\w+), ([\d.]+) ·', shown)

    page.post("/compare/", {"three": str(bot.pk), **SHORT})
    newest, *_ = Generation.objects.all()
    assert columns() == [("Careful", "0.5"), ("Natural", "0.9"), ("Wild", "1.4")]
    shown = page.get(f"/models/{bot.pk}/").content.decode()
    assert all(f'id="generation-{each.pk}"' in shown for each in Generation.objects.all())
    # The others stay when one is deleted.
    page.post(f"/generations/{newest.pk}/delete")
    assert columns() == [("Careful", "0.5"), ("Natural", "0.9")]
    page.post(f"/models/{bot.pk}/generate", {**SHORT, "temperature": "0.9"})
    assert columns() == []


@pytest.mark.parametrize("count", [0, 1, 5])
def test_two_to_four_columns(bot: TrainedModel, alice: User, count: int) -> None:
    answer = signed_in(alice).post("/compare/", chosen(*[(bot.pk, 0.9)] * count))
    assert answer.status_code == 400 and "Choose two to four bots" in answer.content.decode()
    assert not Generation.objects.exists()


def test_what_is_shared_can_be_compared_while_it_is(bot: TrainedModel, base: TrainedModel, bob: User) -> None:
    guest, address = signed_in(bob), f"/gallery/{bot.pk}/generate"
    body = chosen((bot.pk, 0.9), (base.pk, 0.9))
    assert guest.post("/compare/", body).status_code == 404 and guest.get(f"/compare/?bot={bot.pk}").status_code == 404
    sharing.share(bot, "public")
    assert address in guest.get("/compare/").content.decode()
    assert guest.post("/compare/", body).status_code == 200
    # A bot that is shared by link is found by its link only, not by its id.
    sharing.share(bot, "unlisted")
    assert guest.post("/compare/", body).status_code == 404
    assert bot.name not in guest.get("/compare/").content.decode()
    page = guest.get(f"/compare/?bot={bot.link}").content.decode()
    assert f'value="{bot.link}" data-action="/shared/{bot.link}/generate" data-usual="0.9" selected' in page
    assert guest.post("/compare/", chosen((bot.link, 0.9), (base.pk, 0.9))).status_code == 200
    for key in ("x" * 43, "nonsense"):
        assert guest.post("/compare/", chosen((key, 0.9), (base.pk, 0.9))).status_code == 404


def test_without_any_bot_the_page_says_what_to_do(alice: User, tmp_path: Any, settings: Any) -> None:
    settings.CHECKPOINTS_DIR = tmp_path
    page = signed_in(alice).get("/compare/")
    assert page.status_code == 200 and "You have no bots yet" in page.content.decode()
