"""A vocabulary is learned when a training begins, and kept for when it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from models_app.ml.config import NETWORKS, NetworkConfig, size_to_learn, vocabulary_to_learn
from models_app.ml.errors import LearningError
from models_app.ml.training.tokens import with_vocabulary
from models_app.ml.vocabulary import vocabulary_of
from tests.fakes.posts import make_posts

UNLEARNED = NetworkConfig(kind="glr", embedding=4, units=8).of_tokens(vocabulary_to_learn(600))


def corpus_of(path: Path, seed: int) -> list[Path]:
    path.write_text("\n".join(make_posts(300, seed=seed)), encoding="utf-8")
    return [path]


def test_it_is_learned_from_the_corpus_and_taken_again_only_to_resume(tmp_path: Path) -> None:
    first, second = (corpus_of(tmp_path / f"{seed}.txt", seed) for seed in (1, 2))
    folder = tmp_path / "training"
    learned = with_vocabulary(UNLEARNED, first, folder, resume=True)
    assert isinstance(learned, NetworkConfig) and vocabulary_of(learned).size == 600
    assert learned.as_dict() == UNLEARNED.as_dict() | {"vocabulary": learned.vocabulary}
    assert with_vocabulary(UNLEARNED, second, folder, resume=True) == learned
    other = with_vocabulary(UNLEARNED, second, folder, resume=False)
    assert other != learned
    assert with_vocabulary(UNLEARNED, first, folder, resume=True) == other


@pytest.mark.parametrize("torn", ["", "{", "null", '{"model": {}}', "\ud800"])
def test_a_torn_file_is_learned_again(tmp_path: Path, torn: str) -> None:
    corpus, folder = corpus_of(tmp_path / "posts.txt", 1), tmp_path / "training"
    learned = with_vocabulary(UNLEARNED, corpus, folder, resume=True)
    [kept] = folder.iterdir()
    kept.write_bytes(torn.encode("utf-8", "surrogatepass"))
    assert with_vocabulary(UNLEARNED, corpus, folder, resume=True) == learned
    assert [path.name for path in folder.iterdir()] == [kept.name]


def test_other_networks_stay_as_they_are_and_a_missing_corpus_is_told(tmp_path: Path) -> None:
    learned = with_vocabulary(UNLEARNED, corpus_of(tmp_path / "posts.txt", 1), tmp_path, resume=False)
    for network in (*NETWORKS.values(), learned):
        assert with_vocabulary(network, [tmp_path / "none.txt"], tmp_path, resume=False) is network
        assert not size_to_learn(network.vocabulary)
    with pytest.raises(LearningError, match="does not exist"):
        with_vocabulary(UNLEARNED, [tmp_path / "none.txt"], tmp_path, resume=False)
