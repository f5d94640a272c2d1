"""The architecture of a Llama or of a model like it, and of the adapter trained for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from models_app.ml.config import Values, number, whole
from models_app.ml.errors import BadSetting, mark

#: Rank of the adapter's matrices, and the factor of its products (LoRA's alpha / rank, Hu et al. 2021).
DEFAULT_RANK, DEFAULT_SCALE = 16, 2.0
#: ONNX Runtime turns the positions only of heads whose size is a multiple of this.
HEAD_STEP: Final = 16
#: What publishers call the architectures that this class describes.
LLAMA, QWEN3, GRANITE, GRANITE_4 = "llama", "qwen3", "granite", "granitemoehybrid"
ARCHITECTURES: Final = (LLAMA, QWEN3, GRANITE, GRANITE_4)
_SHA256: Final = re.compile("[0-9a-f]{64}")
#: What other architectures have and a Llama lacks.
_EXTRAS: Final[dict[str, Any]] = {
    "architecture": LLAMA,
    "qk_norm": False,
    "embedding_multiplier": 1.0,
    "attention_multiplier": 0.0,
    "residual_multiplier": 1.0,
    "logits_scaling": 1.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaConfig(Values):
    """A decoder-only transformer of the Llama family (Touvron et al. 2023, arXiv:2302.13971) with an adapter.

    vocabulary: name of its BPE;
    pretrained: sha256 of the file with the frozen weights; width: of the residual stream; heads and kv_heads: query
    heads, and the key/value heads that groups of them share (Ainslie et al. 2023, arXiv:2305.13245); hidden: width of
    the feed-forward layer; tied: whether input and output embeddings are the same; rank and scale: of the adapter, rank
    0 for none.

    Two other families differ little, and these values say how: architecture: their publisher's name, which says how
    files name the weights; qk_norm: whether each query and key is normed before its position turns it (Qwen3, Yang et
    al. 2025, arXiv:2505.09388); and the constants of Granite: embedding_multiplier of the embedded symbols;
    attention_multiplier of the scores, 0 for 1 / sqrt(head_size); residual_multiplier of what each half of a layer adds
    to the residual stream; logits_scaling, which divides the logits.
    """

    kind: Literal["llama"] = "llama"
    vocabulary: str
    pretrained: str
    symbols: int
    end: int
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    hidden: int
    norm_epsilon: float = 1e-5
    tied: bool = True
    rank: int = DEFAULT_RANK
    scale: float = DEFAULT_SCALE
    architecture: str = LLAMA
    qk_norm: bool = False
    embedding_multiplier: float = 1.0
    attention_multiplier: float = 0.0
    residual_multiplier: float = 1.0
    logits_scaling: float = 1.0

    def __post_init__(self) -> None:
        if self.kind != "llama" or not str(self.vocabulary).startswith("bpe-"):
            raise BadSetting(
                mark("This isn’t a Llama with a BPE vocabulary: %(kind)s, %(vocabulary)s."),
                kind=repr(self.kind),
                vocabulary=repr(self.vocabulary),
            )
        if not isinstance(self.pretrained, str) or not _SHA256.fullmatch(self.pretrained):
            raise BadSetting(
                mark("%(name)s must be a sha256 in hexadecimal, not %(value)s."),
                name="pretrained",
                value=repr(self.pretrained),
            )
        whole("symbols", self.symbols, 257, 2**20)
        whole("end", self.end, 0, self.symbols - 1)
        whole("layers", self.layers, 1, 200)
        whole("width", self.width, 2, 2**15)
        whole("heads", self.heads, 1, 256)
        whole("kv_heads", self.kv_heads, 1, self.heads)
        whole("head_size", self.head_size, 2, 512)
        whole("hidden", self.hidden, 1, 2**17)
        whole("rank", self.rank, 0, 256)
        number("norm_epsilon", self.norm_epsilon, 0, 0.1)
        number("scale", self.scale, 0, 64)
        if self.architecture not in ARCHITECTURES or not isinstance(self.qk_norm, bool):
            raise BadSetting(
                mark("The architecture %(architecture)s isn’t supported. Known are: %(known)s."),
                architecture=repr(self.architecture),
                known=", ".join(ARCHITECTURES),
            )
        number("attention_multiplier", self.attention_multiplier, 0, 1000)
        for name in ("embedding_multiplier", "residual_multiplier", "logits_scaling"):
            number(name, getattr(self, name), 0, 1000, above=True)
        if self.heads % self.kv_heads or self.head_size % HEAD_STEP:
            raise BadSetting(
                mark("%(heads)s must be a multiple of %(groups)s, and %(size)s a multiple of %(step)s."),
                heads="heads",
                groups="kv_heads",
                size="head_size",
                step=HEAD_STEP,
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values. A Llama has no others than in earlier versions, which can read it."""
        values = Values.as_dict(self)
        return {name: value for name, value in values.items() if name not in _EXTRAS or value != _EXTRAS[name]}

    @property
    def attention_scale(self) -> float:
        """The factor of the products of queries and keys."""
        return self.attention_multiplier or self.head_size**-0.5

    @property
    def parameters(self) -> int:
        """The number of frozen weights."""
        attention = self.width * self.head_size * 2 * (self.heads + self.kv_heads)
        each = attention + 3 * self.width * self.hidden + 2 * self.width + 2 * self.head_size * self.qk_norm
        return self.layers * each + self.width + self.symbols * self.width * (1 if self.tied else 2)
