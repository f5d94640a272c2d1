"""Measurements of the product against others. Each is a ratio from one interleaved run (docs/benchmarks.md)."""

from __future__ import annotations

import os

# Set before anything imports TensorFlow, because its notices would appear between the figures.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
