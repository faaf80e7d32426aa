"""kdos from Python and notebooks: ask once, then look, draw, and ask again.

The functions are attributes of the package `kdos`; the commands are thin over them.
"""

from kdos.api.datasets import ChosenRows, DatasetDensity, density, select
from kdos.api.runs import RunResult, export, load_config, report, run
from kdos.api.verification import verify

__all__ = [
    "ChosenRows",
    "DatasetDensity",
    "RunResult",
    "density",
    "export",
    "load_config",
    "report",
    "run",
    "select",
    "verify",
]
