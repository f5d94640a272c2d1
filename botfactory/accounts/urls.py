from __future__ import annotations

from django.urls import path

from botfactory.accounts import views

urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/notifications", views.choose_notifications, name="choose_notifications"),
    path("account/sessions/end", views.end_sessions, name="end_sessions"),
    path("account/sessions/<int:number>/end", views.end_sessions, name="end_session"),
    path("account/delete", views.delete_account, name="delete_account"),
    path("tokens/", views.token_list, name="tokens"),
    path("tokens/<uuid:token_id>/revoke", views.revoke_token, name="revoke_token"),
]
