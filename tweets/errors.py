"""What can be wrong with what a person asks of corpora, each a sentence for them."""

from __future__ import annotations


class CorpusError(Exception):
    """A sentence for the person; `code` for programs."""

    code = "corpus_error"


class NotOffered(CorpusError):
    code = "not_offered"


class UploadTooLarge(CorpusError):
    code = "upload_too_large"


class NothingGiven(CorpusError):
    code = "nothing_given"


class BadHandle(CorpusError):
    code = "bad_handle"


class BadName(CorpusError):
    code = "bad_name"


class AccountNeeded(CorpusError):
    """Posts of a public figure whose account nobody has named."""

    code = "account_needed"


class OptedOut(CorpusError):
    code = "opted_out"


class NothingNewer(CorpusError):
    code = "nothing_newer"


class CorpusBusy(CorpusError):
    code = "corpus_busy"


class CorpusGone(CorpusError):
    code = "corpus_gone"


class NotAsked(CorpusError):
    code = "not_asked"


class CorpusTooSmall(CorpusError):
    code = "corpus_too_small"
