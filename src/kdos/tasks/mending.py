"""Text that was meant to be JSON, read as JSON where only one reading is possible.

Models write JSON with trailing commas, comments, single or typographic quotes, Python's literals,
missing commas, quotes and brackets, and bare words. `mend` reads all of these by one rule: a mend
may add or drop punctuation, never a word, and where two readings are possible there is none. So a
string whose end is not marked is read only if nothing in it could have ended it earlier, and a
value that is missing is `MISSING`, not made up. It goes forward only, so it takes time linear in
the text, and nests no deeper than `DEEPEST`.
"""

import re
from typing import Any, Final, NoReturn

DEEPEST = 64  # levels; our schemas have four
MOST_VALUES = 16  # in one text
LONGEST_NUMBER = 40  # characters
LOOK_AHEAD = 2_000  # characters after a quote that tell whether it ends a string; keys are shorter
CLOSER = {"{": "}", "[": "]", "(": ")"}
CLOSERS = "}])"
QUOTES = {'"': '"', "'": "'", "`": "`´'", "“": "”", "„": "”“", "‘": "’", "´": "´'"}
LITERALS: dict[str, bool | None] = {
    "true": True,
    "false": False,
    "null": None,
    "none": None,
    "undefined": None,
}
ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"} | {c: c for c in "\"'\\/`"}

OPENER = re.compile(r"[{\[]|\A\s*\(")
FENCE = re.compile(r"```+[ \t]*[\w-]*\s*(.*?)(?:```|\Z)", re.DOTALL)
PROSE_BRACKET = re.compile(r"\[[^\[\]{}\"]*\]")
IGNORED = re.compile(
    r"(?:[\s\ufeff\u200b-\u200d\u2060]|/\*(?>.*?(?:\*/|\Z))|//[^\n]*+|#[^\n]*+)*+", re.DOTALL
)
SEPARATORS = re.compile(rf"(?:{IGNORED.pattern}(?:,|\.\.\.|…))*+{IGNORED.pattern}", re.DOTALL)
QUOTED = r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|“[^”]*”|‘[^’]*’)"
KEY_FOLLOWS = re.compile(rf"\s*,\s*{QUOTED}(?:\s*:|\s+[\"'])")
ITEM_FOLLOWS = re.compile(rf"\s*(?:{QUOTED}\s*:|[\w$]+\"?\s*:|[\w ]*{QUOTED}\s*:|[,}}\]/#.…{{]|\Z)")
VALUE_FOLLOWS = re.compile(r"[\"'{\[]|-?\d|(?:true|false|null|none)\b", re.IGNORECASE)
NEXT_ITEM = re.compile(r"(?:-?[\d.]+|true|false|null|none)\s*(?:[,\]]|\Z)", re.IGNORECASE)
LINE_KEY = re.compile(rf"{IGNORED.pattern}[\w$]+\s*:", re.DOTALL)
STUCK = re.compile(r"\w|/(?![/*])|[\s});\],.]*\"")
INCHES = re.compile(r"(?<!\w)\d[\d./]*\Z")
JOIN = re.compile(r"\+\s*[\"']")
COMMENTARY = re.compile(r"\w[\w ]*(?=\"[^\"]*\"\s*:)")
BARE_KEY = re.compile(r"[^\s,:{}\[\]()\"'“”`\\][^,:{}\[\]()\n\"'“”`\\]*")
BARE = re.compile(
    r"(?:\w{1,9}://[^\s,{}\[\]\"']+|\w\{[^{}\[\]:,\"]*\}|[^,:{}\[\]()\n\"“”`/\\]|/(?![/*]))+"
)
NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9_]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]*)?")
UNCLOSED = re.compile(r"(?P<value>.*?)(?:\"\s*,?|,)\s*\"[^\"]*", re.DOTALL)


class Missing:
    """The type of `MISSING`."""

    def __repr__(self) -> str:
        return "nothing"


MISSING: Final = Missing()  # stands where a key has no value


class UnreadableError(ValueError):
    """There is no single reading; the message says why, and at which character."""


def mend(text: str) -> list[Any]:
    """The JSON values in `text`, fenced ones alone if there are any; prose around them is left out.

    Raises `UnreadableError` if one of them has no single reading, or if there is none.
    """
    opener, fence = OPENER.search(text), FENCE.search(text)
    if fence and (opener is None or not text[opener.start() : fence.start()].strip(" \n\t[{(")):
        return [value for block in FENCE.finditer(text) for value in values_in(block.group(1))]
    return values_in(text)


