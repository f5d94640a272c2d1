"""Why a ZIP can't be imported, as sentences for the person."""

from __future__ import annotations

from collections.abc import Mapping

from botfactory.words.translatable import Sentence


class ImportRefused(Exception):
    """The ZIP can't be imported. Nothing of it was kept."""

    code = "import_refused"

    def __init__(self, said: str, /, **values: object) -> None:
        self.said = Sentence(said, **values)
        super().__init__(str(self.said))

    @property
    def template(self) -> str:
        return self.said.template

    @property
    def values(self) -> Mapping[str, object]:
        return self.said.values
