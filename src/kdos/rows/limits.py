"""What a file from outside may make us hold or do at most: each limit with its reason."""

MAX_LINE_BYTES = 256 << 20
"""A line of a text file, unpacked: a row is held whole, and one endless line would fill all memory."""
MAX_DOCUMENT_BYTES = 1 << 30
"""A file that is one text or one JSON document, unpacked: it is held whole; the same rows as JSONL are not."""
MAX_TEXT_CHARS = 10_000_000
"""A document's text; the longest novels have 4 million characters, a page of Wikipedia at most 2 million bytes."""
MAX_JSON_DEPTH = 100
"""Levels of lists and objects in a row: rows have a handful, and what walks over them walks by recursion."""
MAX_BATCH_ROWS = 65_536
"""Rows that are held at a time: a Parquet file of a kilobyte can say that it has a billion."""
MAX_XML_DEPTH = 100
"""Elements that are open at once in a dump, which has six levels."""
MAX_MARK_DEPTH = 100
"""Marks of wikitext that are open at once: the parser reads them by recursion, and pages have a handful."""
MAX_EMPTY_CELLS = 10_000_000
"""Cells of a table most of which nothing fills: rows of other fields each make as many columns as there are rows."""
MIN_FILLED_SHARE = 0.01
"""The share of so many cells that must be filled."""
MAX_UNCLOSED_MARKS = 40
"""Marks of wikitext in a section that nothing closes: the parser reads on to the section's end for each of them."""
MAX_UNCLOSED_WORK = 10_000_000
"""Characters that the parser reads in vain, unclosed marks times the section's length: about two seconds."""