def values_in(text: str) -> list[Any]:
    """The values that begin with a bracket, one after the other."""
    if text.lstrip()[:1] in QUOTES and text.strip():
        raise UnreadableError("it is one string, at character 0")
    values: list[Any] = []
    opener = OPENER.search(text)
    while opener and len(values) < MOST_VALUES:
        reader = Reader(text, opener.end() - 1)
        try:
            values.append(reader.whole_value())
        except UnreadableError:
            prose = PROSE_BRACKET.match(text, opener.start())
            if prose is None:
                raise
            reader.at = prose.end()
        opener = OPENER.search(text, reader.at)
    if not values:
        raise UnreadableError("there is no { or [ in it, at character 0")
    return values


class Reader:
    """A place in a text that moves forward, and the containers that are open there.

    `open` holds each container's bracket with the place after it.
    """

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.open: list[tuple[str, int]] = []

    def whole_value(self) -> Any:
        """The value that begins here, with nothing stuck to it but punctuation."""
        before = self.text[: self.at][-1:]
        if before.isalnum() or before in {"/", "\\", '"'}:
            self.fail("text is stuck to it")
        value = self.value()
        if STUCK.match(self.text, self.at):
            self.fail("text is stuck to it")
        return value

    def value(self) -> Any:
        """Any value."""
        self.ignore()
        char = self.peek()
        if char == "{":
            return self.an_object()
        if char in {"[", "("}:
            items = self.an_array()
            return items[0] if char == "(" and len(items) == 1 else items
        return self.joined_string() if char in QUOTES else self.bare_value()

    # -- containers

    def an_object(self) -> dict[str, Any]:
        """`{…}`."""
        self.enter("{")
        pairs: dict[str, Any] = {}
        firm = True  # nothing can belong to the value before: it was quoted or a literal
        while not self.closed():
            if firm and (commentary := COMMENTARY.match(self.text, self.at)):
                self.at = commentary.end()
            if self.peek() == "{" and [opener for opener, _ in self.open[-2:]] == ["[", "{"]:
                self.open.pop()  # [{"i": 1, {"i": 2}]: the brace of the first was forgotten
                return pairs
            key = self.key()
            start = self.ignore()
            pairs[key] = MISSING if self.peek() in {"", ",", *CLOSERS} else self.value()
            written = self.text[start : self.at]
            firm = written[:1] in {*QUOTES, *CLOSER} or written.strip().lower() in LITERALS
            self.separate()
        return pairs

    def an_array(self) -> list[Any]:
        """`[…]` or `(…)`; `["key": value]` is a list of one object."""
        self.enter(self.peek())
        items: list[Any] = []
        quoted: set[bool] = set()
        while not self.closed():
            starts_quoted = self.peek() in QUOTES
            items.append(self.value())
            if isinstance(items[-1], str):
                quoted.add(starts_quoted or self.text[self.at - 1] in QUOTES)
            if len(quoted) > 1:
                self.fail(f"{items[-1]!r} has no quotes and others have")
            self.ignore()
            if self.peek() == ":":
                items = [self.only_pair(items)]
            self.separate()
        return items

    def only_pair(self, items: list[Any]) -> dict[str, Any]:
        """The object that a key and a value in a list's brackets stand for."""
        self.at += 1
        value = self.value()
        self.ignore()
        if len(items) != 1 or not isinstance(items[0], str) or self.peek() not in {"]", ""}:
            self.fail("a key stands in a list")
        return {items[0]: value}

    def enter(self, opener: str) -> None:
        """Go into a container."""
        if len(self.open) >= DEEPEST:
            self.fail("it is nested too deeply")
        self.at += 1
        self.open.append((opener, self.at))
        self.separate()

    def closed(self) -> bool:
        """Whether the innermost container ends here; passes over its bracket.

        The bracket of an outer container ends this one too, unless this one is empty; a bracket of
        none is passed over. The end of the text, or of its fence, ends everything.
        """
        while (char := self.peek()) in CLOSERS and char:
            opener, start = self.open[-1]
            if CLOSER[opener] == char:
                self.at += 1
                goes_on = len(self.open) == 1 and char == "}"
                if goes_on and KEY_FOLLOWS.match(self.text, self.at):
                    self.separate()
                    return False  # {"a": 1}, "b": 2}: closed too early
                self.open.pop()
                return True
            if any(CLOSER[outer] == char for outer, _ in self.open):
                if not self.text[start : self.at].strip():
                    self.fail("brackets do not match")
                self.open.pop()
                return True
            self.at += 1
            self.separate()
        if char in QUOTES and not self.text[self.at + 1 :].strip():
            self.at = len(self.text)  # it was cut just after the quote that opens a string
        elif char and not self.text.startswith("```", self.at):
            return False
        self.open.pop()
        return True

    def separate(self) -> None:
        """Pass over what stands between two items: space, comments, commas, an ellipsis."""
        match = SEPARATORS.match(self.text, self.at)
        self.at = match.end() if match else self.at

    # -- strings

    def key(self) -> str:
        """A key, quoted or bare, and the colon after it."""
        if self.peek() in QUOTES:
            key = self.string(key=True)
            key = key.rstrip() if self.text[self.at - 2] == "\n" else key
        else:
            match = BARE_KEY.match(self.text, self.at)
            if match is None:
                self.fail(f"a key is expected, not {self.peek()!r}")
            self.at = match.end()
            key = match.group().strip()
            if not self.swallow_quote(match.group()) and self.peek() not in {":", "'", '"'}:
                self.fail(f"{key!r} is no key")
        self.ignore()
        if self.peek() == ":":
            self.at += 1
        return key

    def joined_string(self) -> str:
        """A quoted string, or several joined by +."""
        parts = [self.string()]
        while JOIN.match(self.text, self.ignore()):
            self.at += 1
            self.ignore()
            parts.append(self.string())
        return "".join(parts)

    def string(self, *, key: bool = False) -> str:
        """A quoted string from its opening quote on."""
        quote = self.peek()
        start = self.at + 1
        doubled = self.text.startswith(quote, start) and not self.ends_at(start, key=key)
        start += doubled
        inner: list[int] = []
        at = self.next_quote(start, QUOTES[quote])
        while at >= 0:
            twice = doubled and self.text.startswith(quote, at + 1)
            item = not key and self.next_item_follows(at)
            if twice or item or self.ends_at(at, key=key):
                self.at = at + 1 + twice
                return self.content(start, at, inner, exact=doubled or item)
            if not key and inner and self.after(at)[:1] == ":":
                return self.ended_before_key(start, at)
            inner.append(at)
            at = self.next_quote(at + 1, QUOTES[quote])
        return self.unterminated(start, cut=bool(inner) or key)

    def next_quote(self, at: int, quotes: str) -> int:
        """Where the next unescaped one of `quotes` is, or -1."""
        while at < len(self.text):
            if self.text[at] == "\\":
                at += 1
            elif self.text[at] in quotes:
                return at
            at += 1
        return -1

    def after(self, at: int) -> str:
        """The rest of the text after the quote at `at`, from its first sign on."""
        match = IGNORED.match(self.text, at + 1)
        place = match.end() if match else at + 1
        return self.text[place : place + LOOK_AHEAD]

    def ends_at(self, at: int, *, key: bool) -> bool:
        """Whether what follows the quote at `at` is what follows a string here."""
        rest = self.after(at)
        if key:
            return rest[:1] == ":" or bool(VALUE_FOLLOWS.match(rest))
        if not rest or rest[0] in "}]" or rest.startswith("```") or JOIN.match(rest):
            return True
        if rest[0] == ")":
            return any(opener == "(" for opener, _ in self.open)
        in_array = self.open[-1:] == [] or self.open[-1][0] != "{"
        if rest[0] == ":":
            return in_array
        return rest[0] == "," and (in_array or bool(ITEM_FOLLOWS.match(rest, 1)))

    def next_item_follows(self, at: int) -> bool:
        """Whether another item follows the quote at `at` though the comma is missing."""
        rest = self.after(at)
        if self.open and self.open[-1][0] == "{":
            return "\n" in self.text[at + 1 : at + 200] and bool(LINE_KEY.match(rest))
        gap = self.text[at + 1 : at + 2]
        return gap.isspace() and bool(rest[:1] in {'"', "'"} or NEXT_ITEM.match(rest))

    def content(self, start: int, end: int, inner: list[int], *, exact: bool) -> str:
        """The text between two quotes, unescaped.

        Quotes inside it must not look like its end: they come in pairs around words, stand inside
        a word or mark inches. `exact`: there may be none.
        """
        inside = False
        for at in inner:
            before, after = self.text[at - 1], self.text[at + 1]
            opens = not before.isalnum() and not after.isspace()
            closes = not before.isspace() and not after.isalnum()
            if exact or at in {start, end - 1} or self.looks_like_an_end(at):
                self.fail("a quote stands inside a string")
            if before.isalnum() and after.isalnum():
                continue
            if not inside and self.marks_inches(at):
                continue
            if opens is closes or opens is inside:
                self.fail("a quote stands inside a string")
            inside = opens
        if inside:
            self.fail("a quote stands inside a string")
        return self.unescaped(self.text[start:end])

    def looks_like_an_end(self, at: int) -> bool:
        """Whether the quote at `at` might begin another item of a list, or end a key."""
        before = self.text[max(0, at - 200) : at].rstrip()[-1:]
        begins = before in {",", "[", "+"} and self.open[-1][0] != "{"
        return begins or before == ":" or self.after(at)[:1] == ":"

    def marks_inches(self, at: int) -> bool:
        """Whether the quote at `at` follows a number that stands alone."""
        return bool(INCHES.search(self.text, max(0, at - 20), at))

    def ended_before_key(self, start: int, at: int) -> str:
        """A string whose closing quote or comma was forgotten before `"key":`."""
        match = UNCLOSED.fullmatch(self.text, start, at)
        if match is None or '"' in match["value"] or self.open[-1][0] != "{":
            self.fail("a string does not end")
        self.at = match.end("value") + self.text.startswith('"', match.end("value"))
        return self.unescaped(match["value"].rstrip())

    def unterminated(self, start: int, *, cut: bool) -> str:
        """A string whose closing quote was forgotten before the last closing brackets.

        Only if nothing in it could have ended it before; a text that ends inside a string was cut.
        """
        rest = self.text[start:].split("```")[0].rstrip()
        content = rest.rstrip(CLOSERS + " \t\n")
        if cut or content in {"", rest} or any(char in content for char in ",{}[]()\n\\"):
            self.fail("a string does not end")
        self.at = start + len(content)
        return content

    def unescaped(self, content: str) -> str:
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
            if code in {"", "u"} or code.isspace() or (lost and code not in ESCAPES):
                self.fail("an escape does not end")
            return ESCAPES.get(code, "\\" + code)

        plain = re.sub(r"\\(u[0-9a-fA-F]{4}|.?)", read, content, flags=re.DOTALL)
        return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    # -- what has no quotes

    def bare_value(self) -> Any:
        """A literal, a number or words, up to the next delimiter."""
        match = BARE.match(self.text, self.at)
        if match is None:
            self.fail(f"a value is expected, not {self.peek()!r}")
        self.at = match.end()
        word = match.group().strip()
        if self.peek() and self.peek() in ":({[\\`":
            self.fail(f"{word!r} has no quotes")
        self.swallow_quote(match.group())
        if word.lower() in LITERALS:
            return LITERALS[word.lower()]
        if NUMBER.fullmatch(word) and len(word) <= LONGEST_NUMBER:
            return as_number(word)
        first, *more = word.split() or [""]
        two_values = more and (first.lower() in LITERALS or NUMBER.fullmatch(first))
        if two_values or not re.search(r"\w", word) or first.lower() in {"nan", "infinity"}:
            self.fail(f"{word!r} has no quotes")
        return word

    def swallow_quote(self, word: str) -> bool:
        """Pass over the closing quote of a word whose opening quote was forgotten."""
        if self.peek() not in {'"', "'", "”"} or word[-1:].isspace():
            return False
        if not (self.ends_at(self.at, key=False) or self.after(self.at)[:1] == ":"):
            self.fail(f"a quote stands after {word!r}")
        self.at += 1
        return True

    def ignore(self) -> int:
        """Pass over space and comments; returns the place."""
        match = IGNORED.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def peek(self) -> str:
        """The character here, empty at the end."""
        return self.text[self.at : self.at + 1]

    def fail(self, why: str) -> NoReturn:
        """Give up."""
        raise UnreadableError(f"{why}, at character {self.at}")


def as_number(word: str) -> int | float:
    """A number as JSON or Python writes it, and `2.`, `.5`, `1e`."""
    plain = word.replace("_", "").rstrip("+-").rstrip("eE")
    return int(plain) if re.fullmatch(r"-?\d+", plain) else float(plain)
