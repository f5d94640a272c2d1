from __future__ import annotations

from django.urls import path

from botfactory.your_data import views

urlpatterns = [
    path("account/export", views.export_account, name="export_account"),
    path("account/import", views.import_account, name="import_account"),
]
