"""The built-in engine: requests in, replies by rule out."""

from kdos.rules.engine import RulesEngine, answer

__all__ = ["RulesEngine", "answer"]
