from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import bases
from models_app.bots import pretrained
from models_app.ml import checkpoint
from models_app.ml.networks.llama.gguf_file import read_gguf
from models_app.ml.networks.llama.pretrained import PretrainedError
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.networks.llama.weights import first_adapter
from tests.ml.networks.llama.conftest import TINY, made_frozen
from tests.ml.networks.llama.files import made_config, made_tokenizer, write_gguf
from tests.ml.networks.llama.test_files import VOCABULARY

pytestmark = pytest.mark.long


def test_a_fresh_clone_unpacks_the_pretrained_model_of_a_fluent_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = made_config(VOCABULARY, TINY)
    file = write_gguf(tmp_path / "tiny.gguf", config, made_frozen(config), made_tokenizer(300))
    network = read_gguf(file).config
    checkpoint.save(tmp_path / "base", network=network, weights=first_adapter(network, 1), meta={}, half=True)
    earlier = LIBRARY.keep_in(None)
    try:
        with pytest.raises(PretrainedError, match="add_base"):
            bases.loaded(tmp_path / "base", tmp_path / "pretrained")
        monkeypatch.setattr(pretrained, "packaged_file", lambda: file)
        assert bases.loaded(tmp_path / "base", tmp_path / "pretrained").network == network
        found = LIBRARY.get(network.pretrained).weights["norm"]
    finally:
        LIBRARY.keep_in(earlier)
    np.testing.assert_array_equal(found, made_frozen(config)["norm"])
