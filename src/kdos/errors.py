"""The errors kdos raises, as one tree.

KdosError                       everything below; exit code 1
├── UsageError                  the user can mend it: a flag, a config, an input file; exit code 2
│   ├── ConfigError             a key or value of the configuration
│   ├── InputError              a file, line or field of the input
│   └── SpaceMismatchError      densities of two spaces were about to be compared
├── EmptyRunError               nothing came of a run: the message says why
├── BudgetSpentError            a cap of the budget is reached; the same command with a larger one goes on
├── EngineError                 a model cannot be reached or refuses to work
└── StoreError                  an artefact on disk is missing or in use
    └── DamageError             what we wrote is no longer what we wrote; exit code 2

A message says what must hold, what we got, and what to do. Bad *data* (a reply that does not
parse, a refused draft, a failed call) is never an error: it is a value with a reason.
"""

from pathlib import Path


class KdosError(Exception):
    """Anything kdos itself raises."""

    exit_code = 1


class UsageError(KdosError):
    """Something the user gave cannot be used as it stands."""

    exit_code = 2


class ConfigError(UsageError):
    """A key or value of the configuration is wrong."""


class InputError(UsageError):
    """A file, line or field of the input is wrong."""

    @classmethod
    def at(cls, path: Path | str, message: str, *, line: int | None = None, field: str | None = None) -> "InputError":
        """The error with its place before it: ``articles.jsonl, line 17, field text: message``."""
        place = [str(path)]
        if line is not None:
            place.append(f"line {line}")
        if field is not None:
            place.append(f"field {field}")
        return cls(f"{', '.join(place)}: {message}")


class SpaceMismatchError(UsageError):
    """Densities measured in two different spaces never compare."""


class EngineError(KdosError):
    """A model cannot be reached, or refuses to work."""


class BudgetSpentError(KdosError):
    """The next request could pass a cap. Every reply before it was stored and given.

    The same command with a larger cap goes on where it stopped.
    """


class EmptyRunError(KdosError):
    """A run made nothing: there was something to read, and nothing came of it."""


class StoreError(KdosError):
    """An artefact on disk is missing, damaged or in use by another process."""


class DamageError(StoreError):
    """A file that kdos wrote has changed since: nothing of it is used."""

    exit_code = 2
