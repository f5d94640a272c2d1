"""What is known of an uploaded file."""

from __future__ import annotations

import re
from typing import Any

from django.core.files.uploadedfile import UploadedFile

#: How browsers write these in the name of a file (WHATWG HTML, "multipart/form-data"); they encode nothing else.
_ENCODED = {"%22": '"', "%0D": "\r", "%0A": "\n"}


def name_of(file: UploadedFile[Any]) -> str:
    """Return the name that the file has on the machine it comes from, "" for none."""
    return re.sub("|".join(_ENCODED), lambda found: _ENCODED[found[0]], file.name or "")
