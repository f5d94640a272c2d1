"""The picture of a shared bot in link previews: its name, its label, and a post that it wrote, on a template."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.core.cache import cache
from django.utils.translation import gettext as _
from PIL import Image, ImageDraw

from botfactory.edge import files
from botfactory.pictures.lettering import FONTS, drawable, fitted, letters_of
from models_app.bots.rows import TrainedModel

WIDTH: Final = 1200
HEIGHT: Final = 630
#: Change it when pictures look different, so that nobody keeps those of before.
_VERSION: Final = 2
_KEPT_SECONDS: Final = 24 * 3600
#: A post is shown if the typeface has at least this share of its letters.
_READABLE: Final = 0.9
_LEFT: Final = 72
_INSIDE: Final = WIDTH - 2 * _LEFT

#: Where the card of the template is.
_TOP: Final = 236
_BOTTOM: Final = 518
_INK: Final = "#10201c"
_WARM: Final = "#a83c0c"


@dataclass(frozen=True, slots=True)
class Picture:
    """What the picture shows. The label and the post are what the typeface can show of them."""

    name: str
    label: str
    post: str

    @classmethod
    def of(cls, model: TrainedModel, samples: Sequence[str]) -> Picture:
        """Return the picture of a model and the first of its sample posts that can be shown."""
        posts = ((drawable(sample), letters_of(sample)) for sample in samples)
        shown = (post for post, letters in posts if letters and letters_of(post) >= _READABLE * letters)
        label = drawable(model.parody_label)
        if letters_of(label) < letters_of(model.parody_label):
            # A label that names half a person would be wrong.
            label = drawable(_("Written by a model, not by the person."))
        return cls(model.name, label, next(shown, ""))

    @property
    def digest(self) -> str:
        """Return a hash of all that the picture depends on."""
        parts = (str(_VERSION), self.name, self.label, self.post)
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()

    @property
    def in_words(self) -> str:
        return f"{self.name}. {self.label} “{self.post}”" if self.post else f"{self.name}. {self.label}"

    def png(self) -> bytes:
        """Return the picture. All web processes draw it once a day at most, however often somebody asks."""
        key = f"preview:{self.digest}"
        found: bytes | None = cache.get(key)
        if found is None:
            file = io.BytesIO()
            with FONTS:
                _drawn(self).save(file, "PNG", optimize=True)
            found = file.getvalue()
            cache.set(key, found, _KEPT_SECONDS)
        return found


def _drawn(picture: Picture) -> Image.Image:
    image = Image.open(files.paths()["img/preview.png"]).convert("RGB")
    draw = ImageDraw.Draw(image)
    name, names = fitted(drawable(picture.name), sizes=(68, 60, 52), weight=660, width=_INSIDE, lines=1)
    for line in names:
        name.write(draw, (_LEFT - 3, 112), line, _INK)
    below = picture.label if picture.post else ""
    label, labels = fitted(below, sizes=(32, 28, 24), weight=600, width=_INSIDE, lines=2)
    for number, line in enumerate(labels):
        label.write(draw, (_LEFT, 166 + number * label.size * 1.3), line, _WARM)
    _on_the_card(draw, picture.post or picture.label)
    return image


def _on_the_card(draw: ImageDraw.ImageDraw, text: str) -> None:
    """Write the text into the middle of the card, as large as it fits there, and cut it where it doesn't."""
    room = _BOTTOM - _TOP - 68
    for height in (64, 54, 46, 40, 36, 32, 30):
        row = round(height * 1.38)
        letters, lines = fitted(text, sizes=(height,), weight=420, width=_INSIDE - 96, lines=room // row)
        if len(letters.wrapped(text, _INSIDE - 96)) * row <= room:
            break
    top = (_TOP + _BOTTOM - len(lines) * row) // 2
    for number, line in enumerate(lines):
        letters.write(draw, (_LEFT + 48, top + number * row + row * 0.74), line, _INK)
