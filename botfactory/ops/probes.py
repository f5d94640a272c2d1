"""/healthz, /readyz and /metrics. They answer under any host name, because probes use the IP address."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse

from botfactory.ops import components, metrics

#: Headers of a request that a proxy passed on. Its address is then not the sender's.
PROXY_HEADERS = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via")


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer that the process is alive. It ignores database and broker, because a restart wouldn't help them."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer whether everything works that people need. Failing components are named, without details."""
    fails = components.failing()
    body = {
        "status": "failing" if any(fails.values()) else "ok",
        "components": {name: "failing" if failing else "ok" for name, failing in fails.items()},
        "failing": [name for name, failing in fails.items() if failing],
    }
    return JsonResponse(body, status=503 if body["failing"] else 200)


def prometheus(request: HttpRequest) -> HttpResponse:
    content, content_type = metrics.page(request.headers.get("Accept", ""))
    return HttpResponse(content, content_type=content_type)


def may_read_metrics(request: HttpRequest) -> bool:
    """Return whether the request has the token, or comes directly from an allowed address."""
    shown = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and shown[0].lower() == "bearer":
        return hmac.compare_digest(shown[2].strip().encode(), settings.METRICS_TOKEN.encode())
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in settings.METRICS_ADDRESSES)


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": prometheus,
}


def answer(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to a probe, or None for other requests and for metrics that the sender may not read."""
    probe = PROBES.get(request.path_info)
    if probe is None or (probe is prometheus and not may_read_metrics(request)):
        return None
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    response = probe(request)
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
