"""A table of questions and answers in, a verdict on every row and the error analysis out."""

from kdos.verify.fields import Fields, find_fields
from kdos.verify.items import Item, read_items
from kdos.verify.judges import Panel, judge
from kdos.verify.verify import Checked, Options, check_items
from kdos.verify.write import VERDICTS, Tally, keep_accepted, summarise, write_verdicts

__all__ = [
    "VERDICTS",
    "Checked",
    "Fields",
    "Item",
    "Options",
    "Panel",
    "Tally",
    "check_items",
    "find_fields",
    "judge",
    "keep_accepted",
    "read_items",
    "summarise",
    "write_verdicts",
]
