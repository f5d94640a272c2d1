from __future__ import annotations

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "botfactory.settings")
# Before NumPy is loaded: products on several threads wait for each other where something else has the cores, and
# several posts then take two to three times as long (docs/benchmarks.md).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Before the routes: they import models, which need the apps to be loaded.
http = get_asgi_application()

from botfactory.jobs.watching import OriginOrToken
from botfactory.ops.middleware import CountedSockets
from botfactory.routing import websocket_urlpatterns

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": CountedSockets(OriginOrToken(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))),
    }
)
