from __future__ import annotations

from django.urls import path, re_path

from botfactory.jobs import views

urlpatterns = [
    path("", views.job_list, name="jobs"),
    path("<uuid:job_id>/", views.job_page, name="job"),
    path("<uuid:job_id>/events", views.job_events, name="job_events"),
    re_path(r"^(?P<job_id>[0-9a-f-]{36})/(?P<action>cancel|stop|retry)$", views.job_action, name="job_action"),
]
