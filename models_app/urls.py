from __future__ import annotations

from django.urls import path

from models_app import views

urlpatterns = [
    path("corpora/<uuid:corpus_id>/", views.corpus_page, name="corpus"),
    path("models/", views.model_list, name="models"),
    path("models/<uuid:model_id>/", views.model_page, name="model"),
    path("models/<uuid:model_id>/generate", views.generate, name="generate"),
    path("models/<uuid:model_id>/rename", views.rename_model, name="rename_model"),
    path("models/<uuid:model_id>/delete", views.delete_model, name="delete_model"),
]
