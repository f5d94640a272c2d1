from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path

from botfactory.accounts import views as accounts
from botfactory.api import api, api_docs, api_not_found
from botfactory.ops import views as ops
from botfactory.pages import views
from botfactory.web import languages, script_words, themes
from tweets.api import tweet_server

handler500 = "botfactory.edge.failures.failed"

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("example/", views.example, name="example"),
    path("status/", views.status, name="status"),
    path("language", languages.choose_language, name="language"),
    path("theme", themes.choose_theme, name="theme"),
    path("styleguide/", views.styleguide, name="styleguide"),
    path("words/<slug:language>.<slug:digest>.js", script_words.script_words, name="script_words"),
    path("accounts/password/reset/", accounts.password_reset),
    path("accounts/", include("allauth.urls")),
    path("admin/house/", admin.site.admin_view(ops.state_of_the_house), name="house"),
    path("admin/base-models/", include("models_app.admin_urls")),
    path("admin/", admin.site.urls),
    path("", include("botfactory.accounts.urls")),
    path("", include("botfactory.your_data.urls")),
    path("", include("botfactory.webhooks.urls")),
    path("jobs/", include("botfactory.jobs.urls")),
    path("corpora/", include("tweets.urls")),
    path("api/docs", api_docs, name="api_docs"),
    path("api/v1/", api.urls),
    # What is not there is no handle for the tweet-server.
    re_path(r"^api/v1(?:/.*)?$", api_not_found),
    path("api/<path:handle>", tweet_server.newest_posts, name="newest_posts"),
    path("", include("models_app.urls")),
    path("", include("publishing.urls")),
]
