"""The page of a run that goes on, written anew as it grows."""

from pathlib import Path
from time import monotonic

from kdos.report.page import REFRESH_SECONDS
from kdos.report.write import write_report

MOST_SHARE = 0.05
"""The share of a run's time that writing its page may take (our design)."""


class LivePage:
    """A run's page that keeps itself new, but not more often than a reader's page reloads."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.due = 0.0

    def refresh(self) -> None:
        """Write the page, if the last one is old enough."""
        begun = monotonic()
        if begun < self.due:
            return
        write_report(self.run)
        ended = monotonic()
        self.due = ended + max(REFRESH_SECONDS, (ended - begun) / MOST_SHARE)
