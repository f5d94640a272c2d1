"""The sources in words: the choices of the form that imports posts, and where a corpus comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.text import capfirst, get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tweets.corpora import amounts, offered
from tweets.models import BLEND, UPLOAD, Corpus
from tweets.sources.kinds import FileKind, HowTo, Network, SourceKind
from tweets.sources.registry import SOURCES, kind_of, networks, uploads

#: Longest handle or address that somebody can type.
LONGEST_TYPED: Final = 500
#: So many files and so many networks a sentence names at most.
MAX_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Way:
    """A choice of the form. Files share one: the server sees which source a file is.

    `hints` explain the field below it. `endings` and `how_tos` are those of files, `field` and `example` those of a
    handle.
    """

    name: str
    label: str
    hints: tuple[str, ...] = ()
    is_upload: bool = False
    is_pasted: bool = False
    endings: str = ""
    how_tos: tuple[HowTo, ...] = ()
    field: str = ""
    example: str = ""

    @property
    def names_account(self) -> bool:
        """Whether the posts come with the account that wrote them."""
        return not self.is_upload and not self.is_pasted


def ways() -> list[Way]:
    """Return the choices that this installation offers, in the order of the registry."""
    found = {}
    for kind in offered.offered():
        if isinstance(kind, Network):
            found[kind.name] = _account(kind)
        elif not isinstance(kind, FileKind) or kind.is_example:
            continue
        elif kind.is_pasted:
            found[kind.name] = Way(kind.name, capfirst(_(kind.label)), is_pasted=True)
        else:
            found[UPLOAD] = found.get(UPLOAD) or _upload()
    return list(found.values())


def not_offered() -> list[str]:
    """Return a sentence for each source that the operator has not set up."""
    return [_(kind.not_offered) for kind in networks().values() if not offered.is_offered(kind)]


def offers() -> str:
    """Return what can be imported here, such as "an X archive, pasted text or an account on Bluesky or Mastodon".

    It stays a sentence if there are many sources.
    """
    kinds = offered.offered()
    files = [kind for kind in kinds if isinstance(kind, FileKind) and not kind.is_example]
    found, more = _first([_(kind.offer) for kind in files if not kind.is_pasted])
    if more:
        found.append(ngettext("%(count)s other kind of file", "%(count)s other kinds of files", more) % {"count": more})
    found += [_(kind.offer) for kind in files if kind.is_pasted]
    names, more = _first([kind.label for kind in kinds if isinstance(kind, Network)])
    if more:
        names.append(ngettext("%(count)s other network", "%(count)s other networks", more) % {"count": more})
    if names:
        found.append(_("an account on %(networks)s") % {"networks": get_text_list(names, _("or"))})
    return get_text_list(found, _("or"))


def examples_of_handles() -> str:
    """Return handles of some networks, such as "@name.bsky.social (Bluesky)"."""
    found, _more = _first([f"{kind.example} ({kind.label})" for kind in networks().values()])
    return get_text_list(found, _("or"))


def _first(names: list[str]) -> tuple[list[str], int]:
    """Return all names if they are few, else the first ones, and the number of the others."""
    few = names if len(names) <= MAX_NAMED else names[: MAX_NAMED - 1]
    return few, len(names) - len(few)


def origin(corpus: Corpus) -> str:
    """Return where the posts of a corpus come from, and whose they are if that is known."""
    if corpus.source == BLEND:
        said = _("A blend of %(parts)s") % {"parts": ", ".join(_part(part) for part in corpus.parts)}
    elif corpus.source in SOURCES:
        said = _origin(kind_of(corpus.source), corpus)
    else:
        said = corpus.file_name
    if corpus.account and not corpus.comes_from_network:
        return _("%(origin)s, posts by %(account)s") % {"origin": said, "account": corpus.account}
    return said


def _origin(kind: SourceKind, corpus: Corpus) -> str:
    if isinstance(kind, FileKind):
        return _(kind.origin) % {"file": corpus.file_name}
    return _("From the %(network)s account %(account)s") % {"network": kind.label, "account": corpus.account}


def _part(part: dict[str, object]) -> str:
    return f"{part['name']} ({amounts.posts(int(str(part['posts'])))})"


def _upload() -> Way:
    kinds = uploads()
    return Way(
        UPLOAD,
        capfirst(get_text_list([_(kind.label) for kind in kinds], _("or"))),
        hints=tuple(_(kind.hint) for kind in kinds),
        is_upload=True,
        endings=",".join(dict.fromkeys(ending for kind in kinds for ending in kind.endings)),
        how_tos=tuple(_translated(kind.how_to) for kind in kinds if kind.how_to is not None),
    )


def _translated(how_to: HowTo) -> HowTo:
    # gettext("") is the header of the catalog.
    without_script = _(how_to.without_script) if how_to.without_script else ""
    return HowTo(_(how_to.question), tuple(_(step) for step in how_to.steps), without_script)


def handle_field(kind: Network) -> str:
    """Return the label of the field for a handle."""
    return _("%(network)s handle") % {"network": kind.label}


def _account(kind: Network) -> Way:
    facts = {"max_posts": amounts.grouped(kind.max_posts)}
    if kind.is_paid:
        facts["cost"] = f"{offered.highest_cost(kind):.2f}"
    hint = _(kind.hint) % facts
    return Way(kind.name, _(kind.label), hints=(hint,), field=handle_field(kind), example=kind.example)
