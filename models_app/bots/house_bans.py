"""The administrator's list of phrases that no bot of this installation may write."""

from __future__ import annotations

from botfactory.accounts.rules import house_rules
from models_app.ml.sampling.banned_words import HouseBanList, house_ban_list


def house_bans() -> HouseBanList:
    """Return the current list."""
    return house_ban_list(house_rules().banned_phrases)
