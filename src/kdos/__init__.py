"""kdos: training data that teaches language models knowledge, steered by its density.

`kdos.density(data)`, `kdos.select(data, budget, target)` and `kdos.run(config, out)` measure, cut
and make datasets from Python. They are the functions of `kdos.api`, loaded when they are used, so
that ``import kdos`` and ``kdos --help`` are quick.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kdos.version import __version__

if TYPE_CHECKING:
    from kdos.api import density, evaluate, export, extract, graph, report, run, select, verify

__all__ = ["__version__", "density", "evaluate", "export", "extract", "graph", "report", "run", "select", "verify"]


class _Package(ModuleType):
    """A package some of whose functions have the name of one of its subpackages.

    Importing the subpackage ``kdos.density`` makes Python set the attribute `density` of this package. The attribute
    stays the function; ``from kdos.density import ...`` looks the subpackage up in `sys.modules` and works as ever.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name in __all__ and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'kdos' has no attribute {name!r}")
        from kdos import api  # NumPy, SciPy and Arrow take a second to import

        return getattr(api, name)

    def __dir__(self) -> list[str]:
        return __all__


sys.modules[__name__].__class__ = _Package
