"""kdos: training data that teaches language models knowledge, steered by its density."""

__version__ = "0.1.0"
__all__ = ["__version__"]
