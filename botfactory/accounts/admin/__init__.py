"""Accounts in the administration: people, how they sign in, what the house allows, and the security log."""

from __future__ import annotations

from botfactory.accounts.admin import house, people, security_log, sign_in

__all__ = ["house", "people", "security_log", "sign_in"]
