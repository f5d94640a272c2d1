from __future__ import annotations

from django.urls import path

from publishing.networks.registry import with_accounts
from publishing.pages import feeds, views

urlpatterns = [
    path("models/<uuid:model_id>/publish/", views.queue_page, name="queue"),
    path("models/<uuid:model_id>/publish/write", views.write_proposals, name="write_proposals"),
    path("models/<uuid:model_id>/publish/settings", views.change_settings, name="queue_settings"),
    path("models/<uuid:model_id>/publish/stop", views.stop, name="stop_queue"),
    path("models/<uuid:model_id>/publish/stop-all", views.stop_all, name="stop_all_queues"),
    path("models/<uuid:model_id>/publish/recall", views.recall_all, name="recall_all"),
    path("models/<uuid:model_id>/publish/feed", views.open_feed, name="open_feed"),
    *(
        path(
            f"models/<uuid:model_id>/publish/connect/{network.name}",
            views.connect,
            {"network": network.name},
            name="connect_account",
        )
        for network in with_accounts()
    ),
    path("accounts-of-bots/callback/<str:place>", views.come_back, name="account_callback"),
    path("accounts-of-bots/<uuid:account_id>/mark", views.mark_account, name="mark_account"),
    path("accounts-of-bots/<uuid:account_id>/disconnect", views.disconnect_account, name="disconnect_account"),
    path("accounts-of-bots/<uuid:account_id>/renew", views.renew_feed, name="renew_feed"),
    path("proposals/<uuid:proposal_id>/approve", views.approve, name="approve_proposal"),
    path("proposals/<uuid:proposal_id>/reject", views.reject, name="reject_proposal"),
    path("proposals/<uuid:proposal_id>/back", views.put_back, name="put_back_proposal"),
    path("proposals/<uuid:proposal_id>/move", views.move, name="move_proposal"),
    path("proposals/<uuid:proposal_id>/recall", views.recall, name="recall_proposal"),
    path("publications/<uuid:publication_id>/again", views.send_again, name="send_publication_again"),
    path("feeds/<str:link>.rss", feeds.Rss(), name="feed_rss"),
    path("feeds/<str:link>.atom", feeds.Atom(), name="feed_atom"),
    path("feeds/<str:link>.json", feeds.json_feed, name="feed_json"),
]
