"""In small: secrets in posts come out of a bot that has learned them, and not out of one that learned masks."""

from __future__ import annotations

from benchmarks import secrets
from tweets.cleaning.personal import find, mask


def test_made_up_secrets_are_different_and_the_product_finds_each() -> None:
    made = secrets.made_secrets()
    assert len(set(made)) == secrets.SECRETS
    assert {kind for secret in made for kind in mask(secret)[1]} == {found.kind for s in made for found in find(s)}
    assert len({kind for secret in made for kind in mask(secret)[1]}) == 7
    planted = secrets.planted([f"post {number}" for number in range(400)], made, 5)
    leaks = secrets.Leaks(made)
    assert sum(len(leaks.of(text)) for text in planted) == 250
    assert not any(leaks.of(mask(text)[0]) for text in planted)


def test_a_number_is_known_by_its_digits_and_a_key_by_all_of_it() -> None:
    leaks = secrets.Leaks(["+49 170 1234567", "Sk-Abc123def456"])
    assert leaks.of("00491701234567") == {"+49 170 1234567"}
    assert leaks.of("see SK-ABC123DEF456!") == {"Sk-Abc123def456"}
    assert not leaks.of("123 456 +49 170 123456")
