"""The door to language models: requests in, replies out, each kept in the ledger before use."""

from kdos.llm.engine import Engine

__all__ = ["Engine"]
