"""The example that comes with Bot Factory: a corpus of an invented person's posts, for one click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from tweets.corpora import services, uploads
from tweets.models import Corpus
from tweets.sources.demo import KIND, PERSON, POSTS


@dataclass(frozen=True, slots=True)
class Example:
    """What pages say about the example: the person, the number of posts, and one of them."""

    person: str
    posts: int
    quote: str


def _looked_at() -> Example:
    posts = POSTS.read_text(encoding="utf-8").splitlines()
    return Example(person=PERSON, posts=len(posts), quote=posts[0])


EXAMPLE: Final = _looked_at()


def import_demo(*, owner: User, name: str = "", run_here: bool = False) -> Job:
    """Create a corpus of the example's posts and queue its import, like that of a file."""
    # The authors of Bot Factory wrote them, for this use.
    corpus = Corpus(owner=owner, basis=Corpus.Basis.PERMISSION, source=KIND.name, file_name=POSTS.name)
    corpus.name = services.corpus_name(name, PERSON)
    with POSTS.open("rb") as file:
        uploads.keep(corpus, file, POSTS.name)
    return services.submit_new(corpus, run_here=run_here)


def demo_of(user: Any) -> Corpus | None:
    """Return the person's newest corpus of the example, unless its import failed."""
    own = services.corpora_for_user(user).filter(source=KIND.name)
    return own.exclude(state=Corpus.State.FAILED).first()
