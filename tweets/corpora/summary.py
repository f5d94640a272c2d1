"""The report of a corpus for its owner: whether it has enough posts, and what they are like."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from tweets.corpora import amounts
from tweets.corpora import report as reports
from tweets.corpora.learning import FEW_CHARACTERS, too_small_sentence
from tweets.corpora.report import LanguageShare, Line
from tweets.models import Corpus

#: How many words and hashtags the page of a corpus shows.
TOP = 15


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a corpus.

    `verdict` is "enough", "few" (a warning) or "too_few" (no training); `advice` is the same as a sentence.
    """

    found: int
    kept: int
    characters: int
    dropped: dict[str, int]
    masked: dict[str, int]
    masked_phrases: list[str]
    verdict: str
    advice: str
    sample: list[str]
    months: list[Line]
    undated: int
    lengths: list[Line]
    words: list[Line]
    hashtags: list[Line]
    languages: list[LanguageShare]


def report(corpus: Corpus, *, sample: int = 12, texts: list[str] | None = None) -> Report:
    """Return the report of the corpus, with a sample of posts that are spread evenly over it.

    `texts`: the sample, if the caller has it already (examples.shown).
    """
    if corpus.is_too_small:
        verdict, advice = "too_few", too_small_sentence(corpus)
    elif corpus.characters < FEW_CHARACTERS:
        verdict = "few"
        advice = _(
            "These posts have %(characters)s. The bot will sound like them, but repeat itself. With %(few)s characters "
            "or more, it repeats itself less."
        ) % {"characters": amounts.characters(corpus.characters), "few": amounts.grouped(FEW_CHARACTERS)}
    else:
        verdict = "enough"
        advice = _("%(characters)s: enough to learn a voice.") % {"characters": amounts.characters(corpus.characters)}
    if texts is None:
        chosen = corpus.report.get("sample", [])[:sample] if corpus.is_ready else []
        kept = corpus.posts.filter(pk__in=chosen, dropped="")
        texts = list(kept.order_by("pk").values_list("cleaned", flat=True))
    return Report(
        found=corpus.posts_found,
        kept=corpus.posts_kept,
        characters=corpus.characters,
        dropped=corpus.dropped,
        masked=reports.masked(corpus.report),
        masked_phrases=reports.masked_phrases(corpus.report),
        verdict=verdict,
        advice=advice,
        sample=texts,
        months=reports.months(corpus.report),
        undated=reports.undated(corpus.report),
        lengths=reports.lengths(corpus.report),
        words=reports.top(corpus.report, "words", TOP),
        hashtags=reports.top(corpus.report, "hashtags", TOP),
        languages=reports.languages(corpus.report),
    )
