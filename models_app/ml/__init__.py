"""The pure learning core: posts in, weights out, new posts out. Nothing here imports Django or Celery or goes online.

Import names from their own modules. That way, importing the sampler never imports TensorFlow.
"""

from __future__ import annotations
