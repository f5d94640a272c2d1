"""The two tiers: which are offered and why not, one base model for each, and what the page and the API say."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from models_app import downloads
from models_app.bases import services as bases
from models_app.bots import loading, registry, versions
from models_app.bots.rows import BaseChange, Tier, TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.training.adapters.config import MAX_READ_TWICE, AdapterConfig
from models_app.sharing import access
from models_app.training import estimates, machines, planning, starting_points, tiers
from models_app.training.rows import TrainingMachine
from models_app.writing import generations
from tests.conftest import signed_in
from tests.models_app import tiny_llama
from tests.models_app.conftest import registered
from tests.product import save_small_base
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

SENTENCE = "This machine has 2 GB of memory; fluent bots need 4 GB."


def machine_with(memory: int | None) -> None:
    """A trainer has noted a machine with so much memory."""
    TrainingMachine.objects.create(
        machine=f"of {memory}",
        host="far",
        speed=16_000,
        memory=memory,
        measured_at=timezone.now(),
    )


def bot_of(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    """An untrained bot of this base."""
    return registered(corpus, base, loading.load(base), {"posts": corpus.posts_kept, "characters": corpus.characters})


def test_each_tier_has_a_base_model_and_a_history_of_its_own(
    base: TrainedModel, fluent: TrainedModel, admin: User
) -> None:
    assert (base.tier, fluent.tier, fluent.name, fluent.origin) == ("quick", "fluent", "fluent", "shipped")
    assert versions.base_model() == base and versions.base_model(Tier.FLUENT) == fluent
    changed = tiny_llama.other_adapter(Path(site.CHECKPOINTS_DIR))
    newer = versions.base_model(Tier.FLUENT)
    assert newer.sha256 == changed and newer.name == "fluent 2" and versions.base_model() == base
    assert bases.ones_before() == {Tier.FLUENT: fluent}
    assert bases.roll_back(by=admin, tier=Tier.FLUENT) == fluent == versions.base_model(Tier.FLUENT)
    assert versions.base_model() == base
    assert set(BaseChange.objects.filter(tier="fluent").values_list("model_name", flat=True)) == {"fluent", "fluent 2"}
    save_small_base(Path(site.CHECKPOINTS_DIR), units=40)
    assert versions.base_model() != base
    assert bases.ones_before() == {Tier.FLUENT: newer, Tier.QUICK: base}
    registry.retire(newer)
    assert bases.ones_before() == {Tier.QUICK: base}
    assert bases.one_before(Tier.FLUENT) is None


def test_without_a_fluent_base_there_is_just_no_such_tier(corpus: Corpus, base: TrainedModel) -> None:
    assert tiers.offered() == [Tier.QUICK]
    with pytest.raises(versions.NoBaseModel, match="no fluent base model"):
        versions.base_model(Tier.FLUENT)
    page = signed_in(corpus.owner).get(f"/corpora/{corpus.pk}/").content.decode()
    assert page.count('name="start"') == 1 and 'data-tier="quick"' in page


def test_where_it_can_be_fluent_is_the_default(corpus: Corpus, base: TrainedModel, fluent: TrainedModel) -> None:
    assert tiers.offered() == [Tier.FLUENT, Tier.QUICK]
    assert starting_points.start_for_user(corpus.owner, None) == fluent
    assert starting_points.start_for_user(corpus.owner, None, Tier.QUICK) == base
    assert starting_points.bases_for_user(corpus.owner) == [fluent, base]
    page = signed_in(corpus.owner).get(f"/corpora/{corpus.pk}/").content.decode()
    found = re.findall(r'<input type="radio" name="start" value="([^"]+)" data-tier="(\w+)"[^>]*?( checked)?>', page)
    assert found == [(str(fluent.pk), "fluent", " checked"), (str(base.pk), "quick", "")]
    assert re.search(r'data-for="quick" hidden>.*id="id_epochs" min="1" max="10"', page, re.DOTALL)
    # All these posts are read once within the first minute, and twice within the second.
    assert re.search(r'id="id_minutes" min="1" max="2" step="1" value="2"', page)
    assert "The bot reads all your posts. With more time, it reads them twice." in page
    Corpus.objects.filter(pk=corpus.pk).update(characters=2_000_000)
    longer = signed_in(corpus.owner).get(f"/corpora/{corpus.pk}/").content.decode()
    assert "With more time, it reads older ones, too." in longer and "reads them twice" not in longer


@pytest.mark.parametrize(
    ("setting", "memory", "reason"),
    [
        ("auto", 2 * 10**9, SENTENCE),
        ("auto", 3_900_000_000, "This machine has 3.9 GB of memory; fluent bots need 4 GB."),
        ("auto", 4 * 10**9, ""),
        ("on", 2 * 10**9, ""),
        ("off", 64 * 10**9, "Fluent bots are switched off on this server."),
    ],
)
def test_the_memory_of_the_machine_that_trains_and_the_operator_decide(
    fluent: TrainedModel, settings: Any, setting: str, memory: int, reason: str
) -> None:
    settings.FLUENT = setting
    machine_with(memory)
    assert tiers.why_not(Tier.FLUENT) == reason
    assert (Tier.FLUENT in tiers.offered()) == (not reason)


def test_before_a_trainer_has_noted_its_memory_this_machines_counts(
    fluent: TrainedModel, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FLUENT = "auto"
    machine_with(None)
    monkeypatch.setattr("botfactory.ops.machine.memory", lambda: 2 * 10**9)
    assert tiers.why_not(Tier.FLUENT) == SENTENCE
    monkeypatch.setattr("botfactory.ops.machine.memory", lambda: None)
    assert tiers.why_not(Tier.FLUENT) == ""


def test_the_trainer_notes_its_memory_with_its_speed(transactional_db: None) -> None:
    machine = machines.note(16_000)
    assert machine.memory is not None and machine.memory > 10**8


def test_a_larger_base_needs_more_memory_by_its_shape(fluent: TrainedModel) -> None:
    smollm2 = {"layers": 30, "width": 576, "heads": 9, "kv_heads": 3, "head_size": 64, "hidden": 1536, "symbols": 49152}
    fluent.network |= smollm2
    assert tiers.needed_memory(fluent) == 4 * 10**9
    qwen = {"layers": 28, "width": 1024, "heads": 16, "kv_heads": 8, "head_size": 128, "hidden": 3072}
    fluent.network |= qwen | {"symbols": 151_936, "qk_norm": True, "architecture": "qwen3"}
    assert 6.5e9 < tiers.needed_memory(fluent) < 8e9


def test_a_machine_of_2_gb_says_why_on_page_and_api_and_offers_the_quick_tier(
    corpus: Corpus, fluent: TrainedModel, base: TrainedModel, settings: Any
) -> None:
    bot = bot_of(corpus, fluent)
    settings.FLUENT = "auto"
    machine_with(2 * 10**9)
    client = signed_in(corpus.owner)
    page = client.get(f"/corpora/{corpus.pk}/").content.decode()
    assert SENTENCE in page and f'value="{base.pk}" data-tier="quick"' in page and str(fluent.pk) not in page
    answer = client.post(f"/corpora/{corpus.pk}/", {"start": "own", "bot": str(bot.pk), "epochs": "1"})
    assert answer.status_code == 400 and SENTENCE in answer.content.decode()
    body = {"kind": "fine_tune", "corpus": str(corpus.pk)}
    api = client.post("/api/v1/jobs/estimate", body, content_type="application/json")
    assert api.json()["tier"] == "quick" and api.json()["model"] == str(base.pk)
    refused = client.post("/api/v1/jobs", body | {"model": str(bot.pk)}, content_type="application/json")
    assert refused.status_code == 422
    assert refused.json()["error"] == {"code": "tier_not_offered", "message": SENTENCE, "param": "tier"}
    told = client.get("/api/v1/models/bases").json()["data"]
    assert [(row["tier"], row["is_offered"], row["is_default"], row["why_not"]) for row in told] == [
        ("quick", True, True, ""),
        ("fluent", False, False, SENTENCE),
    ]
    assert not Job.objects.filter(kind="fine_tune", state="queued").exists()


def test_the_api_lists_what_a_training_can_start_from(corpus: Corpus, fluent: TrainedModel, base: TrainedModel) -> None:
    client = signed_in(corpus.owner)
    told = client.get("/api/v1/models/bases").json()["data"]
    assert [(row["tier"], row["model"], row["is_default"]) for row in told] == [
        ("fluent", str(fluent.pk), True),
        ("quick", str(base.pk), False),
    ]
    assert client.get(f"/api/v1/models/{bot_of(corpus, fluent).pk}").json()["tier"] == "fluent"


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"tier": "quick", "epochs": 10}, 202, ""),
        ({"tier": "fluent"}, 202, ""),
        ({"tier": "fluent", "epochs": 4}, 422, "For a fluent bot, choose 1 to 3 epochs"),
        ({"tier": "fluent", "dropout": 0.1}, 422, "no dropout"),
        ({"tier": "slow"}, 422, "tier"),
    ],
)
def test_a_program_can_ask_for_a_tier(
    corpus: Corpus, fluent: TrainedModel, changes: dict[str, Any], status: int, said: str
) -> None:
    body = {"kind": "fine_tune", "corpus": str(corpus.pk), **changes}
    answer = signed_in(corpus.owner).post("/api/v1/jobs", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    assert said in answer.content.decode()
    assert Job.objects.filter(kind="fine_tune").count() == (status == 202)


def test_a_program_cannot_ask_for_a_model_and_another_tier(corpus: Corpus, fluent: TrainedModel) -> None:
    body = {"kind": "fine_tune", "corpus": str(corpus.pk), "tier": "quick", "model": str(bot_of(corpus, fluent).pk)}
    answer = signed_in(corpus.owner).post("/api/v1/jobs", body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "wrong_tier")
    assert answer.json()["error"]["param"] == "tier"


def test_what_is_chosen_for_a_fluent_training_is_stored_with_the_job(corpus: Corpus, fluent: TrainedModel) -> None:
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=fluent, settings={"learning_rate": 0.002})
    chosen = planning.config_from(job.arguments["chosen"])
    assert isinstance(chosen, AdapterConfig)
    assert (chosen.epochs, chosen.learning_rate, job.arguments["epochs"]) == (2, 0.002, 2)
    assert chosen.points == planning.automatic(corpus, Tier.FLUENT).as_dict()["points"]


def test_the_estimate_follows_the_tier_and_its_last_trainings(corpus: Corpus, fluent: TrainedModel) -> None:
    typical = estimates.estimate(250_000, Tier.FLUENT)
    assert 180 < typical.seconds(1) < 260  # about 4 minutes to read all of 3,200 posts
    assert typical.epoch == pytest.approx(225_000 / 1_600)
    bot = bot_of(corpus, fluent)
    TrainedModel.objects.filter(pk=bot.pk).update(characters_per_second=3_200)
    assert estimates.estimate(250_000, Tier.FLUENT).epoch == pytest.approx(225_000 / 3_200)
    assert estimates.estimate(250_000).epoch < 20
    machine_with(None)
    TrainingMachine.objects.update(products=0.09 * machines.FLUENT_PRODUCTS)
    TrainedModel.objects.filter(pk=bot.pk).update(characters_per_second=None)
    assert machines.pace(Tier.FLUENT).speed == pytest.approx(0.09 * 16_000)


def test_a_fluent_training_reads_what_fits_into_its_minutes(fluent: TrainedModel) -> None:
    for minutes in (3, 10, 60):
        reading = estimates.reading_within(minutes, 9_000_000)
        assert reading.epochs == 1
        # Not a character more would fit.
        one_more = estimates.Reading(reading.most_characters + 1)
        now, then = (estimates.seconds_of(9_000_000, Tier.FLUENT, each) for each in (reading, one_more))
        assert now <= 60 * minutes < then < now + 15
    # What has read all posts also validates weights between the first and the best.
    some, every = (estimates.estimate(9_000_000, Tier.FLUENT, read) for read in (8_000_000, 0))
    between = estimates.ADAPTER_INTERPOLATIONS * estimates.CHARACTERS_HELD_OUT * estimates.ADAPTER_VALIDATION_COST
    assert every.starting - some.starting == pytest.approx(between * some.epoch / 8_000_000)
    assert estimates.reading_within(1, 9_000_000) == estimates.Reading(estimates.MIN_READ)


def test_a_fluent_training_reads_few_posts_twice_if_they_fit_twice(fluent: TrainedModel) -> None:
    slow = machines.Pace(300.0)
    once, twice = (estimates.reading_within(minutes, 30_000, pace=slow) for minutes in (3, 5))
    assert (once, twice) == (estimates.Reading(0, 1), estimates.Reading(0, 2))
    one, two = (estimates.estimate(30_000, Tier.FLUENT, epochs=epochs, pace=slow) for epochs in (1, 2))
    assert one.seconds(1) < 180 < two.seconds(2) < 300
    assert estimates.reading_within(600, 30_000, pace=slow) == twice
    # More is read, so it's validated and sampled more often.
    assert (
        estimates.estimate(150_000, Tier.FLUENT, epochs=2).starting > estimates.estimate(150_000, Tier.FLUENT).starting
    )
    # More posts are read once, however much time there is.
    most = round(MAX_READ_TWICE / (1 - estimates.VALIDATION_SHARE))
    readings = [estimates.reading_within(600, characters) for characters in (most - 2, most + 2)]
    assert readings == [estimates.Reading(0, 2), estimates.Reading(0, 1)]


def courses_on(page: str) -> Any:
    [text] = re.findall(r'id="train-courses" type="application/json">(.*?)</script>', page)
    return json.loads(text)


@pytest.mark.parametrize(("speed", "least", "shown"), [(1_600, 1, "3 min"), (200, 8, "8 min 10 s")])
def test_the_form_and_a_program_hear_one_time_which_the_least_that_is_read_may_exceed(
    corpus: Corpus, fluent: TrainedModel, speed: float, least: int, shown: str
) -> None:
    Corpus.objects.filter(pk=corpus.pk).update(characters=300_000)
    bot = bot_of(corpus, fluent)
    TrainedModel.objects.filter(pk=bot.pk).update(characters_per_second=speed)
    client = signed_in(corpus.owner)
    page = client.get(f"/corpora/{corpus.pk}/").content.decode()
    course = courses_on(page)["fluent"]
    minutes = max(least, planning.DEFAULT_MINUTES)
    assert course["least_minutes"] == least
    assert f'<output id="minutes-value" for="id_minutes">about {shown}</output>' in page
    assert re.search(rf'id="id_minutes" min="{least}" max="\d+" step="1" value="{minutes}"', page)
    body = {"kind": "fine_tune", "corpus": str(corpus.pk), "tier": "fluent"}
    told = client.post("/api/v1/jobs/estimate", body, content_type="application/json").json()
    posts_all = course["posts"]
    posts, seconds, _ = course["plans"][minutes - least]
    assert seconds == pytest.approx(told["seconds"], abs=0.1)
    assert posts == round(posts_all * told["hyperparameters"]["most_characters"] / 270_000)
    # Each further minute is used while there's more to read, but for the seconds of a point that wouldn't fit.
    used = [(60 * each, took) for each, (read, took, _) in enumerate(course["plans"], least) if read < 0.9 * posts_all]
    assert len(used) > 2 and all(given - 30 < took <= given for given, took in used[1:])


def test_a_program_can_give_a_fluent_training_minutes(corpus: Corpus, fluent: TrainedModel) -> None:
    client = signed_in(corpus.owner)
    Corpus.objects.filter(pk=corpus.pk).update(characters=2_000_000)
    body = {"kind": "fine_tune", "corpus": str(corpus.pk), "tier": "fluent"}

    def asked(**more: Any) -> Any:
        return client.post("/api/v1/jobs/estimate", body | more, content_type="application/json").json()

    assert asked(minutes=10)["seconds"] == pytest.approx(600, abs=0.1)
    assert asked(minutes="auto") == asked() == asked(minutes=planning.DEFAULT_MINUTES)
    assert asked(epochs=1)["hyperparameters"]["most_characters"] == 0
    wrongs: tuple[tuple[dict[str, Any], str, str], ...] = (
        ({"epochs": 1, "minutes": 10}, "bad_minutes", "minutes"),
        ({"epochs": 4}, "bad_epochs", "epochs"),
        ({"dropout": 0.1}, "bad_request", "dropout"),
        ({"batch_size": 4096}, "bad_request", "batch_size"),
    )
    for wrong, code, param in wrongs:
        error = asked(**wrong)["error"]
        assert (error["code"], error["param"]) == (code, param)
    assert asked(tier="quick", minutes=10) == asked(tier="quick")
    assert asked(minutes=0)["error"]["param"] == "minutes"
    assert asked(tier="quick")["hyperparameters"]["most_characters"] is None


def test_the_page_takes_minutes_for_a_fluent_bot_and_epochs_for_a_quick_one(
    corpus: Corpus, base: TrainedModel, fluent: TrainedModel
) -> None:
    Corpus.objects.filter(pk=corpus.pk).update(characters=2_000_000)
    client = signed_in(corpus.owner)

    def chosen(start: TrainedModel, **fields: str) -> dict[str, Any]:
        answer = client.post(f"/corpora/{corpus.pk}/", {"start": str(start.pk), "epochs": "4", "minutes": "9"} | fields)
        assert answer.status_code == 302
        values: dict[str, Any] = Job.objects.filter(kind="fine_tune").latest("created_at").arguments["chosen"]
        return values

    ninth = chosen(fluent)
    for chosen_minutes, values in ((9, ninth), (3, chosen(fluent, minutes=""))):
        reading = estimates.reading_within(chosen_minutes, 2_000_000)
        assert (values["epochs"], values["most_characters"]) == (1, reading.most_characters)
    assert chosen(base)["epochs"] == 4
    refused = client.post(f"/corpora/{corpus.pk}/", {"start": str(fluent.pk), "minutes": "6000"})
    assert refused.status_code == 400 and "600" in refused.content.decode()


def test_the_page_takes_a_tier_or_one_of_the_persons_bots(
    corpus: Corpus, base: TrainedModel, fluent: TrainedModel
) -> None:
    bot, client = bot_of(corpus, base), signed_in(corpus.owner)

    def sent(**fields: str) -> tuple[int, str]:
        answer = client.post(f"/corpora/{corpus.pk}/", {"epochs": "1", **fields})
        newest = Job.objects.filter(kind="fine_tune").order_by("-created_at").first()
        assert newest is not None
        return answer.status_code, newest.arguments["start"]

    assert sent(start=str(fluent.pk)) == (302, str(fluent.pk))
    assert sent(start=str(base.pk), bot=str(bot.pk)) == (302, str(base.pk))
    assert sent(start="own", bot=str(bot.pk)) == (302, str(bot.pk))
    assert sent(start=str(bot.pk)) == (302, str(bot.pk))
    refused = client.post(f"/corpora/{corpus.pk}/", {"start": "own", "epochs": "1"})
    assert refused.status_code == 400 and "Choose one of your bots." in refused.content.decode()
    further = client.get(f"/corpora/{corpus.pk}/?start={bot.pk}").content.decode()
    assert 'id="start-own" checked' in further and f'value="{bot.pk}" data-tier="quick" selected' in further
    assert len(re.findall(r'name="start"[^>]* checked', further)) == 1 and 'max="10"' in further


def test_the_page_tells_its_script_how_each_tier_goes(corpus: Corpus, fluent: TrainedModel) -> None:
    page = signed_in(corpus.owner).get(f"/corpora/{corpus.pk}/").content.decode()
    courses = courses_on(page)
    assert courses["fluent"]["least_minutes"] == 1 and len(courses["fluent"]["plans"]) == 2
    posts, seconds, times = zip(*courses["fluent"]["plans"], strict=True)
    assert set(posts) == {courses["fluent"]["posts"]} == {round(0.9 * corpus.posts_kept)}
    assert times == (1, 2) and 0 < seconds[0] < seconds[1] < 120 and courses["quick"]["plans"] == []
    assert courses["quick"]["max_epochs"] == 10
    assert set(courses["quick"]["automatic"]) - set(courses["fluent"]["automatic"]) == {"dropout"}


def test_bots_and_cards_show_their_tier(corpus: Corpus, fluent: TrainedModel) -> None:
    bot, client = bot_of(corpus, fluent), signed_in(corpus.owner)
    shown = '<span class="tier fluent">Fluent</span>'
    for path in (f"/models/{bot.pk}/", "/models/", f"/corpora/{corpus.pk}/"):
        assert shown in client.get(path).content.decode(), path


def test_the_model_card_says_which_pretrained_model_an_adapter_needs(corpus: Corpus, fluent: TrainedModel) -> None:
    assert fluent.network["pretrained"] in downloads.card_of(bot_of(corpus, fluent)).split("## Network")[0]


def test_the_terminal_names_both_base_models(base: TrainedModel, fluent: TrainedModel) -> None:
    assert access.find_model("base") == base and access.find_model("fluent") == fluent


def test_a_deleted_shipped_folder_changes_nothing(fluent: TrainedModel) -> None:
    shutil.rmtree(versions.shipped_directory(Tier.FLUENT))
    assert versions.base_model(Tier.FLUENT) == fluent


@pytest.mark.parametrize(("rule", "guards"), [("drop", True), ("placeholder", True), ("keep", False)])
def test_a_fluent_bot_makes_up_no_links_unless_it_learned_some(
    corpus: Corpus, base: TrainedModel, fluent: TrainedModel, rule: str, guards: bool
) -> None:
    corpus.rules = {**corpus.rules, "links": rule}
    bot = TrainedModel(network=fluent.network, corpus=corpus)
    assert generations.settled(SamplingConfig(), bot).link_guard is guards
    assert generations.settled(SamplingConfig(link_guard=not guards), bot).link_guard is not guards
    bot.corpus = None
    assert generations.settled(SamplingConfig(), bot).link_guard is True
    assert generations.settled(SamplingConfig(), base).link_guard is False
