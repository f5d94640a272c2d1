from __future__ import annotations

from django.urls import path

from models_app.search import views

urlpatterns = [
    path("corpora/<uuid:corpus_id>/search", views.start_search, name="start_search"),
    path("searches/<uuid:search_id>/", views.search_page, name="search"),
    path("searches/<uuid:search_id>/trials.csv", views.trials_csv, name="trials_csv"),
    path("searches/<uuid:search_id>/add", views.add_trials, name="add_trials"),
    path("searches/<uuid:search_id>/use", views.use_trial, name="use_trial"),
    path("searches/<uuid:search_id>/recipe", views.make_recipe, name="make_recipe"),
    *(
        path(f"searches/<uuid:search_id>/{action}", views.change_search, {"action": action}, name=f"{action}_search")
        for action in ("stop", "resume", "delete")
    ),
]
