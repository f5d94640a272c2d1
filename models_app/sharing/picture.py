"""The picture of a shared bot in link previews: its face, its name, its label, and a post that it wrote."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.core.cache import cache
from django.utils.translation import gettext as _
from PIL import Image, ImageDraw, ImageFilter

from botfactory import avatars
from botfactory.edge import files
from botfactory.pictures import shapes
from botfactory.pictures.lettering import FONTS, Letters, drawable, fitted, letters_of
from models_app.models import TrainedModel

WIDTH: Final = 1200
HEIGHT: Final = 630
#: Change it when pictures look different, so that nobody keeps those of before.
_VERSION: Final = 1
_KEPT_SECONDS: Final = 24 * 3600
#: A post is shown if the typeface has at least this share of its letters.
_READABLE: Final = 0.9
_LEFT: Final = 72
_INSIDE: Final = WIDTH - 2 * _LEFT

_PAPER: Final = "#f3f7f5"
_INK: Final = "#10201c"
_EDGE: Final = "#dfe7e4"
_WARM: Final = "#a83c0c"
_WARM_SOFT: Final = "#ffe9de"


@dataclass(frozen=True, slots=True)
class Picture:
    """What the picture shows. `name` is whole, for the face; the rest is what the typeface can show."""

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
    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    draw = ImageDraw.Draw(image)
    top = _head(image, draw, picture, 64 if picture.post else 170)
    if picture.post:
        _card(image, picture.post, top + 40, HEIGHT - 112)
    mark = files.paths()["img/logo.svg"].read_text(encoding="utf-8")
    _place(image, shapes.drawing(mark[mark.index(">") + 1 : mark.rindex("</svg>")], 52), (_LEFT, HEIGHT - 88))
    Letters(34, 660).write(draw, (_LEFT + 68, HEIGHT - 51), "Bot Factory", _INK)
    return image


def _head(image: Image.Image, draw: ImageDraw.ImageDraw, picture: Picture, top: int) -> int:
    """Draw the face, and the name and the label beside it; return where they end."""
    side = 148 if picture.post else 220
    left = _LEFT + side + 40
    width = WIDTH - _LEFT - left
    name, names = fitted(drawable(picture.name), sizes=(68, 60, 52), weight=660, width=width, lines=1)
    label, labels = fitted(picture.label, sizes=(32, 28, 24), weight=600, width=width - 44, lines=2)
    row = round(label.size * 1.3)
    high = round(len(names) * name.size * 1.1) + (18 if names else 0) + len(labels) * row + 22
    face = shapes.drawing(avatars.face(picture.name), side)
    face.putalpha(_rounded((side, side), side // 2))
    height = max(high, side)
    _place(image, face, (_LEFT, top + (height - side) // 2))
    y = top + (height - high) // 2
    for line in names:
        name.write(draw, (left - 3, y + name.size * 0.86), line, _INK)
        y += round(name.size * 1.1)
    y += 18 if names else 0
    wide = max((label.length(line) for line in labels), default=0) + 44
    badge = Image.new("RGBA", (round(wide), len(labels) * row + 22), _WARM_SOFT)
    badge.putalpha(_rounded(badge.size, 16))
    _place(image, badge, (left, y))
    for number, line in enumerate(labels):
        label.write(draw, (left + 22, y + 11 + number * row + row * 0.76), line, _WARM)
    return top + height


def _card(image: Image.Image, post: str, top: int, bottom: int) -> None:
    """Draw the post on a card that is as high as it needs, at most down to `bottom`."""
    inside = _INSIDE - 96
    room = bottom - top - 68
    for height in (64, 54, 46, 40, 36, 32, 30):
        row = round(height * 1.38)
        if len(Letters(height, 420).wrapped(post, inside)) * row <= room:
            break
    letters, lines = fitted(post, sizes=(height,), weight=420, width=inside, lines=room // row)
    size = (_INSIDE, len(lines) * row + 68)
    top += (bottom - top - size[1]) // 2
    shadow = Image.new("RGBA", (size[0] + 120, size[1] + 120))
    shadow.paste((11, 59, 48, 30), (60, 60), _rounded(size, 28))
    _place(image, shadow.filter(ImageFilter.GaussianBlur(18)), (_LEFT - 60, top - 50))
    for colour, margin in ((_EDGE, 0), ("#ffffff", 2)):
        card = Image.new("RGBA", (size[0] - 2 * margin, size[1] - 2 * margin), colour)
        card.putalpha(_rounded(card.size, 28 - margin))
        _place(image, card, (_LEFT + margin, top + margin))
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        letters.write(draw, (_LEFT + 48, top + 34 + number * row + row * 0.74), line, _INK)


def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """Return a mask with round corners."""
    finer = shapes.FINER
    mask = Image.new("L", (size[0] * finer, size[1] * finer))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), radius * finer, fill=255)
    return mask.reduce(finer)


def _place(image: Image.Image, part: Image.Image, place: tuple[int, int]) -> None:
    image.paste(part.convert("RGB"), place, part.getchannel("A"))
