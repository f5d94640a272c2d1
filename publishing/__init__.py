"""From a bot to its readers: proposals, decisions, the queue, and the networks where posts appear."""

from __future__ import annotations
