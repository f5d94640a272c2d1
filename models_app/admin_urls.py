"""URLs under /admin/base-models/. Anyone who isn't staff is asked to sign in, as everywhere in the administration."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from models_app.bases import views
from models_app.bases.getting.views import get_base
from models_app.search.views import start_base_search

here = admin.site.admin_view

urlpatterns = [
    path("", here(views.base_models), name="base_models"),
    path("upload", here(views.upload_base), name="upload_base"),
    path("get", here(get_base), name="get_base"),
    path("train", here(views.train_base), name="train_base"),
    path("search", here(start_base_search), name="base_search"),
    path("evaluate", here(views.evaluate_bases), name="evaluate_bases"),
    path("reset_recipe", here(views.reset_recipe), name="reset_recipe"),
    path("roll_back", here(views.roll_back), name="roll_back_base"),
    *(
        path(f"<uuid:model_id>/{action}", here(views.change_base), {"action": action}, name=f"{action}_base")
        for action in ("promote", "retire", "bring_back")
    ),
]
