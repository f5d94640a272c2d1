"""The networks: each as NumPy writes with it and as TensorFlow trains it. `registry` knows them all."""

from __future__ import annotations
