"""The door to language models: requests in, replies out, each stored in the ledger before use."""

from kdos.errors import BudgetSpentError
from kdos.llm.engine import Budget, Engine, Failure, ScriptedEngine
from kdos.llm.http import HttpEngine
from kdos.llm.ledger import Ledger
from kdos.llm.reply_store import Spending

__all__ = ["Budget", "BudgetSpentError", "Engine", "Failure", "HttpEngine", "Ledger", "ScriptedEngine", "Spending"]
