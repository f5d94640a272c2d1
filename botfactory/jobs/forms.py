from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from botfactory.jobs.kinds import JobKind
from botfactory.jobs.states import ENDED, WORDS
from botfactory.web.listing import ListForm


class JobsForm(ListForm):
    """Which jobs the list shows."""

    SHOW = [
        ("", _("All jobs")),
        ("active", _("Not finished")),
        *((state.value, _(word)) for state, word in WORDS.items() if state in ENDED),
    ]
    SORT = [("", _("Newest first")), ("oldest", _("Oldest first")), ("title", _("By title"))]

    q = forms.CharField(max_length=200, required=False, label=_("Title"))
    kind = forms.ChoiceField(required=False, label=_("Kind"))
    state = forms.ChoiceField(choices=SHOW, required=False, label=_("State"))
    sort = forms.ChoiceField(choices=SORT, required=False, label=_("Order"))

    def __init__(self, *args: Any, kinds: Iterable[JobKind], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["kind"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All kinds")), *((kind.name, kind.label or kind.name) for kind in kinds)]
