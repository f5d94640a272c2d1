from __future__ import annotations

from django.urls import path

from tweets.pages import demo_views, views

urlpatterns = [
    path("", views.corpus_list, name="corpora"),
    path("new", views.new_corpus, name="new_corpus"),
    path("demo", demo_views.import_demo, name="import_demo"),
    path("blend", views.blend_corpora, name="blend"),
    path("<uuid:corpus_id>/column", views.name_column, name="name_column"),
    path("<uuid:corpus_id>/clean", views.clean_corpus, name="clean_corpus"),
    path("<uuid:corpus_id>/posts", views.post_list, name="posts"),
    path("<uuid:corpus_id>/posts/out", views.take_out, name="take_out"),
    path("<uuid:corpus_id>/posts/back", views.put_back, name="put_back"),
    path("<uuid:corpus_id>/export", views.export_corpus, name="export_corpus"),
    path("<uuid:corpus_id>/newer", views.bring_newer, name="bring_newer"),
    path("<uuid:corpus_id>/delete", views.delete_corpus, name="delete_corpus"),
]
