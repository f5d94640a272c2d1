from __future__ import annotations

from django.urls import path, re_path

from botfactory.jobs import views

#: As the converter of `<uuid:...>` has it, which a pattern with two choices cannot use.
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

urlpatterns = [
    path("", views.job_list, name="jobs"),
    path("<uuid:job_id>/", views.job_page, name="job"),
    path("<uuid:job_id>/events", views.job_events, name="job_events"),
    path("<uuid:job_id>/delete", views.delete_job, name="delete_job"),
    re_path(rf"^(?P<job_id>{UUID})/(?P<action>cancel|stop|retry)$", views.job_action, name="job_action"),
]
