"""A run's saved artefacts in, one self-contained page out."""

from kdos.report.live import LivePage
from kdos.report.write import Written, write_report

__all__ = ["LivePage", "Written", "write_report"]
