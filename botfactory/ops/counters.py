"""Metrics that this process counts itself. Those from the database are queried at each scrape (metrics.py)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

registry = CollectorRegistry()
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)

http_requests = Counter(
    "botfactory_http_requests",
    "Answered HTTP requests.",
    ["method", "route", "status"],
    registry=registry,
)
http_seconds = Histogram(
    "botfactory_http_request_seconds",
    "Time until the answer begins.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=registry,
)
websocket_clients = Gauge("botfactory_websocket_clients", "Open websockets.", registry=registry)
generation_seconds = Histogram(
    "botfactory_generation_seconds",
    "Time to write the posts of a request.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=registry,
)
generated_posts = Counter("botfactory_generated_posts", "Posts that models wrote.", registry=registry)
generations_running = Gauge(
    "botfactory_generations_running", "Requests for which a model is writing now.", registry=registry
)
generations_refused = Counter(
    "botfactory_generations_refused", "Requests that were refused because the server was busy.", registry=registry
)
