"""The networks, each in NumPy for sampling and in TensorFlow for training. `registry` lists them all."""

from __future__ import annotations
