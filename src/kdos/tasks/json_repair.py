"""Text that was meant to be JSON, read as JSON where only one reading is possible.

Models write JSON with trailing commas, comments, single or typographic quotes, Python's literals, missing commas,
quotes and brackets, and bare words. `repair_json` reads all of these by one rule: a repair may add or drop
punctuation, never a word, and where two readings are possible there is none. So a string whose end is not marked is
read only if nothing in it could have ended it earlier, and a value that is missing is `MISSING`, not made up. The
parser goes forward only, what it looks ahead at is remembered or bounded, and no pattern backtracks, so it takes time
linear in the text; it nests no deeper than `MAX_DEPTH`.

Why not the json_repair library: it nearly always gives some value. On 426 strings of three
libraries' tests (`benchmarks/llm_reading.py`, json_repair 0.64.6, each value held against the string's own schema)
this parser reads 261 rightly and none wrongly; json_repair reads 254 rightly and 24 wrongly, and 250 and 24 if every
word of a value must stand in the text, in order. A reply that is refused costs one more call; one that is read wrongly
goes into the dataset.
"""

import re
from bisect import bisect_left
from functools import cached_property
from typing import Any, Final, NoReturn

MAX_DEPTH = 64  # levels; our schemas have four
MAX_VALUES = 16  # in one text
MAX_PROSE_BRACKETS = 32  # brackets of prose that are tried before; each may be read to the end of the text
MAX_NUMBER_CHARS = 40
LOOK_AHEAD_CHARS = 2_000  # what follows a quote tells whether it ends a string; keys are shorter
CLOSING_BRACKET = {"{": "}", "[": "]", "(": ")"}
CLOSING_BRACKETS = "}])"
CLOSING_QUOTES = {'"': '"', "'": "'", "`": "`´'", "“": "”", "„": "”“", "‘": "’", "´": "´'"}
OPENING_SIGNS = {*CLOSING_QUOTES, *CLOSING_BRACKET}
NO_VALUE_SIGNS = {"", ",", *CLOSING_BRACKETS}
NO_WORD_SIGNS = set(":({[\\`")
LITERALS = {"true": True, "false": False, "null": None, "none": None, "undefined": None}
# By the quote that opens a string: what may end it, and escapes, which are passed over.
QUOTE_OR_ESCAPE = {opener: re.compile(rf"[{closers}]|\\.", re.DOTALL) for opener, closers in CLOSING_QUOTES.items()}
ESCAPED_CHARS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"} | {c: c for c in "\"'\\/`"}

