"""How many records came into a stage, went on and were refused, by reason."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """A stage's counts: what came in is what was accepted and all that was refused."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])

    @property
    def received(self) -> int:
        """How many came in."""
        return self.accepted + self.refused.total()

    def as_json(self) -> dict[str, Any]:
        """The counts as runs keep them: in, out and refused by reason."""
        return {"in": self.received, "out": self.accepted, "refused": dict(self.refused)}
