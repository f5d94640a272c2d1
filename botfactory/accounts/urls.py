from __future__ import annotations

from django.urls import path

from botfactory.accounts import views

urlpatterns = [
    path("", views.token_list, name="tokens"),
    path("<uuid:token_id>/revoke", views.revoke_token, name="revoke_token"),
]
