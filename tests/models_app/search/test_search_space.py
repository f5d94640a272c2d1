"""Spaces: as JSON or TOML, with an error for each mistake."""

from __future__ import annotations

from typing import Any

import pytest

from models_app.search import space as spaces
from models_app.search.space import BadSpace, Choices, Range

KINDS: dict[str, type] = {"learning_rate": float, "epochs": int, "optimizer": str}


def fine(name: str, value: Any) -> None:
    """Accept each value."""


def test_toml_and_json_say_the_same() -> None:
    toml = '[learning_rate]\nlow = 0.001\nhigh = 0.1\nlog = true\n[optimizer]\nchoices = ["adam", "muon"]\n'
    json = '{"learning_rate": {"low": 0.001, "high": 0.1, "log": true}, "optimizer": {"choices": ["adam", "muon"]}}'
    assert spaces.read(toml) == spaces.read(json)
    space = spaces.parsed(spaces.read(toml), KINDS, fine)
    assert space == {
        "learning_rate": Range(0.001, 0.1, is_whole=False, is_log=True),
        "optimizer": Choices(("adam", "muon")),
    }
    assert spaces.stored(spaces.as_json(space)) == space


def test_the_last_value_of_a_range_with_steps_is_one_that_can_be_drawn() -> None:
    space = spaces.parsed({"epochs": {"low": 1, "high": 10, "step": 4}}, KINDS, fine)
    assert space["epochs"] == Range(1, 9, is_whole=True, step=4)


def test_numbers_keep_their_type() -> None:
    space = spaces.parsed({"learning_rate": {"low": 0, "high": 1}, "epochs": {"choices": [1, 2]}}, KINDS, fine)
    stored = spaces.stored(spaces.as_json(space))
    assert stored["learning_rate"] == Range(0.0, 1.0, is_whole=False)
    assert stored["epochs"].middle() == 1.5


@pytest.mark.parametrize("text", ["learning_rate", "{", '["a"]', "a = [[", '{"a": ' * 100_000])
def test_what_is_no_space_is_told(text: str) -> None:
    with pytest.raises(BadSpace, match=r"neither JSON nor TOML|nested too deeply|low and high"):
        spaces.parsed(spaces.read(text), {"a": int}, fine)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("epochs", 1),
        ("[epochs]\nlow = 1\nhigh == 2\n", 3),
        ("[epochs]\nchoices = [1,\n2\n\n", 3),
        ('{"epochs": {"low": 1,\n "high" 2}}', 2),
        ('{"epochs": {\n"low": 1,\n', 3),
    ],
)
def test_the_line_of_a_mistake_is_named_without_the_words_of_a_library(text: str, line: int) -> None:
    with pytest.raises(BadSpace, match=f"neither JSON nor TOML: look at line {line}\\. Write"):
        spaces.read(text)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (3, "write a range"),
        ({}, "write a range"),
        ({"low": 1}, "high is missing"),
        ({"low": 1, "high": 2, "mean": 3}, "there is no mean"),
        ({"low": 1, "high": 2, "choices": [1]}, "either choices, or low and high"),
        ({"low": 1.5, "high": 2}, "1.5 isn’t a whole number"),
        ({"low": True, "high": 2}, "True isn’t a number"),
        ({"low": "1", "high": 2}, "isn’t a number"),
        ({"low": 3, "high": 2}, "low is above high"),
        ({"low": 0, "high": 2, "log": True}, "above 0 on a log scale"),
        ({"low": 1, "high": 2, "log": 1}, "log must be true or false"),
        ({"low": 1, "high": 2, "step": 0}, "step must be above 0"),
        ({"low": 1, "high": 2, "step": 1, "log": True}, "can’t be combined"),
        ({"choices": []}, "a list of 1 to 30"),
        ({"choices": "ab"}, "a list of 1 to 30"),
        ({"choices": [1, 1]}, "only once"),
        ({"choices": [float("inf")]}, "isn’t a number"),
        ({"choices": [[1]]}, "isn’t a number"),
    ],
)
def test_each_mistake_in_a_setting_is_told(values: Any, sentence: str) -> None:
    with pytest.raises(BadSpace, match=f"^epochs: .*{sentence}"):
        spaces.parsed({"epochs": values}, KINDS, fine)


def test_words_are_chosen_from_a_list() -> None:
    with pytest.raises(BadSpace, match="its values are words"):
        spaces.parsed({"optimizer": {"low": 1, "high": 2}}, KINDS, fine)
    with pytest.raises(BadSpace, match="isn’t a word"):
        spaces.parsed({"optimizer": {"choices": [1]}}, KINDS, fine)


def test_a_space_has_few_settings_and_one_at_least() -> None:
    many: dict[str, type] = {f"s{number}": int for number in range(30)}
    with pytest.raises(BadSpace, match="at most 20"):
        spaces.parsed({name: {"choices": [1]} for name in many}, many, fine)
    with pytest.raises(BadSpace, match="empty"):
        spaces.parsed({}, many, fine)
    with pytest.raises(BadSpace, match="no space huge"):
        spaces.shipped("huge")
