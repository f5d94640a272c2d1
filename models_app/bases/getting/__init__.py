"""Base models from the Hugging Face Hub: what it has, the download, and the job that adds the model."""

from __future__ import annotations
