from __future__ import annotations

from tests.models_app.conftest import base, corpus, model

__all__ = ["base", "corpus", "model"]
