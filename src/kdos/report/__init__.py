"""A run's saved artefacts in, one self-contained page out."""

from kdos.report.write import Written, write_report

__all__ = ["Written", "write_report"]
