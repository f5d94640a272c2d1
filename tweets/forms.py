from __future__ import annotations

from django import forms


class NewCorpusForm(forms.Form):
    """One of three ways to bring posts; the page sends `way` with the fields of that way."""

    WAYS = [("file", "A file or an X archive"), ("text", "Pasted text"), ("x", "An X handle")]

    way = forms.ChoiceField(choices=WAYS)
    name = forms.CharField(max_length=80, required=False, strip=True)
    file = forms.FileField(required=False)
    text = forms.CharField(required=False, strip=False, widget=forms.Textarea)
    handle = forms.CharField(max_length=200, required=False)
    keep_replies = forms.BooleanField(required=False)
    keep_reposts = forms.BooleanField(required=False)


class RulesForm(forms.Form):
    keep_replies = forms.BooleanField(required=False)
    keep_reposts = forms.BooleanField(required=False)