OPENER = re.compile(r"[{\[]|\A\s*\(")
FENCE = re.compile(r"```+[ \t]*[\w-]*\s*(.*?)(?:```|\Z)", re.DOTALL)
PROSE_BRACKET = re.compile(r"\[[^\[\]{}\"]*\]")
IGNORED_SPACE = re.compile(r"[\s\ufeff\u200b-\u200d\u2060]*+")
# The same where no comment can follow, which is nearly always.
SPACE_ALONE = re.compile(rf"{IGNORED_SPACE.pattern}(?![/#])")
COMMENT_END = re.compile(r"\*/")
LINE_END = re.compile(r"\n")
SEPARATORS = re.compile(r"(?:[\s\ufeff\u200b-\u200d\u2060,…]++|\.\.\.)*+")
SEPARATORS_ALONE = re.compile(rf"{SEPARATORS.pattern}(?![/#])")
QUOTED_STRING = r"(?:\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|“[^”]*+”|‘[^’]*+’)"
# What follows a token decides what it was; the next five say what may follow.
# After a closing brace, `, "key":` shows that the object goes on.
KEY_FOLLOWS = re.compile(rf"\s*+,\s*+{QUOTED_STRING}(?:\s*:|\s+[\"'])")
ITEM_FOLLOWS = re.compile(rf"\s*+(?:{QUOTED_STRING}\s*:|[\w$]++\"?\s*:|[\w ]*+{QUOTED_STRING}\s*:|[,}}\]/#.…{{]|\Z)")
# After a key whose colon was forgotten.
VALUE_FOLLOWS = re.compile(r"[\"'{\[]|-?\d|(?:true|false|null|none)\b", re.IGNORECASE)
# After an item of a list whose comma was forgotten.
NEXT_ITEM = re.compile(r"(?:-?[\d.]++|true|false|null|none)\s*(?:[,\]]|\Z)", re.IGNORECASE)
# A bare key on the next line, where a comma was forgotten.
LINE_KEY = re.compile(r"[\w$]++\s*:")
STUCK_TEXT = re.compile(r"\w|/(?![/*])|[\s});\],.]*+\"")
NUMBER_BEFORE_QUOTE = re.compile(r"(?<!\w)\d[\d./]{0,19}\Z")
STRING_JOIN = re.compile(r"\+\s*[\"']")
# Words between two pairs, before a quoted key: a remark of the model, not part of the JSON.
STRAY_WORDS = re.compile(r"\w[\w ]*+(?=\"[^\"]*+\"\s*:)")
BARE_KEY = re.compile(r"[^\s,:{}\[\]()\"'“”`\\][^,:{}\[\]()\n\"'“”`\\]*")
# Words without quotes as a value: a URL with its colon, a{b}, anything up to the next delimiter.
BARE_WORDS = re.compile(r"(?:\w{1,9}://[^\s,{}\[\]\"']++|\w\{[^{}\[\]:,\"]*+\}|[^,:{}\[\]()\n\"“”`/\\]|/(?![/*]))++")
PLAIN_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9_]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]*)?")
WHOLE_NUMBER = re.compile(r"-?\d+")
WORD_SIGN = re.compile(r"\w")
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.?)", re.DOTALL)
# `value, "key` or `value" "key`, read up to the quote before the colon.
UNCLOSED_STRING = re.compile(r"(?P<value>[^\"]*?)(?:\"\s*+(?:,\s*+)?|,\s*+)\"[^\"]*+")


MISSING: Final = object()  # stands where a key has no value


class UnreadableError(ValueError):
    """There is no single reading; the message says why, and at which character."""


def repair_json(text: str) -> list[Any]:
    """The JSON values in `text`, fenced ones alone if there are any; prose around them is left out.

    Raises `UnreadableError` if one of them has no single reading, or if there is none.
    """
    opener, fence = OPENER.search(text), FENCE.search(text)
    if fence and (opener is None or not text[opener.start() : fence.start()].strip(" \n\t[{(")):
        return [value for block in FENCE.finditer(text) for value in _find_values(block.group(1))]
    return _find_values(text)


def _find_values(text: str) -> list[Any]:
    """The values that begin with a bracket, one after the other."""
    if text.lstrip()[:1] in CLOSING_QUOTES:
        raise UnreadableError("it is one string, at character 0")
    values: list[Any] = []
    reader = _RepairParser(text)
    prose_brackets = 0
    opener = OPENER.search(text)
    while opener and len(values) < MAX_VALUES:
        try:
            values.append(reader.parse_whole_value(opener.end() - 1))
        except UnreadableError:
            prose = PROSE_BRACKET.match(text, opener.start())
            prose_brackets += 1
            if prose is None or prose_brackets > MAX_PROSE_BRACKETS:
                raise
            reader.at = prose.end()
        opener = OPENER.search(text, reader.at)
    if not values:
        raise UnreadableError("there is no { or [ in it, at character 0")
    return values


