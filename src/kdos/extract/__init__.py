"""Seeds in; their knowledge points, topic entities and logic out, equal knowledge points merged."""

from kdos.extract.extract import extract, extraction_table, merge_paraphrases, merge_points

__all__ = ["extract", "extraction_table", "merge_paraphrases", "merge_points"]
