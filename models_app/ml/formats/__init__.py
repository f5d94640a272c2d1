"""Networks in the formats of other libraries, written with NumPy: none of these libraries is needed to write them."""

from __future__ import annotations