class _RepairParser:
    """A place in a text that moves forward, and the containers that are open there.

    `open` holds each container's bracket with the place after it; `ignored_ends` where the space and comments that
    begin at a place end, so that the comments behind one quote are not read again for the next.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.open: list[tuple[str, int]] = []
        self.ignored_ends: dict[int, int] = {}
        self.looked_after, self.seen = -1, ""  # the last quote that was looked at, and what follows it
        self.last_sign = len(text.rstrip())

    @property
    def in_object(self) -> bool:
        return self.open[-1][0] == "{"

    @cached_property
    def comment_ends(self) -> list[int]:
        """The places after each `*/`."""
        return [match.end() for match in COMMENT_END.finditer(self.text)]

    @cached_property
    def line_ends(self) -> list[int]:
        """The places of the line breaks."""
        return [match.start() for match in LINE_END.finditer(self.text)]

    def parse_whole_value(self, at: int) -> Any:
        """The value that begins at `at`, with nothing stuck to it but punctuation."""
        self.at, self.open = at, []
        before = self.text[max(0, at - 1) : at]
        if before.isalnum() or before in {"/", "\\", '"'}:
            self.raise_unreadable("text is stuck to it")
        value = self.parse_value()
        if STUCK_TEXT.match(self.text, self.at):
            self.raise_unreadable("text is stuck to it")
        return value

    def parse_value(self) -> Any:
        self.skip_ignored()
        char = self.peek_char()
        if char == "{":
            return self.parse_object()
        if char in {"[", "("}:
            items = self.parse_array()
            return items[0] if char == "(" and len(items) == 1 else items
        return self.parse_joined_string() if char in CLOSING_QUOTES else self.parse_bare_value()

    # -- containers

    def parse_object(self) -> dict[str, Any]:
        self.enter_container()
        pairs: dict[str, Any] = {}
        firm = True  # nothing can be added to the value before: it was quoted or a literal
        while not self.leave_container():
            if firm and (commentary := STRAY_WORDS.match(self.text, self.at)):
                self.at = commentary.end()
            if self.peek_char() == "{" and [opener for opener, _ in self.open[-2:]] == ["[", "{"]:
                self.open.pop()  # [{"i": 1, {"i": 2}]: the brace of the first was forgotten
                return pairs
            key = self.parse_key()
            start = self.skip_ignored()
            missing = self.peek_char() in NO_VALUE_SIGNS
            pairs[key] = MISSING if missing else self.parse_value()
            written = self.text[start : self.at]
            quoted = written[:1] in OPENING_SIGNS
            firm = quoted or written.strip().lower() in LITERALS
            self.skip_separators()
        return pairs

    def parse_array(self) -> list[Any]:
        """`[…]` or `(…)`; `["key": value]` is a list of one object."""
        self.enter_container()
        items: list[Any] = []
        quoted: set[bool] = set()
        while not self.leave_container():
            starts_quoted = self.peek_char() in CLOSING_QUOTES
            items.append(self.parse_value())
            if isinstance(items[-1], str):
                quoted.add(starts_quoted or self.text[self.at - 1] in CLOSING_QUOTES)
            # ["a", b, "c"]: is `b` an item, or what is left of one that lost its quotes?
            if len(quoted) > 1:
                self.raise_unreadable(f"{items[-1]!r} has no quotes and others have")
            self.skip_ignored()
            if self.peek_char() == ":":
                items = [self.parse_only_pair(items)]
            self.skip_separators()
        return items

    def parse_only_pair(self, items: list[Any]) -> dict[str, Any]:
        """The object that a key and a value in a list's brackets stand for."""
        self.at += 1
        value = self.parse_value()
        self.skip_ignored()
        if len(items) != 1 or not isinstance(items[0], str) or self.peek_char() not in {"]", ""}:
            self.raise_unreadable("a key stands in a list")
        return {items[0]: value}

    def enter_container(self) -> None:
        if len(self.open) >= MAX_DEPTH:
            self.raise_unreadable("it is nested too deeply")
        self.open.append((self.peek_char(), self.at + 1))
        self.at += 1
        self.skip_separators()

    def leave_container(self) -> bool:
        """Whether the innermost container ends here; passes over its bracket.

        The bracket of an outer container ends this one too, unless this one is empty; a bracket of
        none is passed over. The end of the text, or of its fence, ends everything.
        """
        while (char := self.peek_char()) and char in CLOSING_BRACKETS:
            opener, start = self.open[-1]
            if CLOSING_BRACKET[opener] == char:
                self.at += 1
                goes_on = len(self.open) == 1 and char == "}"
                if goes_on and KEY_FOLLOWS.match(self.text, self.at):
                    self.skip_separators()
                    return False  # {"a": 1}, "b": 2}: closed too early
                self.open.pop()
                return True
            if any(CLOSING_BRACKET[outer] == char for outer, _ in self.open):
                if not self.text[start : self.at].strip():
                    self.raise_unreadable("brackets do not match")
                self.open.pop()
                return True
            self.at += 1
            self.skip_separators()
        if char in CLOSING_QUOTES and self.at + 1 >= self.last_sign:
            self.at = len(self.text)  # it was cut just after the quote that opens a string
        elif char and not self.text.startswith("```", self.at):
            return False
        self.open.pop()
        return True

    def skip_separators(self) -> None:
        """Pass over what stands between two items: space, comments, commas, an ellipsis."""
        while not (alone := SEPARATORS_ALONE.match(self.text, self.at)):
            before = self.at = match_end(SEPARATORS, self.text, self.at)
            if self.skip_ignored() == before:
                return  # a slash that begins no comment
        self.at = alone.end()

    # -- strings

    def parse_key(self) -> str:
        """A key, quoted or bare, and the colon after it."""
        if self.peek_char() in CLOSING_QUOTES:
            key = self.parse_string(key=True)
            key = key.rstrip() if self.text[self.at - 2] == "\n" else key
        else:
            match = BARE_KEY.match(self.text, self.at)
            if match is None:
                self.raise_unreadable(f"a key is expected, not {self.peek_char()!r}")
            self.at = match.end()
            key = match.group().strip()
            closed = self.skip_closing_quote(match.group())
            if not closed and self.peek_char() not in {":", "'", '"'}:
                self.raise_unreadable(f"{key!r} is no key")
        self.skip_ignored()
        if self.peek_char() == ":":
            self.at += 1
        return key

    def parse_joined_string(self) -> str:
        """A quoted string, or several joined by +."""
        parts = [self.parse_string()]
        while STRING_JOIN.match(self.text, self.skip_ignored()):
            self.at += 1
            self.skip_ignored()
            parts.append(self.parse_string())
        return "".join(parts)

    def parse_string(self, *, key: bool = False) -> str:
        quote = self.peek_char()
        start = self.at + 1
        doubled = self.text.startswith(quote, start) and not self.is_string_end(start, key=key)
        start += doubled
        inner: list[int] = []  # quotes that did not end the string: `checked_content` judges them
        for match in QUOTE_OR_ESCAPE[quote].finditer(self.text, start):
            at = match.start()
            if self.text[at] == "\\":
                continue
            twice = doubled and self.text.startswith(quote, at + 1)
            item = not key and self.is_item_next(at)
            if twice or item or self.is_string_end(at, key=key):
                self.at = at + 1 + twice
                return self.checked_content(start, at, inner, exact=doubled or item)
            # This quote ends a key: the string must have ended before it, without its quote.
            if not key and inner and self.text_after(at)[:1] == ":":
                return self.parse_unclosed_before_key(start, at)
            inner.append(at)
        return self.parse_unterminated(start, cut=bool(inner) or key)

    def text_after(self, at: int) -> str:
        """The rest of the text after the quote at `at`, from its first sign on."""
        if self.looked_after != at:
            alone = SPACE_ALONE.match(self.text, at + 1)
            place = alone.end() if alone else self.ignored_end(at + 1)
            self.looked_after, self.seen = at, self.text[place : place + LOOK_AHEAD_CHARS]
        return self.seen

    def is_string_end(self, at: int, *, key: bool) -> bool:
        """Whether what follows the quote at `at` is what follows a string here."""
        rest = self.text_after(at)
        if key:
            return rest[:1] == ":" or bool(VALUE_FOLLOWS.match(rest))
        if not rest or rest[0] in "}]":
            return True
        if rest[0] == ",":
            # In a list a comma ends an item; in an object it may stand in the text ("yes", she said),
            # so a key must follow it.
            return not self.in_object or bool(ITEM_FOLLOWS.match(rest, 1))
        if rest[0] == ")":
            return any(opener == "(" for opener, _ in self.open)
        if rest[0] == ":":
            return not self.in_object  # ["key": value]; in an object no colon follows a value
        return rest.startswith("```") or bool(STRING_JOIN.match(rest))

    def is_item_next(self, at: int) -> bool:
        """Whether another item follows the quote at `at` though the comma is missing."""
        rest = self.text_after(at)
        if self.in_object:
            return "\n" in self.text[at + 1 : at + 200] and bool(LINE_KEY.match(rest))
        gap = self.text[at + 1 : at + 2]
        return gap.isspace() and bool(rest[:1] in {'"', "'"} or NEXT_ITEM.match(rest))

    def checked_content(self, start: int, end: int, inner: list[int], *, exact: bool) -> str:
        """The text between two quotes, unescaped.

        Quotes inside it must not look like its end: they come in pairs around words, stand inside
        a word or mark inches. `exact`: there may be none.
        """
        inside = False
        for at in inner:
            before, after = self.text[at - 1], self.text[at + 1]
            opens = not before.isalnum() and not after.isspace()
            closes = not before.isspace() and not after.isalnum()
            if exact or at in {start, end - 1} or self.may_be_string_end(at):
                self.raise_unreadable("a quote stands inside a string")
            in_word = before.isalnum() and after.isalnum()  # as in Python's 'ship's'
            inches = not inside and NUMBER_BEFORE_QUOTE.search(self.text, max(0, at - 20), at)
            if in_word or inches:
                continue
            if opens is closes or opens is inside:
                self.raise_unreadable("a quote stands inside a string")
            inside = opens
        if inside:
            self.raise_unreadable("a quote stands inside a string")
        return self.unescape_text(self.text[start:end])

    def may_be_string_end(self, at: int) -> bool:
        """Whether the quote at `at` might begin another item of a list, or end a key."""
        before = self.text[max(0, at - 200) : at].rstrip()[-1:]
        begins = before in {",", "[", "+"} and not self.in_object
        return begins or before == ":" or self.text_after(at)[:1] == ":"

    def parse_unclosed_before_key(self, start: int, at: int) -> str:
        """A string whose closing quote or comma was forgotten before `"key":`."""
        match = UNCLOSED_STRING.fullmatch(self.text, start, at)
        if match is None or '"' in match["value"] or not self.in_object:
            self.raise_unreadable("a string does not end")
        self.at = match.end("value") + self.text.startswith('"', match.end("value"))
        return self.unescape_text(match["value"].rstrip())

    def parse_unterminated(self, start: int, *, cut: bool) -> str:
        """A string whose closing quote was forgotten before the last closing brackets.

        Only if nothing in it could have ended it before; a text that ends inside a string was cut.
        """
        rest = self.text[start:].split("```")[0].rstrip()
        content = rest.rstrip(CLOSING_BRACKETS + " \t\n")
        if cut or content in {"", rest} or any(char in content for char in ",{}[]()\n\\"):
            self.raise_unreadable("a string does not end")
        self.at = start + len(content)
        return content

    def unescape_text(self, content: str) -> str:
        """Escapes read; a backslash before any other sign stands for itself, as in LaTeX.

        Not where an odd number of quotes is escaped: it lost a quote then.
        """
        if "\\" not in content:
            return content
        lost = content.count('\\"') % 2

        def read(match: re.Match[str]) -> str:
            code = match.group(1)
            if len(code) == 5:
                return chr(int(code[1:], 16))
            if code in {"", "u"} or code.isspace() or (lost and code not in ESCAPED_CHARS):
                self.raise_unreadable("an escape does not end")
            return ESCAPED_CHARS.get(code, "\\" + code)

        plain = ESCAPE.sub(read, content)
        return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    # -- what has no quotes

    def parse_bare_value(self) -> Any:
        """A literal, a number or words, up to the next delimiter."""
        match = BARE_WORDS.match(self.text, self.at)
        if match is None:
            self.raise_unreadable(f"a value is expected, not {self.peek_char()!r}")
        self.at = match.end()
        word = match.group().strip()
        if self.peek_char() in NO_WORD_SIGNS:
            self.raise_unreadable(f"{word!r} has no quotes")
        self.skip_closing_quote(match.group())
        if word.lower() in LITERALS:
            return LITERALS[word.lower()]
        if PLAIN_NUMBER.fullmatch(word) and len(word) <= MAX_NUMBER_CHARS:
            return parse_number(word)
        first, *more = word.split() or [""]
        two_values = more and (first.lower() in LITERALS or PLAIN_NUMBER.fullmatch(first))
        if two_values or not WORD_SIGN.search(word) or first.lower() in {"nan", "infinity"}:
            self.raise_unreadable(f"{word!r} has no quotes")
        return word

    def skip_closing_quote(self, word: str) -> bool:
        """Pass over the closing quote of a word whose opening quote was forgotten."""
        if self.peek_char() not in {'"', "'", "”"} or word[-1:].isspace():
            return False
        if not (self.is_string_end(self.at, key=False) or self.text_after(self.at)[:1] == ":"):
            self.raise_unreadable(f"a quote stands after {word!r}")
        self.at += 1
        return True

    def skip_ignored(self) -> int:
        """Pass over space and comments; returns the place."""
        alone = SPACE_ALONE.match(self.text, self.at)
        self.at = alone.end() if alone else self.ignored_end(self.at)
        return self.at

    def ignored_end(self, place: int) -> int:
        """Where the space and comments that begin at `place` end; `place` itself where there are none."""
        begun: list[int] = []
        while (end := self.ignored_ends.get(place)) is None:
            begun.append(place)
            if alone := SPACE_ALONE.match(self.text, place):
                end = alone.end()
                break
            after_space = match_end(IGNORED_SPACE, self.text, place)
            end = place = self.comment_end(after_space)
            if end == after_space:
                break  # a slash that begins no comment
        self.ignored_ends.update(dict.fromkeys(begun, end))
        return end

    def comment_end(self, at: int) -> int:
        """Where the comment that begins at `at` ends; `at` itself where none begins."""
        if self.text.startswith("/*", at):
            number = bisect_left(self.comment_ends, at + 4)
            return self.comment_ends[number] if number < len(self.comment_ends) else len(self.text)
        if self.text.startswith(("//", "#"), at):
            number = bisect_left(self.line_ends, at)
            return self.line_ends[number] if number < len(self.line_ends) else len(self.text)
        return at

    def peek_char(self) -> str:
        """The character here, empty at the end."""
        return self.text[self.at : self.at + 1]

    def raise_unreadable(self, why: str) -> NoReturn:
        raise UnreadableError(f"{why}, at character {self.at}")


def match_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """The place after what the pattern matches at `at`; `at` itself where it does not match."""
    match = pattern.match(text, at)
    return match.end() if match else at


def parse_number(word: str) -> int | float:
    """A number as JSON or Python writes it, and `2.`, `.5`, `1e`."""
    plain = word.replace("_", "").rstrip("+-").rstrip("eE")
    return int(plain) if WHOLE_NUMBER.fullmatch(plain) else float(plain)
