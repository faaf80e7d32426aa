"""A run's saved artefacts in, one self-contained page out."""

from kdos.report.page import LivePage, WrittenReport, write_report
from kdos.report.tables import STOP_REASON_TEXTS, format_share, sum_levels

__all__ = ["STOP_REASON_TEXTS", "LivePage", "WrittenReport", "format_share", "sum_levels", "write_report"]
