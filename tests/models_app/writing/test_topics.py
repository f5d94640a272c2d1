"""What a bot's posts are to be about: on its page, in compare, in the API and in the terminal."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from botfactory.accounts.models import HouseRules, User
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.training import instant
from models_app.writing import generations, topics
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tests.models_app.training.test_instant import made
from tests.rest.helpers import Program, require_error

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_topic_gives_the_same_posts_wherever_it_is_asked_for(alice: User, fluent: TrainedModel, writer: None) -> None:
    asked = {"seed": 4, "max_characters": 60, "about": "dogs,  the sea", "prompt": "The "}
    told = Program(alice).post(f"/models/{fluent.pk}/generate", {"n": 3, **asked}).json()
    assert told["settings"]["about"] == "dogs, the sea" and len(told["posts"]) == 3
    plain = SamplingConfig(count=3, seed=4, max_characters=60, prompt="The ")
    assert told["posts"] != generations.write(fluent, plain)[0].posts
    out = StringIO()
    command = ["--count", 3, "--seed", 4, "--max-characters", 60, "--prompt", "The ", "--about", "dogs, the sea"]
    call_command("generate", str(fluent.pk), *command, "--json", stdout=out)
    assert json.loads(out.getvalue())["posts"] == told["posts"]
    page = signed_in(alice).post(f"/models/{fluent.pk}/generate", {"count": "3", **asked}, follow=True).content.decode()
    assert "about “dogs, the sea”" in page
    assert [each.posts for each in Generation.objects.all()] == [told["posts"]] * 2


def test_compared_bots_write_about_the_same(alice: User, fluent: TrainedModel, writer: None) -> None:
    body = {"bot": [str(fluent.pk)] * 2, "temperature": ["0.5", "1.2"], "count": "1", "max_characters": "60"}
    page = signed_in(alice).post("/compare/", {**body, "about": "dogs"}).content.decode()
    assert [each.sampling["about"] for each in Generation.objects.all()] == ["dogs", "dogs"]
    assert 'name="about" id="id_about" maxlength="200" value="dogs"' in page


def test_an_instant_bot_takes_topics(alice: User, fluent: TrainedModel, writer: None) -> None:
    bot = made(instant.make(owner=alice, corpus=import_posts(alice)))
    asked = {"n": 2, "seed": 4, "max_characters": 60}
    posts = [
        Program(alice).post(f"/models/{bot.pk}/generate", {**asked, "about": about}).json()["posts"]
        for about in ("", "dogs")
    ]
    assert posts[0] != posts[1]


def test_a_quick_bot_says_that_it_takes_none(alice: User, base: TrainedModel, fluent: TrainedModel) -> None:
    require_error(Program(alice).post(f"/models/{base.pk}/generate", {"about": "dogs"}), 422, "bad_sampling", "about")
    client = signed_in(alice)
    page = client.get(f"/models/{base.pk}/").content.decode()
    assert 'name="about"' not in page and "Fluent bots can be told what to write about; quick ones can’t." in page
    assert 'name="about"' in client.get(f"/models/{fluent.pk}/").content.decode()
    # Without JavaScript, neither column of a comparison writes.
    body = {"bot": [str(fluent.pk), str(base.pk)], "temperature": ["", ""], "about": "dogs"}
    answer = client.post("/compare/", body)
    assert answer.status_code == 400 and "Quick bots can’t be told a topic." in answer.content.decode()
    assert not Generation.objects.exists()
    with pytest.raises(CommandError, match="Quick bots can’t be told a topic"):
        call_command("generate", str(base.pk), "--about", "dogs")


def test_the_owner_gets_suggestions_of_what_the_posts_are_often_about(
    alice: User, bob: User, fluent: TrainedModel
) -> None:
    bot = made(instant.make(owner=alice, corpus=import_posts(alice)))
    assert bot.corpus is not None
    TrainedModel.objects.filter(pk=bot.pk).update(topics=["kettle", "today", "garden", "cursed", "sleep"])
    HouseRules.objects.update_or_create(pk=HouseRules.THE_ROW, defaults={"banned_phrases": "cursed"})
    bot = TrainedModel.objects.get(pk=bot.pk)
    assert topics.usual_topics_for_user(alice, bot) == ["kettle", "garden", "sleep"]
    chip = '<button class="chip" type="submit" name="about" value="kettle" data-chip="id_about">kettle</button>'
    assert chip in signed_in(alice).get(f"/models/{bot.pk}/").content.decode()
    TrainedModel.objects.filter(pk=bot.pk).update(visibility=TrainedModel.Visibility.PUBLIC)
    assert topics.usual_topics_for_user(bob, bot) == topics.usual_topics_for_user(None, bot) == []
    page = signed_in(bob).get(f"/gallery/{bot.pk}/").content.decode()
    assert 'name="about"' in page and "kettle</button>" not in page
