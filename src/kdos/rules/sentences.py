"""Any text in, its sentences out, word for word."""

import re
from itertools import pairwise

MIN_SENTENCE, MAX_SENTENCE = 30, 300  # characters of a sentence worth quoting
MIN_WIDE = 10  # of one in Chinese or Japanese
END = re.compile(r"[.!?][\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9À-Þ])")
WIDE_END = re.compile(r"[。！？]+[”』」）]*")
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
ABBREVIATED = re.compile(
    r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Prof|Gen|Col|Capt|Lt|Sgt|Rev|Hon|Gov|Sen|Rep|Jr|Sr|Mt|Ft|No|"
    r"Nos|vs|cf|ca|c|fl|b|d|r|approx|etc|al|ed|eds|vol|pp|p|Inc|Ltd|Co|Corp|Bros|Jan|Feb|Mar|Apr|"
    r"Jun|Jul|Aug|Sept?|Oct|Nov|Dec|[a-z]\.[a-z]|[A-Z]\.[A-Z]|a\.m|p\.m|Ph\.D|lit|sq)\.)$"
)


def is_wide(text: str) -> bool:
    """Is it written without spaces between words?"""
    return len(WIDE.findall(text)) * 3 > len(text)


def split_sentences(text: str) -> list[str]:
    """Every sentence of the text that is neither too short nor too long to quote."""
    return [sentence for line in text.split("\n") for sentence in split_line(line.strip())]


def split_line(line: str) -> list[str]:
    """The sentences of one line that can be quoted."""
    if is_wide(line):
        return [s for s in cut_after(line, WIDE_END) if MIN_WIDE <= len(s) <= MAX_SENTENCE]
    parts = sentences_of(line)
    return [part for part in parts if MIN_SENTENCE <= len(part) <= MAX_SENTENCE and is_whole(part)]


def sentences_of(line: str) -> list[str]:
    """All sentences of an English line; abbreviations and initials end none."""
    parts: list[str] = []
    begun = ""
    for part in cut_after(line, END):
        begun = f"{begun}{part}"
        if not ABBREVIATED.search(begun.rstrip()):
            parts.append(begun.strip())
            begun = ""
    return parts


def is_whole(sentence: str) -> bool:
    """Does it begin and end as a sentence does, with every bracket and quote closed?"""
    return (
        (sentence[0].isupper() or sentence[0].isdigit() or sentence[0] in "\"“‘'")
        and sentence[-1] in '.!?"”’)'
        and sentence.count("(") == sentence.count(")")
        and sentence.count('"') % 2 == 0
        and sentence.count("“") == sentence.count("”")
    )


def cut_after(line: str, end: re.Pattern[str]) -> list[str]:
    """The line in parts, each up to and with what ends it."""
    stops = [0, *(match.end() for match in end.finditer(line)), len(line)]
    return [line[a:b] for a, b in pairwise(stops) if line[a:b].strip()]
