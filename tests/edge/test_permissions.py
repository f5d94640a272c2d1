"""Pages can't use what they don't need of a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from botfactory.edge import permissions

#: What a script would call to use a feature that is off.
USES = re.compile(
    r"mediaDevices|geolocation|PaymentRequest|navigator\.(?:usb|serial|hid|bluetooth|xr|wakeLock)|requestMIDIAccess"
    r"|(?:Accelerometer|Gyroscope|Magnetometer)\("
)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/nowhere", "/api/v1/me"])
def test_each_answer_turns_off_what_no_page_uses(client: Client, path: str) -> None:
    policy = client.get(path)["Permissions-Policy"].split(", ")
    assert {"camera=()", "microphone=()", "geolocation=()", "usb=()"} <= set(policy)
    # Copying and sharing stay allowed for the pages themselves.
    assert not [entry for entry in policy if entry.startswith(("clipboard", "web-share"))]


def test_no_script_uses_what_is_off() -> None:
    scripts = list(Path(settings.BASE_DIR / "static" / "js").rglob("*.js"))
    assert scripts and not [script.name for script in scripts if USES.search(script.read_text(encoding="utf-8"))]
    assert "camera=()" in permissions.POLICY
