"""The setting for how matrices are multiplied. Without TensorFlow, which `mixed_matmul` imports."""

from __future__ import annotations

PRODUCTS_VARIABLE = "BOTFACTORY_ML_PRODUCTS"
