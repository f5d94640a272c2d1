from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models_app.ml.sampling.overlap import in_order, longest_run

texts = st.lists(st.sampled_from("abc"), max_size=12)


def places(post: list[str], text: list[str]) -> list[list[int]]:
    return [[place for place, word in enumerate(text) if word == wanted] for wanted in post]


def longest_run_by_trying(post: list[str], text: list[str]) -> int:
    runs = {tuple(text[start:end]) for start in range(len(text)) for end in range(start + 1, len(text) + 1)}
    of_post = [tuple(post[start:end]) for start in range(len(post)) for end in range(start + 1, len(post) + 1)]
    return max((len(run) for run in of_post if run in runs), default=0)


def in_order_by_table(post: list[str], text: list[str]) -> int:
    """The longest common subsequence as in textbooks."""
    table = [[0] * (len(text) + 1) for _ in range(len(post) + 1)]
    for row, ours in enumerate(post):
        for column, theirs in enumerate(text):
            better = max(table[row][column + 1], table[row + 1][column])
            table[row + 1][column + 1] = table[row][column] + 1 if ours == theirs else better
    return table[-1][-1]


@given(post=texts, text=texts)
def test_both_measures_equal_those_of_the_plain_way(post: list[str], text: list[str]) -> None:
    assert longest_run(places(post, text)) == longest_run_by_trying(post, text)
    assert in_order(places(post, text), len(text)) == in_order_by_table(post, text)


def test_more_words_than_a_machine_word_has_bits_are_counted_too() -> None:
    text = [str(number) for number in range(300)]
    post = [*text[:100], "else", *text[150:]]
    assert in_order(places(post, text), 300) == 250
    assert longest_run(places(post, text)) == 150
