"""The pure learning core: posts in, weights out, new posts out. Nothing here knows Django, Celery or the network.

The names a caller needs are imported from their own modules, so that importing the sampler never imports TensorFlow.
"""

from __future__ import annotations
