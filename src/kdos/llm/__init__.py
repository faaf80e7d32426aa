"""The door to language models: requests in, replies out, each kept in the ledger before use."""

from kdos.llm.engine import Engine
from kdos.llm.ledger import Ledger, Spending
from kdos.llm.scripted import Failure, ScriptedEngine

__all__ = ["Engine", "Failure", "Ledger", "ScriptedEngine", "Spending"]
