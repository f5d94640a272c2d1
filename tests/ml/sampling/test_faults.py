from __future__ import annotations

import pytest

from models_app.ml.sampling.faults import FAULTS, best_first, fault_of

FAULTY = {
    "repost": ["RT this if you agree with me", "RT: my cat is the best"],
    "halfway": [
        "Today I went to the",
        "My favourite things are:",
        "Here is the new video by @",
        "I have one thing to say –",
        "We saw it all, and",
    ],
    "open": [
        'She said "I will never leave',
        "She said “I will never leave",
        "My cat (the old one is asleep",
        "The news [from today are good",
    ],
    "short": ["", "Hello you", "So good! https://example.org/cats", "😀 😀 😀 😀"],
    "repeats": [
        "I love my cat so much that I love my cat",
        "to be to be or not",
        "we are back we are back again",
        "What a great day. My cat sleeps. What a great day.",
    ],
}
SOUND = [
    "I went to town today and bought a hat.",
    "Good morning to all of you :)",
    "So that is how it ends :-( and I am sad",
    "My plans: 1) sleep 2) eat 3) repeat",
    "a) yes of course b) never in my life",
    'The screen has 15" and is far too small',
    'She said "I will never leave" and left',
    "My cat (the old one) is asleep",
    "This is very very good",
    "No no no no, that is not what I meant",
    "What a day. It was such a day, my friends.",
    "It is what it is - I am here",
    "This is what I believe in",
]


@pytest.mark.parametrize(("fault", "post"), [(fault, post) for fault, posts in FAULTY.items() for post in posts])
def test_a_reader_notices_this_fault(fault: str, post: str) -> None:
    assert FAULTS[fault](post) and fault_of(post) is not None


@pytest.mark.parametrize("post", SOUND)
def test_these_posts_have_none(post: str) -> None:
    assert fault_of(post) is None


def test_each_fault_has_examples() -> None:
    assert set(FAULTY) == set(FAULTS)


def test_whoever_shows_some_posts_shows_those_without_faults_that_begin_differently() -> None:
    good, alike, other = "I ran all the way home.", "I ran out of tea again.", "The kettle sings today."
    faulty = "Today I want to say:"
    assert fault_of(faulty) and not any(map(fault_of, (good, alike, other)))
    assert best_first([faulty, good, alike, other]) == [good, other, alike, faulty]
    assert best_first([]) == []
