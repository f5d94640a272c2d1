from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from botfactory import pages
from botfactory.ops import views as ops
from tweets import api

admin.site.site_header = admin.site.site_title = "Bot Factory administration"

urlpatterns = [
    path("", pages.dashboard, name="dashboard"),
    path("accounts/", include("allauth.urls")),
    path("admin/house/", admin.site.admin_view(ops.state_of_the_house), name="house"),
    path("admin/", admin.site.urls),
    path("", include("botfactory.accounts.urls")),
    path("jobs/", include("botfactory.jobs.urls")),
    path("corpora/", include("tweets.urls")),
    path("api/<path:handle>", api.newest_posts, name="newest_posts"),
    path("", include("models_app.urls")),
]
