"""The example: enough different posts of one invented person, there after one click."""

from __future__ import annotations

import pytest

from botfactory.accounts.models import User
from botfactory.jobs.states import State
from models_app.bots.rows import TrainedModel
from tests.conftest import signed_in
from tests.tweets.helpers import run
from tweets.corpora import summary
from tweets.importing import demo
from tweets.models import Corpus
from tweets.sources.demo import POSTS


def test_it_has_enough_posts_of_the_usual_length_and_none_twice() -> None:
    posts = POSTS.read_text(encoding="utf-8").splitlines()
    assert 400 <= len(posts) <= 500
    assert len({post.casefold() for post in posts}) == len(posts)
    assert [post for post in posts if not 40 <= len(post) <= 200] == []
    assert [post for post in posts if post != post.strip() or "@" in post or "http" in post] == []


@pytest.mark.django_db(transaction=True)
def test_every_post_is_kept_and_it_is_enough(alice: User) -> None:
    job, corpus = run(demo.import_demo(owner=alice))
    assert job.state == State.SUCCEEDED, job.error_message
    assert (corpus.name, corpus.source, corpus.dropped) == ("Mrs. Kettle", "demo", {})
    assert corpus.posts_kept == len(POSTS.read_text(encoding="utf-8").splitlines())
    assert summary.report(corpus).verdict == "enough"


@pytest.mark.django_db(transaction=True)
def test_one_click_imports_it_and_a_second_one_opens_it(alice: User) -> None:
    page = signed_in(alice)
    answer = page.post("/corpora/demo")
    corpus = Corpus.objects.get(owner=alice)
    assert answer.status_code == 302 and answer["Location"].startswith("/jobs/")
    assert page.post("/corpora/demo")["Location"] == corpus.get_absolute_url()
    Corpus.objects.update(state=Corpus.State.FAILED)
    assert page.post("/corpora/demo")["Location"].startswith("/jobs/")


@pytest.mark.django_db(transaction=True)
def test_it_is_labelled_as_invented(alice: User) -> None:
    _, corpus = run(demo.import_demo(owner=alice))
    shown = signed_in(alice).get(corpus.get_absolute_url()).content.decode()
    assert "An example: posts of an invented person" in shown
    assert TrainedModel(owner=alice, corpus=corpus).parody_label == "Written by a model. The person is invented."
