"""Why a document has no text for us: a reason that is counted, and what to say of it."""


class UnreadableError(Exception):
    """A file that gives no text. `reason` is one of a few that are counted; `detail` says more."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
