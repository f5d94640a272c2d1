from __future__ import annotations

from django.urls import path

from botfactory.webhooks import views

urlpatterns = [
    path("webhooks/", views.webhook_list, name="webhooks"),
    path("webhooks/<uuid:webhook_id>/", views.webhook_page, name="webhook"),
    path("webhooks/<uuid:webhook_id>/test", views.test, name="test_webhook"),
    path("webhooks/<uuid:webhook_id>/messages/<uuid:delivery_id>/resend", views.resend, name="resend_message"),
    path("webhooks/<uuid:webhook_id>/secret", views.renew_secret, name="renew_secret"),
    path("webhooks/<uuid:webhook_id>/switch", views.switch, name="switch_webhook"),
    path("webhooks/<uuid:webhook_id>/delete", views.delete, name="delete_webhook"),
]
