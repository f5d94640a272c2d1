"""How many symbols a step of a training may read: more would need more memory than most machines have."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _

from botfactory.words.translation import grouped

#: The most symbols in a step of a training: batch size times sequence length. A quarter of this needs 1.9 GB with the
#: shipped quick base.
MAX_SYMBOLS: Final = 2**16
#: The same for the adapter of a pretrained model. A quarter of this needs 4 GB with SmolLM2 (docs/fluent.md).
MAX_ADAPTER_SYMBOLS: Final = 2**13


def trouble(*, is_adapter: bool, batch_size: int, sequence_length: int) -> str:
    """Return why a step of this size is too large, or "" if it isn't."""
    symbols, most = batch_size * sequence_length, MAX_ADAPTER_SYMBOLS if is_adapter else MAX_SYMBOLS
    if symbols <= most:
        return ""
    message = _(
        "%(batch)s × %(length)s are %(symbols)s symbols in a step, which would need too much memory. The batch "
        "size times the sequence length can be at most %(most)s."
    )
    numbers = {"batch": batch_size, "length": sequence_length, "symbols": symbols, "most": most}
    return message % {name: grouped(number) for name, number in numbers.items()}
