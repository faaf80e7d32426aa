"""The door to language models: requests in, replies out, each kept in the ledger before use."""

from kdos.llm.book import Spending
from kdos.llm.budget import Budget, BudgetSpentError
from kdos.llm.engine import Engine, RemoteEngine
from kdos.llm.http import HttpEngine, HttpSettings
from kdos.llm.ledger import Ledger
from kdos.llm.scripted import Failure, ScriptedEngine
from kdos.llm.wire import Prices

__all__ = [
    "Budget",
    "BudgetSpentError",
    "Engine",
    "Failure",
    "HttpEngine",
    "HttpSettings",
    "Ledger",
    "Prices",
    "RemoteEngine",
    "ScriptedEngine",
    "Spending",
]
