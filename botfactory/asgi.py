from __future__ import annotations

import os

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import SessionMiddlewareStack

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "botfactory.settings")
# Before NumPy is loaded: this process multiplies nothing, so it needs no threads for it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Before the routes: they import models, which need the apps to be loaded.
django.setup(set_prefix=False)

from botfactory import connection_pool
from botfactory.edge import incoming
from botfactory.edge.bodies import BoundedBodies
from botfactory.jobs.routing import websocket_urlpatterns
from botfactory.jobs.watching import OriginOrToken
from botfactory.ops.middleware import CountedSockets

connection_pool.begin()
#: Stays open while this process serves.
serving = incoming.sweep()

application = ProtocolTypeRouter(
    {
        "http": BoundedBodies(incoming.Handler()),
        # The consumer looks up the person by the session key, so doing it here too would be wasted work.
        "websocket": CountedSockets(OriginOrToken(SessionMiddlewareStack(URLRouter(websocket_urlpatterns)))),
    }
)
