"""The built-in engine: requests in, replies by rule out; and the sentences of facts it reads."""

from kdos.rules.engine import RulesEngine, answer
from kdos.rules.passage_index import Fact, read_fact
from kdos.rules.relations import ORDINALS, PYTHON_RELATIONS, Relation

__all__ = ["ORDINALS", "PYTHON_RELATIONS", "Fact", "Relation", "RulesEngine", "answer", "read_fact"]
