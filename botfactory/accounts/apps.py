from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "botfactory.accounts"
    verbose_name = "People"
