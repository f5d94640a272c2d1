from __future__ import annotations

from channels.security.websocket import WebsocketDenier
from django.urls import path, re_path

from botfactory.jobs.consumers import JobConsumer

websocket_urlpatterns = [
    path("ws/jobs/<uuid:job_id>/", JobConsumer.as_asgi()),
    # Everything else: otherwise, the server would answer 500 and log an error.
    re_path("", WebsocketDenier.as_asgi()),
]
