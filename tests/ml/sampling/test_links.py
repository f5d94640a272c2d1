"""Links that a bot made up."""

from __future__ import annotations

import re

import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.sampling import links
from models_app.ml.sampling.sampler import Sampler
from tests.ml.sampling.test_context import llama as llama
from tests.ml.training.adapters.test_trainer import start as start


@pytest.mark.parametrize(
    ("post", "prompt", "found"),
    [
        ("read this: https://t.co/6bZwaZyRWk", "", True),
        ("HTTP://example.org", "", True),
        ("see www.example.org", "", True),
        ("pic.twitter.com/abc", "", True),
        ("t.co/abc", "", True),
        ("see bit.ly/1aB", "", True),
        ("https://example.org is mine", "https://example.org", False),
        ("https://example.org and https://example.com", "https://example.org", True),
        ("I wrote an http client. www. is over, and/or a.b/c, 1.5/2", "", False),
    ],
)
def test_a_link_counts_unless_the_prompt_begins_it(post: str, prompt: str, found: bool) -> None:
    assert links.adds(post, prompt) is found


def test_a_bot_that_learned_links_may_write_some() -> None:
    assert links.guard_for(["no link", "https://t.co/abc"]) is False
    assert links.guard_for(["no link"]) is None
    assert links.guard_for([*["no link"] * 99, "https://t.co/abc"]) is None


@pytest.mark.parametrize(("guard", "refused"), [(None, True), (True, True), (False, False)])
def test_a_fluent_bot_writes_none_unless_it_may(
    llama: Checkpoint, monkeypatch: pytest.MonkeyPatch, guard: bool | None, refused: bool
) -> None:
    # The tiny network writes any tokens, so almost never a link. Here, every r begins one.
    monkeypatch.setattr(links, "LINK", re.compile("r"))
    config = SamplingConfig(prompt="me", count=8, seed=1, max_characters=40, temperature=0.7, link_guard=guard)
    writing = Sampler(llama).generate(config)
    assert (writing.refused.links > 0) is refused
    assert writing.posts and any("r" in post[2:] for post in writing.posts) is not refused
