"""A run's saved artefacts in, one self-contained page out."""

from kdos.report.page import LivePage, WrittenReport, write_report

__all__ = ["LivePage", "WrittenReport", "write_report"]
