"""One corpus of several, by weights."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from botfactory.accounts.models import User
from botfactory.jobs.states import State
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.tweets.helpers import pasted, run
from tweets.cleaning import CleaningRules
from tweets.corpora import blend, deletion, learning, opt_out, services
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


@pytest.fixture
def town(alice: User) -> Corpus:
    return pasted(alice, ["@someone a reply about the town", *make_posts(90)])


@pytest.fixture
def tea(alice: User) -> Corpus:
    return pasted(alice, make_posts(30, seed=9), name="Tea")


def test_each_part_has_its_share_and_no_post_comes_twice(alice: User, town: Corpus, tea: Corpus) -> None:
    job, corpus = run(blend.blend(owner=alice, weights={town.pk: 2, tea.pk: 1}))
    assert job.state == State.SUCCEEDED, job.error_message
    assert (corpus.name, corpus.state, corpus.posts_found, corpus.posts_kept) == ("Town + Tea", "ready", 90, 90)
    posts = learning.training_posts(corpus)
    assert len(set(posts)) == 90
    assert set(learning.training_posts(tea)) <= set(posts)
    assert sum(post in set(learning.training_posts(town)) for post in posts) == 60


def test_the_same_parts_give_the_same_blend(alice: User, town: Corpus, tea: Corpus) -> None:
    weights = {tea.pk: 1, town.pk: 1}
    once, again = (run(blend.blend(owner=alice, weights=weights))[1] for _ in range(2))
    assert learning.training_posts(once) == learning.training_posts(again)
    town_posts = learning.training_posts(town)
    places = [town_posts.index(post) for post in learning.training_posts(once) if post in town_posts]
    assert places == list(range(0, 90, 3)), "spread evenly over the part"


@pytest.mark.parametrize(
    ("kept", "weights", "expected"),
    [
        ([100, 100], [1, 1], [100, 100]),
        ([1000, 10], [1, 1], [10, 10]),
        ([1000, 10], [99, 1], [990, 10]),
        ([3, 1000], [100, 1], [3, 1]),
        ([90, 30, 50], [3, 1, 1], [90, 30, 30]),
    ],
)
def test_the_smallest_part_limits_the_others(kept: list[int], weights: list[int], expected: list[int]) -> None:
    numbers = [uuid.uuid4() for _ in kept]
    found = blend.shares(dict(zip(numbers, kept, strict=True)), dict(zip(numbers, weights, strict=True)))
    assert [found[number] for number in numbers] == expected


@pytest.mark.parametrize(
    ("weights", "words"), [([1], "2 to 5 parts"), ([1, 0], "2 to 5 parts"), ([1] * 6, "2 to 5"), ([1, 101], "0 to 100")]
)
def test_what_is_no_blend_is_told(alice: User, weights: list[int], words: str) -> None:
    parts = [pasted(alice, make_posts(5, seed=number)) for number in range(len(weights))]
    with pytest.raises(blend.BadBlend, match=words):
        blend.blend(owner=alice, weights={part.pk: weight for part, weight in zip(parts, weights, strict=True)})
    assert not Corpus.objects.filter(source="blend").exists()


def test_somebody_elses_posts_and_blends_are_no_parts(alice: User, bob: User, town: Corpus, tea: Corpus) -> None:
    of_bob = pasted(bob, make_posts(5, seed=3))
    _, blended = run(blend.blend(owner=alice, weights={town.pk: 1, tea.pk: 1}))
    for other in (of_bob, blended):
        with pytest.raises(blend.BadBlend, match="deleted or not ready"):
            blend.blend(owner=alice, weights={town.pk: 1, other.pk: 1})


def test_a_part_deleted_meanwhile_fails_the_blend_with_a_sentence(alice: User, town: Corpus, tea: Corpus) -> None:
    job = blend.blend(owner=alice, weights={town.pk: 1, tea.pk: 1})
    deletion.delete_corpus(tea, by=alice)
    job, corpus = run(job)
    assert (job.state, corpus.state, corpus.posts.count()) == (State.FAILED, "failed", 0)
    assert "Tea has been deleted" in job.error_message


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("own", "own", "own"), ("own", "permission", "permission"), ("public", "permission", "public"), ("own", "", "")],
)
def test_the_weakest_basis_counts(
    alice: User, town: Corpus, tea: Corpus, first: str, second: str, expected: str
) -> None:
    Corpus.objects.filter(pk=town.pk).update(basis=first)
    Corpus.objects.filter(pk=tea.pk).update(basis=second)
    assert run(blend.blend(owner=alice, weights={town.pk: 1, tea.pk: 1}))[1].basis == expected


def test_an_opt_out_takes_blends_along_also_when_the_part_is_gone(
    alice: User, admin: User, town: Corpus, tea: Corpus
) -> None:
    Corpus.objects.filter(pk=tea.pk).update(source="bluesky", handle="tea.example.com")
    run(blend.blend(owner=alice, weights={town.pk: 1, tea.pk: 1}))
    deletion.delete_corpus(tea, by=alice)
    assert opt_out.losses("bluesky", "tea.example.com").corpora == 1
    opt_out.add(network="bluesky", handle="tea.example.com", by=admin)
    assert list(Corpus.objects.all()) == [town]


@pytest.fixture
def client(alice: User) -> Client:
    return signed_in(alice)


def test_the_page_blends_and_the_corpus_tells_of_what(client: Client, town: Corpus, tea: Corpus) -> None:
    sent: dict[str, Any] = {f"weight_{town.pk}": "2", f"weight_{tea.pk}": "1", "name": "Both"}
    answer = client.post("/corpora/blend", sent)
    assert answer.status_code == 302 and answer["Location"].startswith("/jobs/")
    corpus = Corpus.objects.get(source="blend")
    run(corpus.owner.jobs.get(subject_id=corpus.pk))
    page = client.get(f"/corpora/{corpus.pk}/").content.decode()
    assert "A blend of Town (60 posts), Tea (30 posts)" in page and corpus.name == "Both"


@pytest.mark.parametrize("weight", ["-1", "101", "x", ""])
def test_weights_that_make_no_sense_are_told(client: Client, town: Corpus, tea: Corpus, weight: str) -> None:
    answer = client.post("/corpora/blend", {f"weight_{town.pk}": weight, f"weight_{tea.pk}": "1"})
    assert answer.status_code == 400 and b"data-form-errors" in answer.content
    assert not Corpus.objects.filter(source="blend").exists()


def test_each_person_is_offered_their_own_posts(client: Client, town: Corpus, tea: Corpus, bob: User) -> None:
    assert str(town.pk) in client.get("/corpora/blend").content.decode()
    page = signed_in(bob).get("/corpora/blend").content.decode()
    assert str(town.pk) not in page and "need two collections" in page
    assert Client().get("/corpora/blend").status_code == 302


@pytest.mark.parametrize(("other_masks", "found"), [(False, "help@example.org"), (True, "[email]")])
def test_personal_data_that_all_parts_keep_stays(alice: User, other_masks: bool, found: str) -> None:
    texts = [f"write to help@example.org about {what}" for what in ("one cat", "two dogs", "three houses of cards")]
    company = run(services.reclean(pasted(alice, texts), CleaningRules(mask_personal=False)))[1]
    other = pasted(alice, make_posts(30, seed=1), name="Other")
    other = run(services.reclean(other, CleaningRules(mask_personal=other_masks)))[1]
    blended = run(blend.blend(owner=alice, weights={company.pk: 1, other.pk: 1}))[1]
    told = [text for text in blended.posts.values_list("cleaned", flat=True) if text.startswith("write to")]
    assert told and all(found in text for text in told)
