from __future__ import annotations

from django.urls import path

from models_app.api import openai
from models_app.downloads.in_browser import urls as in_browser
from models_app.gallery import front_page, gallery
from models_app.pages import corpus_page, views
from models_app.search import urls as search
from models_app.writing.comparing import views as comparing
from models_app.writing.keeping import views as keeping
from models_app.writing.keeping import written
from models_app.writing.playing import views as playing

urlpatterns = [
    path("corpora/<uuid:corpus_id>/", corpus_page.corpus_page, name="corpus"),
    path("corpora/<uuid:corpus_id>/instant", corpus_page.instant_bot, name="instant_bot"),
    path("models/", views.model_list, name="models"),
    path("models/<uuid:model_id>/", views.model_page, name="model"),
    path("models/<uuid:model_id>/generate", views.generate, name="generate"),
    path("models/<uuid:model_id>/rename", views.rename_model, name="rename_model"),
    path("models/<uuid:model_id>/share", views.share_model, name="share_model"),
    path("models/<uuid:model_id>/written/", written.written_list, name="written"),
    path("models/<uuid:model_id>/written/delete", written.delete_written, name="delete_written"),
    path("models/<uuid:model_id>/delete", views.delete_model, name="delete_model"),
    path("generations/<uuid:generation_id>/delete", views.delete_generation, name="delete_generation"),
    path("generations/<uuid:generation_id>/why", views.why, name="why"),
    path("generations/<uuid:generation_id>/keep", keeping.keep_post, name="keep_post"),
    path("generations/<uuid:generation_id>/report", keeping.report_post, name="report_post"),
    path("compare/", comparing.compare_page, name="compare"),
    path("compare/curves", comparing.curves_page, name="curves"),
    path("kept/", keeping.kept_list, name="kept"),
    path("kept/export", keeping.export_kept, name="export_kept"),
    path("kept/<uuid:kept_id>/remove", keeping.remove_kept, name="remove_kept"),
    path("reports/<uuid:report_id>/close", keeping.close_report, name="close_report"),
    path("demo", front_page.write_demo, name="write_demo"),
    path("gallery/", gallery.gallery_page, name="gallery"),
    path("gallery/<uuid:model_id>/", gallery.shared_page, name="shared"),
    path("gallery/<uuid:model_id>/preview.png", gallery.preview_picture, name="shared_preview"),
    path("shared/<str:link>/preview.png", gallery.preview_picture, name="shared_by_link_preview"),
    path("models/<uuid:model_id>/game", playing.game_page, name="game"),
    path("models/<uuid:model_id>/game/open", playing.open_game, name="open_game"),
    path("gallery/<uuid:model_id>/game", playing.game_page, name="shared_game"),
    path("shared/<str:link>/game", playing.game_page, name="shared_by_link_game"),
    path("gallery/<uuid:model_id>/generate", gallery.generate, name="shared_generate"),
    path("shared/<str:link>/", gallery.shared_page, name="shared_by_link"),
    path("shared/<str:link>/generate", gallery.generate, name="shared_by_link_generate"),
    path("v1/models", openai.list_models, name="openai_models"),
    path("v1/models/<path:name>", openai.get_model, name="openai_model"),
    path("v1/completions", openai.complete, name="openai_completions"),
    path("v1/<path:rest>", openai.not_there),
    *in_browser.urlpatterns,
    *search.urlpatterns,
]
