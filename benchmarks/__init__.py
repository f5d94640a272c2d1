"""Measurements of the product against others, each a ratio from one interleaved run (docs/benchmarks-log.md)."""

from __future__ import annotations

import os

# Before TensorFlow is imported anywhere: its notices would stand between the figures.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
