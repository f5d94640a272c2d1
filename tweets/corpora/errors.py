"""Why something can't be done with corpora. Each message is a sentence for the person."""

from __future__ import annotations


class CorpusError(Exception):
    """The message is a sentence for the person, `code` is for programs."""

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
    """The posts are a public figure's, and nobody has named the account."""

    code = "account_needed"


class OptedOut(CorpusError):
    code = "opted_out"


class NothingNewer(CorpusError):
    code = "nothing_newer"


class CorpusBusy(CorpusError):
    code = "corpus_busy"


class ImportFailed(CorpusBusy):
    """The import ended without all posts, so waiting doesn't help."""

    code = "import_failed"


class CorpusGone(CorpusError):
    code = "corpus_gone"


class NotAsked(CorpusError):
    code = "not_asked"


class CorpusTooSmall(CorpusError):
    code = "corpus_too_small"
