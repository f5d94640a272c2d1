"""The sections of the administration, by subject. Django groups its lists by app instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Model
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from botfactory.accounts.models import User


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the administration that isn't a list of rows. People with the permission see it."""

    url_name: str
    name: Any
    permission: str


@dataclass(frozen=True, slots=True)
class Section:
    """Pages, and lists of rows by the label of their model ("jobs.Job")."""

    name: Any
    entries: tuple[str | Page, ...]


SECTIONS: Final = (
    Section(
        pgettext_lazy("section of the administration", "Work"),
        ("jobs.Job", Page("base_models", _("Base models"), "models_app.view_trainedmodel"), "tweets.Corpus"),
    ),
    Section(_("Bots"), ("models_app.TrainedModel", "models_app.Generation", "models_app.PostReport", "tweets.OptOut")),
    Section(_("Publishing"), ("publishing.Account", "publishing.Publication", "publishing.FormerAccount")),
    Section(
        _("People"),
        (
            "accounts.User",
            "accounts.Invitation",
            "auth.Group",
            "account.EmailAddress",
            "mfa.Authenticator",
            "usersessions.UserSession",
            "accounts.ApiToken",
        ),
    ),
    Section(
        _("Rules and logs"),
        (
            "accounts.HouseRules",
            "accounts.SecurityEntry",
            "tweets.AuditEntry",
            "webhooks.Webhook",
            "webhooks.Delivery",
        ),
    ),
)
#: The section for all other lists.
OTHERS: Final = _("More")

App = dict[str, Any]


def arranged(apps: Iterable[App], user: User, heading_of: Callable[[type[Model]], str]) -> list[App]:
    """Return the sections that this person sees, in the form that Django's templates expect for apps.

    apps: what Django would list; heading_of: returns the name of a model's list, empty for the usual one.
    """
    lists = {row["model"]._meta.label: row for app in apps for row in app["models"]}
    for row in lists.values():
        row["name"] = capfirst(heading_of(row["model"])) or row["name"]
    sections = []
    for section in SECTIONS:
        entries = []
        for entry in section.entries:
            if isinstance(entry, Page):
                if user.has_perm(entry.permission):
                    entries.append(_as_row(entry))
            elif entry in lists:
                entries.append(lists.pop(entry))
        sections.append({"name": section.name, "models": entries})
    sections.append({"name": OTHERS, "models": list(lists.values())})
    return [section for section in sections if section["models"]]


def _as_row(page: Page) -> dict[str, Any]:
    return {"name": page.name, "admin_url": reverse(page.url_name)}
