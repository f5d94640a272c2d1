"""Actions of the administration's lists."""

from __future__ import annotations

from typing import Any

from django.test import Client


def act(desk: Client, page: str, action: str, *rows: Any, **more: str) -> str:
    """Run an action on rows of a list, and return the page after it."""
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}
    answer = desk.post(f"/admin/{page}/", data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()
