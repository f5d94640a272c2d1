from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from botfactory.web.desk import ReadOnlyAdmin
from publishing.models import Account, FormerAccount, Publication


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin[Account]):
    """Where posts of bots appear. Neither the credentials nor the address of a feed, which is a secret, are shown."""

    list_display = ["network", "handle", "owner", "state", "trouble", "created_at"]
    list_filter = ["network", "state", "created_at"]
    search_fields = ["handle", "queue__model__owner__username"]
    list_select_related = ["queue__model__owner"]
    fields = ["network", "handle", "server", "state", "trouble", "troubled_at", "not_before", "created_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Posts that are out could no longer be recalled. The owner disconnects it, or deletes the bot.
        return False

    @admin.display(description=_("owner"), ordering="queue__model__owner__username")
    def owner(self, account: Account) -> str:
        return str(account.queue.model.owner)


@admin.register(Publication)
class PublicationAdmin(ReadOnlyAdmin[Publication]):
    """How sending goes. The texts are their owners'."""

    list_display = ["account", "owner", "state", "attempts", "what_failed", "posted_at", "created_at"]
    list_filter = ["state", "account__network", "created_at"]
    search_fields = ["id", "account__handle", "error"]
    list_select_related = ["account__queue__model__owner"]
    date_hierarchy = "created_at"
    fields = ["account", "state", "attempts", "error", "address", "tried_at", "next_at", "posted_at", "created_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("owner"), ordering="account__queue__model__owner__username")
    def owner(self, publication: Publication) -> str:
        return str(publication.account.queue.model.owner)

    @admin.display(description=_("error"), ordering="error")
    def what_failed(self, publication: Publication) -> str:
        return publication.shown_error


@admin.register(FormerAccount)
class FormerAccountAdmin(ReadOnlyAdmin[FormerAccount]):
    """Accounts of deleted bots whose posts are still to be deleted. Without a next try, somebody has to do it there."""

    list_display = ["network", "handle", "bot", "owner", "left", "attempts", "next_at", "what_failed", "created_at"]
    list_filter = ["network", "created_at"]
    search_fields = ["handle", "bot", "owner__username"]
    list_select_related = ["owner"]
    fields = ["network", "handle", "bot", "owner", "addresses", "attempts", "next_at", "error", "created_at"]

    @admin.display(description=_("error"), ordering="error")
    def what_failed(self, account: FormerAccount) -> str:
        return account.shown_error
