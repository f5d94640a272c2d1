"""`/v1` as programs use it: OpenAI's own client against the served product."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from django.db import connections

from botfactory.accounts import tokens
from botfactory.accounts.models import HouseRules, PersonalLimits, User
from models_app.bots.rows import TrainedModel
from models_app.writing.rows import Generation
from tests.edge.serving import served
from tests.models_app.conftest import untrained
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)
#: An untrained bot seldom ends a post, so it may write long ones.
ASKED: dict[str, Any] = {"prompt": "I love", "n": 2, "seed": 3, "max_tokens": 100, "temperature": 1.0}


@pytest.fixture
def model(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    return untrained(corpus, base)


@pytest.fixture
def port() -> Iterator[int]:
    from botfactory.asgi import application

    with served(application) as port:
        yield port
    connections.close_all()


def client(port: int, owner: User | None, *scopes: str) -> openai.OpenAI:
    key = tokens.create_token(owner=owner, name="openai", scopes=scopes or ("read", "write")).text if owner else "no"
    return openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0)


def test_a_program_finds_its_bots_and_lets_them_write(port: int, alice: User, model: TrainedModel) -> None:
    program = client(port, alice)
    listed = program.models.list().data
    assert [(each.id, each.owned_by) for each in listed] == [(str(model.pk), "alice")]
    assert program.models.retrieve(model.name).id == str(model.pk)
    first = program.completions.create(model=str(model.pk), **ASKED)
    again = program.completions.create(model=model.name, **ASKED)
    texts = [choice.text for choice in first.choices]
    assert texts == [choice.text for choice in again.choices] and len(texts) == 2
    assert first.model_extra is not None and first.model_extra["ai_generated"] is True
    assert first.model_extra["label"] == model.parody_label and first.model == str(model.pk)
    kept = Generation.objects.filter(owner=alice).first()
    assert kept is not None and kept.posts == [f"I love{text}" for text in texts]
    assert all(len(post) <= len("I love") + 400 for post in kept.posts)
    assert first.usage is not None and first.usage.prompt_tokens == 2
    assert first.usage.total_tokens == 2 + sum(-(-len(text) // 4) for text in texts)
    echoed = program.completions.create(model=model.name, echo=True, stop=texts[0][1:4], **ASKED)
    assert echoed.choices[0].text == f"I love{texts[0].partition(texts[0][1:4])[0]}"


def test_what_programs_send_although_it_changes_nothing_changes_nothing(
    port: int, alice: User, model: TrainedModel
) -> None:
    TrainedModel.objects.filter(pk=model.pk).update(name="me/bot")
    program = client(port, alice)
    assert program.models.retrieve("me/bot").id == str(model.pk)
    plain = program.completions.create(model="me/bot", **ASKED | {"seed": 2**32 - 3})
    more: dict[str, Any] = {"best_of": 2, "seed": -3, "stop": [], "suffix": "", "logprobs": 0}
    again = program.completions.create(model="me/bot", **ASKED | more)
    assert [each.text for each in again.choices] == [each.text for each in plain.choices]
    options: Any = {"include_obfuscation": False}
    pieces = program.completions.create(model="me/bot", stream=True, stream_options=options, **ASKED | more)
    assert sorted(each.text for piece in pieces for each in piece.choices) == sorted(c.text for c in plain.choices)


def test_without_temperature_all_choices_are_the_same_post(port: int, alice: User, model: TrainedModel) -> None:
    program, asked = client(port, alice), ASKED | {"temperature": 0, "max_tokens": 900, "n": 3}
    whole = program.completions.create(model=model.name, **asked)
    assert [each.index for each in whole.choices] == [0, 1, 2] and len({each.text for each in whole.choices}) == 1
    pieces = program.completions.create(model=model.name, stream=True, **asked)
    assert [choice for piece in pieces for choice in piece.choices] == whole.choices


def test_a_stream_has_the_same_posts(port: int, alice: User, model: TrainedModel) -> None:
    program = client(port, alice)
    whole = program.completions.create(model=model.name, **ASKED)
    usage: Any = {"include_usage": True}
    pieces = list(program.completions.create(model=model.name, stream=True, stream_options=usage, **ASKED))
    *posts, last = pieces
    streamed = {piece.choices[0].index: piece.choices[0].text for piece in posts}
    assert streamed == {choice.index: choice.text for choice in whole.choices}
    assert all((piece.model_extra or {})["ai_generated"] is True for piece in pieces)
    assert last.choices == [] and last.usage == whole.usage


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"frequency_penalty": 1}, "frequency_penalty"),
        ({"best_of": 3}, "best_of"),
        ({"model": ""}, "model"),
        ({"stop": list("abcde")}, "stop"),
        ({"stop": ["a", ""]}, "stop.1"),
        ({"stop": 5}, "stop"),
        ({"seed": "x"}, "seed"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"stream_options": {"include_everything": True}}, "stream_options.include_everything"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": "x" * 281}, "prompt"),
        ({"n": 0}, "n"),
        ({"max_tokens": 1001}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"prompt": "my forbidden kettle"}, "prompt"),
        ({"n": 100, "max_tokens": 1000}, "n"),
    ],
)
def test_what_it_cannot_do_is_refused(
    port: int, alice: User, model: TrainedModel, wrong: dict[str, Any], param: str
) -> None:
    HouseRules.objects.update_or_create(pk=HouseRules.THE_ROW, defaults={"banned_phrases": "kettle"})
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as refused:
            client(port, alice).completions.create(**{"model": model.name, **ASKED, **wrong}, stream=stream)
        body: Any = refused.value.body
        assert (body["param"], body["type"]) == (param, "invalid_request_error") and len(body["message"]) > 10
    assert not Generation.objects.exists()


def test_only_its_owner_with_the_right_token_gets_in(
    port: int, alice: User, bob: User, model: TrainedModel, base: TrainedModel
) -> None:
    missing = []
    for name in (str(model.pk), model.name, str(base.pk), str(uuid.uuid4())):
        with pytest.raises(openai.NotFoundError) as refused:
            client(port, bob).completions.create(model=name, prompt="I")
        body: Any = refused.value.body
        missing.append((body["code"], body["message"].replace(name, "")))
    assert len(set(missing)) == 1 and missing[0][0] == "model_not_found"
    assert client(port, bob).models.list().data == []
    with pytest.raises(openai.PermissionDeniedError):
        client(port, alice, "read").completions.create(model=model.name, prompt="I")
    with pytest.raises(openai.AuthenticationError):
        client(port, None).models.list()
    with pytest.raises(openai.NotFoundError, match="/v1/completions"):
        client(port, alice).chat.completions.create(model=model.name, messages=[])
    PersonalLimits.objects.create(user=alice, requests_a_minute=0)
    with pytest.raises(openai.RateLimitError):
        client(port, alice).models.list()
    assert not Generation.objects.exists()
