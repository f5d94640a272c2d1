"""Gradients of what is element by element, each in one pass over memory. Imports TensorFlow."""

from __future__ import annotations

import tensorflow as tf

from .products import Tensor


def sigmoid_gradient(sigmoid: Tensor, upstream: Tensor) -> Tensor:
    """Returns upstream * sigmoid * (1 - sigmoid), of any shape."""
    return tf.raw_ops.SigmoidGrad(y=sigmoid, dy=upstream)


def tanh_gradient(tanh: Tensor, upstream: Tensor) -> Tensor:
    """Returns upstream * (1 - tanh**2), of any shape."""
    return tf.raw_ops.TanhGrad(y=tanh, dy=upstream)
