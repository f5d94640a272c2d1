from __future__ import annotations

import pytest

from botfactory.accounts import notifications, tokens
from botfactory.accounts.models import User
from botfactory.webhooks import services as webhooks
from models_app.bots.rows import TrainedModel
from models_app.writing.keeping import services as keeping
from models_app.writing.playing.rows import Game
from models_app.writing.rows import Generation
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.models_app.conftest import untrained
from tweets.corpora import posts
from tweets.models import Corpus

HOOK = "https://hooks.example.org/services/T000/a-secret-part"


@pytest.fixture
def bot(alice: User, corpus: Corpus, base: TrainedModel) -> TrainedModel:
    """A bot of alice, with posts that it wrote and posts that she kept, and a corpus with a post taken out."""
    posts.take_out(corpus, corpus.posts.filter(pk=corpus.posts.filter(dropped="").order_by("pk")[3].pk))
    model = untrained(corpus, base)
    written = Generation.objects.create(
        model=model, owner=alice, posts=["One post.", "Another 🙂 post."], sampling={"count": 2}, seconds=0.5
    )
    keeping.keep(generation=written, number=0)
    keeping.keep(generation=written, number=1, text="Another post, edited.")
    items = [{"bot": f"Post {number}."} for number in range(10)]
    Game.objects.create(model=model, player=alice, items=items, answers=[True, False] * 5, right=5)
    Game.objects.create(model=model, player=alice, items=items, answers=[False] * 9 + [True], right=9)
    Game.objects.create(model=model, player=alice, items=items, answers=[True, False])
    notifications.choose(alice, training_succeeded=False, training_failed=True, language="de", site="http://old/")
    return model


@pytest.fixture
def secrets(alice: User, bot: TrainedModel) -> list[str]:
    """What must not be in the ZIP of alice."""
    token = tokens.create_token(owner=alice, name="a program")
    hook = webhooks.create(owner=alice, url=HOOK, events=["job.failed"])
    link = "z" * 43
    TrainedModel.objects.filter(pk=bot.pk).update(visibility="unlisted", link=link)
    row = hook.webhook
    stored = [token.token.digest, token.token.prefix, row.salt, row.secret_check, alice.password]
    return [token.text, hook.secret, "a-secret-part", link, *stored]
