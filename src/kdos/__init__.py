"""kdos: training data that teaches language models knowledge, steered by its density.

`kdos.density(data)`, `kdos.select(data, budget, target)` and `kdos.run(config, out)` measure, cut
and make datasets from Python: the rooms of these names can be called (`kdos.notebook`).
"""

from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__"]

CALLED = ("density", "select", "run")


class Room(ModuleType):
    """A package that can be called: what happens then is the function of `kdos.notebook`."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The function of `kdos.notebook` that has this room's name."""
        function = self.__name__.removeprefix("kdos.")
        return getattr(import_module("kdos.notebook"), function)(*args, **options)


def __getattr__(name: str) -> ModuleType:
    if name in CALLED:
        return import_module(f"kdos.{name}")
    raise AttributeError(f"module 'kdos' has no attribute {name!r}")
