"""kdos from Python and notebooks: ask once, then look, draw, and ask again.

The functions are attributes of the package `kdos`; the commands are thin over them.
"""

from kdos.api.datasets import ChosenRows, DatasetDensity, density, select
from kdos.api.evaluation import Answerer, evaluate
from kdos.api.exporting import TableOptions, export
from kdos.api.extraction import extract
from kdos.api.knowledge_graph import KnowledgeGraph, SampledPaths, graph
from kdos.api.runs import RunResult, load_config, report, run
from kdos.api.verification import verify

__all__ = [
    "Answerer", "ChosenRows", "DatasetDensity", "KnowledgeGraph", "RunResult", "SampledPaths", "TableOptions",
    "density", "evaluate", "export", "extract", "graph", "load_config", "report", "run", "select", "verify",
]  # fmt: skip
