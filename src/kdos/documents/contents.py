"""Lines that are no text of their own: those of a table of contents, and those that stand on every page."""

import re
from collections import Counter
from collections.abc import Sequence

LEADERS = ".…·_ "
"""What leads the eye from a title to its page."""
LEADER_DOTS = 4
PAGE_SIGNS = "0123456789ivxlc \t"
_PAGE_NUMBER = re.compile(
    r"(?:(?:page|seite|página|p\.|стр\.) ?)?\d{1,5}(?: ?(?:of|von|de|sur|из|/) ?\d{1,5})?|[ivxlc]{1,7}"
)
_DIGITS = re.compile(r"\d+")
REPEATED_SHARE = 0.3
REPEATED_PAGES = 2


def is_contents_line(text: str) -> bool:
    """Whether a line is one of a table of contents: a title, dots, and mostly a page."""
    title = text.rstrip(PAGE_SIGNS)
    leaders = title[len(title.rstrip(LEADERS)) :]
    return len(leaders.replace(" ", "")) >= LEADER_DOTS and leaders != title


def find_repeated_lines(pages: Sequence[Sequence[str]]) -> frozenset[str]:
    """What stands at the top or the bottom of many pages, numbers apart: running titles and page numbers.

    `pages` holds for each page its lines at the edges. What is returned is to be compared by `without_digits`.
    """
    seen = Counter(line for page in pages for line in {without_digits(line) for line in page})
    least = max(REPEATED_PAGES, REPEATED_SHARE * len(pages))
    return frozenset(line for line, count in seen.items() if count >= least)


def is_page_number(line: str) -> bool:
    """Whether a line is a page's number and nothing else."""
    number = line.strip().strip("-–—|/ ").lower()
    return _PAGE_NUMBER.fullmatch(number) is not None


def without_digits(line: str) -> str:
    """A line with all its numbers alike."""
    return _DIGITS.sub("#", " ".join(line.split()))
