from __future__ import annotations

from django.urls import URLPattern, path

from models_app.downloads.in_browser import views

_PARTS = {
    "": views.page,
    "weights": views.weights,
    "guard": views.guard,
    "manifest.webmanifest": views.manifest,
    "worker.js": views.worker_script,
    "service.js": views.service_script,
}
#: The page of a bot -> the name of the page below it, and whether it's the owner's.
_PLACES = {
    "models/<uuid:model_id>/": ("in_browser", True),
    "gallery/<uuid:model_id>/": ("shared_in_browser", False),
    "shared/<str:link>/": ("shared_by_link_in_browser", False),
}

urlpatterns: list[URLPattern] = [
    path(f"{place}browser/{part}", view, {"is_own": is_own}, name=f"{name}{'' if part == '' else f'_{part}'}")
    for place, (name, is_own) in _PLACES.items()
    for part, view in _PARTS.items()
]
