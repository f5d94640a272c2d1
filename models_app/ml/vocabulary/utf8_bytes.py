"""The vocabulary of the small networks: 256 bytes. 0xFF, which UTF-8 never uses, is the end mark."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .utf8 import utf8
from .vocabulary import Vocabulary

END: Final = 0xFF
SIZE: Final = 256


class Utf8Bytes(Vocabulary):
    """A symbol is a byte."""

    name = "utf8-bytes"
    end = END
    symbol_bytes = (*(bytes([byte]) for byte in range(END)), b"")

    def encode(self, post: str) -> NDArray[np.uint8]:
        return np.frombuffer(utf8(post), np.uint8)


UTF8_BYTES: Final = Utf8Bytes()
