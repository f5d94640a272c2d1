"""Training: the fine-tune of a bot and the long training of a base model."""

from __future__ import annotations
