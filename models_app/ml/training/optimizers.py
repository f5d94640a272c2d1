"""The optimizers by name: Keras' own with their slow parts made faster. Imports TensorFlow."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from models_app.ml.errors import BadSetting, mark
from models_app.ml.networks.mixed_matmul import Tensor


def optimizer(name: str, *, beta_2: float, clip_norm: float, products: str) -> Any:
    """Return the optimizer; assign its learning rate before each step. Raises BadSetting for an unknown name.

    "adam": Kingma and Ba 2015, arXiv:1412.6980. "muon": orthogonalized steps for weight matrices, Adam for all other
    weights (Jordan et al. 2024; scaled as in Liu et al. 2025, arXiv:2502.16982, so that one learning rate works for
    both). The products of the orthogonalization have the dtype `products`.
    """
    if name == "adam":
        return FastAdam(0.001, beta_2=beta_2, global_clipnorm=clip_norm)
    if name == "muon":
        return FastMuon(
            0.001,
            products=products,
            adam_beta_2=beta_2,
            global_clipnorm=clip_norm,
            weight_decay=None,
            adam_weight_decay=None,
            exclude_layers=["output_kernel"],
        )
    raise BadSetting(mark("There’s no optimizer %(name)s. Choose adam or muon."), name=repr(name))


class FastAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Keras' Adam with one pass over memory per weight and step."""

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """Apply one Adam step to the variable, its momentum and its velocity in place."""
        index = self._get_variable_index(variable)
        slots = self._momentums[index], self._velocities[index]
        _adam_step(gradient, variable, *slots, learning_rate, self.iterations, self.beta_1, self.beta_2, self.epsilon)


class FastMuon(keras.optimizers.Muon):  # type: ignore[misc]
    """Keras' Muon, iterating in the dtype that this machine multiplies fastest, with Adam's step in one pass."""

    def __init__(self, learning_rate: float, *, products: str, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self._products = products

    def zeropower_via_newtonschulz5(self, x: Tensor, steps: int) -> Tensor:
        """Return an approximation of the nearest matrix with orthonormal rows or columns, as float32."""
        tall = x.shape[0] > x.shape[1]
        x = tf.transpose(x) if tall else x
        x = tf.cast(x / (tf.norm(x) + 1e-7), self._products)
        for _ in range(steps):
            square = tf.matmul(x, x, transpose_b=True)
            x = self.muon_a * x + tf.matmul(self.muon_b * square + self.muon_c * tf.matmul(square, square), x)
        x = tf.cast(x, tf.float32)
        return tf.transpose(x) if tall else x

    def _adamw_update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor, m: Any, v: Any) -> None:
        betas = self.adam_beta_1, self.adam_beta_2
        _adam_step(gradient, variable, m, v, learning_rate, self.iterations, *betas, self.epsilon)


def _adam_step(
    gradient: Tensor,
    variable: Any,
    momentum: Any,
    velocity: Any,
    learning_rate: Tensor,
    iterations: Any,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> None:
    """Apply one Adam step in place, in the order at the end of section 2 of Kingma and Ba 2015."""
    count = tf.cast(iterations + 1, tf.float32)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=momentum.handle,
        v=velocity.handle,
        beta1_power=tf.pow(beta_1, count),
        beta2_power=tf.pow(beta_2, count),
        lr=learning_rate,
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=gradient,
    )
