"""How many connections this process may hold: file descriptors are what runs out first."""

import logging
from pathlib import Path

from kdos.errors import ConfigError

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None

LOG = logging.getLogger("kdos.llm")
RESERVED_DESCRIPTORS = 32
"""For what else a run opens at once: tables, the ledger and its log, names being looked up, worker processes."""
OPEN_DESCRIPTORS = Path("/dev/fd")


def fit_concurrency(wanted: int, *, servers: int = 1) -> int:
    """As many requests in flight at each server as there are file descriptors for, at most `wanted`; fewer are said.

    The process's own limit is raised first, as far as it may be.

    Raises:
        ConfigError: There is none left for a single connection.
    """
    allowed = _raise_descriptor_limit(wanted * servers) // servers
    if allowed >= wanted:
        return wanted
    if allowed < 1:
        raise ConfigError(
            "A process must be able to open more files than this one (`ulimit -n`): none is left for a connection. "
            f"Allow {RESERVED_DESCRIPTORS + wanted * servers} more."
        )
    LOG.warning(
        "engine.concurrency is %d, but this process may open only so many files (`ulimit -n`); %d in flight instead",
        wanted,
        allowed,
    )
    return allowed


def _raise_descriptor_limit(wanted: int) -> int:
    """The connections that the limit leaves, once it is as high as `wanted` needs or may be."""
    if resource is None:
        return wanted
    taken = sum(1 for _ in OPEN_DESCRIPTORS.iterdir()) + RESERVED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < taken + wanted and soft != hard:
        raised = taken + wanted if hard == resource.RLIM_INFINITY else min(hard, taken + wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    return soft - taken
