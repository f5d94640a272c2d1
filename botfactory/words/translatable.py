"""Texts of code that knows no Django, marked for translation.

`manage.py makemessages` collects what is passed to `mark` and `counted_sentence`, like the arguments of `gettext`. The
texts stay English until Django code shows them to somebody: `botfactory.words.translation.translated`.
"""

from __future__ import annotations

from typing import Any


def mark(text: str) -> str:
    """Return the text as it is."""
    return text


class Sentence(str):
    """An English text that remembers its template and values, so that it can be translated when it's shown.

    >>> sentence = Sentence(mark("The column %(name)s is empty."), name="text")
    >>> sentence, sentence.template, sentence.values
    ('The column text is empty.', 'The column %(name)s is empty.', {'name': 'text'})
    """

    __slots__ = ("plural", "template", "values")

    template: str
    #: The template for all numbers but one, if there is one; the values then have a `count`.
    plural: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Sentence:
        shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
        sentence = super().__new__(cls, template % shown if values else template)
        sentence.template, sentence.plural, sentence.values = template, "", values
        return sentence


def counted_sentence(singular: str, plural: str, count: int, **values: Any) -> Sentence:
    """Return the sentence for this number of things, in which `%(count)s` is the number.

    >>> counted_sentence("%(count)s post", "%(count)s posts", 2000)
    '2,000 posts'
    """
    text = (singular if count == 1 else plural) % {**values, "count": f"{count:,}"}
    sentence = str.__new__(Sentence, text)
    sentence.template, sentence.plural, sentence.values = singular, plural, {**values, "count": count}
    return sentence
