"""What came of a corpus, for its owner: enough or not, and what the posts are like."""

from __future__ import annotations

from dataclasses import dataclass

from botfactory.words import counted
from tweets import report as reports
from tweets.models import Corpus
from tweets.report import LanguageShare, Line
from tweets.services import FEW_CHARACTERS, MIN_CHARACTERS, too_small_sentence

#: Words and hashtags that the page of a corpus tells of.
TOP = 15


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a corpus; `verdict` is "enough", "few" (a warning) or "too_few" (refused), `advice` a sentence."""

    found: int
    kept: int
    characters: int
    dropped: dict[str, int]
    verdict: str
    advice: str
    sample: list[str]
    months: list[Line]
    undated: int
    lengths: list[Line]
    words: list[Line]
    hashtags: list[Line]
    languages: list[LanguageShare]


def report(corpus: Corpus, *, sample: int = 12) -> Report:
    """What came of the corpus, with posts spread evenly over it as a sample."""
    if corpus.characters < MIN_CHARACTERS:
        verdict, advice = "too_few", too_small_sentence(corpus)
    elif corpus.characters < FEW_CHARACTERS:
        verdict = "few"
        advice = (
            f"{counted(corpus.characters, 'character')} are few: the bot will sound like these posts but repeat "
            f"itself. From {FEW_CHARACTERS:,} on it gets its own ideas."
        )
    else:
        verdict, advice = "enough", f"{counted(corpus.characters, 'character')}: enough to learn a voice."
    chosen = corpus.report.get("sample", [])[:sample] if corpus.is_ready else []
    kept = corpus.posts.filter(pk__in=chosen, dropped="")
    texts = list(kept.order_by("pk").values_list("cleaned", flat=True))
    return Report(
        found=corpus.posts_found,
        kept=corpus.posts_kept,
        characters=corpus.characters,
        dropped=corpus.dropped,
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
