"""The name of an uploaded file."""

from __future__ import annotations

import re
from typing import Any

from django.core.files.uploadedfile import UploadedFile

#: The characters that browsers encode in file names (WHATWG HTML, "multipart/form-data").
_ENCODED = {"%22": '"', "%0D": "\r", "%0A": "\n"}


def name_of(file: UploadedFile[Any]) -> str:
    """Return the name of the file on the sender's machine, or "" if there is none."""
    return re.sub("|".join(_ENCODED), lambda found: _ENCODED[found[0]], file.name or "")
