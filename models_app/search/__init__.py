"""Hyperparameter search: many short trainings with different settings, so that one can take the best."""

from __future__ import annotations
