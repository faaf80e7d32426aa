"""The body of a `flowchart` or `graph`: statements in, nodes and edges out.

One scanner walks over the text once. It reads more than Mermaid does where the meaning is plain
(one-dash arrows, long dashes, labels with brackets in them, several statements on a line), and
stops with a `LogicError` where it is not. Most lines are one node or one arrow with quoted labels:
those are read by a single expression, and whatever it does not match takes the long way.
"""

import html
import re

from kdos.latex import COMMAND
from kdos.logic.diagram import Edge, LogicError, Node, check_size

# Models write typographic dashes too: hyphens to horizontal bar, and the minus sign.
_DASH = "[-‐-―−]"
_NAME = r"\w++(?:[-.]\w++)*+"
_SPACE = re.compile(r"[ \t]+")
_GAP = re.compile(r"(?:\s|;|%%[^\n]*+)++")
_REST_OF_LINE = re.compile(r"[^\n;]*")
_QUOTED = r'(?:\["([^"\n]*)"\])?'
# The short way: a whole line ``a["x"] --> b["y"]``. Names must not be `end`, a keyword.
_USUAL = re.compile(
    rf"[ \t]*(?!end\b)({_NAME}){_QUOTED}(?:[ \t]*-->[ \t]*(?:\|([^|\n]*)\|[ \t]*)?"
    rf"(?!end\b)({_NAME}){_QUOTED})?[ \t]*(?:[;\n]|\Z)"
)
_NODE = re.compile(rf'({_NAME})(?:[ \t]*\["([^"\n]*)"\]|[ \t]*\[([^\][(){{}}"“”„\n/\\]+)\])?')
_QUOTED_NODE = re.compile(r'"([^"\n]+)"')
# `@{shape: rect, label: "x"}`: pairs on one line or several, each value in either quotes or bare. A comma belongs to a
# bare value unless a key follows it.
_KEY = r"[\"']?\w++[\"']?[ \t]*+:"
_VALUE = rf"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\n]|'')*+'(?=\s*+[,}}\n])|(?:[^,}}\n\"']|,(?!\s*+{_KEY})|(?<!\s)[\"'])*+"
_PAIR = re.compile(rf"\s*+[\"']?(\w++)[\"']?[ \t]*+:[ \t]*+({_VALUE})\s*+,?", re.DOTALL)
_ATTRIBUTES_END = re.compile(r"\s*+\}")
_NAMED_ATTRIBUTES = re.compile(r"([\w-]++)@(?=\{)")
_CLASS = re.compile(r":::[\w-]+")
_DESCRIPTION = re.compile(r"accDescr[ \t]*\{[^}]*+\}")
# Statements about looks, unless what follows shows that the keyword is the name of a node.
_STYLING = re.compile(r"(?:style|classDef|class|linkStyle|click|direction|accTitle|accDescr)\b:?[ \t]*(?![-=&<.\[({])")
_SUBGRAPH = re.compile(rf'subgraph\b[ \t]*+({_NAME})?[ \t]*+(?:\[[ \t]*+"?[^"\]\n]*+"?[ \t]*+\]|"[^"\n]*+"|[^\n;]*+)')
# `end` closes a subgraph; before a bracket or an arrow it is a node that is called so.
_END = re.compile(rf"end\b(?![ \t]*(?:[\[({{&]|{_DASH}|=))")
# Lazy and bounded: the text of an arrow ends at the first thing that can close it on its line.
_SAID = r"(?:\"[^\"\n]*\"|[^\n]{1,200}?)"
# One link. `left` is a head on its left; then one of: an arrow without words, a cross or circle
# head, an invisible link, words within a normal, thick or dotted arrow, a line without a head; then
# words between bars. A head after words has a group of its own: without it the link is a line.
_LINK = re.compile(
    rf"""(?:(?P<id>[\w-]++)@(?!\{{))?(?P<left><|[ox](?={_DASH}{{2}}))?(?:
      (?P<arrow>{_DASH}{{1,2}}\.+{_DASH}?>|\.+{_DASH}>|{_DASH}+>|=+>|[→⟶⇒➔➜])
    | (?P<cross>{_DASH}{{2,}}[xo](?=[\s|]))
    | (?P<hidden>~{{3,}})
    | {_DASH}{{2}}(?!{_DASH}|>)[ \t]*+(?P<said>{_SAID})[ \t]*+(?:{_DASH}+(?P<head>>)|{_DASH}{{3,}})
    | ==(?![=>])[ \t]*+(?P<loud>{_SAID})[ \t]*+(?:=+(?P<loudhead>>)|={{3,}})
    | {_DASH}\.[ \t]*+(?![-.])(?P<soft>{_SAID})[ \t]*+\.+{_DASH}(?P<softhead>>?)
    | (?P<line>{_DASH}\.+{_DASH}|{_DASH}{{2,}}|={{3,}}|(?<=<)[-=])
    )(?:[ \t]*+\|[ \t]*+(?P<piped>"[^"\n]*+"(?=[ \t]*+\|)|[^|\n]*+)[ \t]*+\|>?)?""",
    re.VERBOSE,
)
# What begins a statement where the line break between two statements was lost.
_NEXT = re.compile(
    rf"\w++(?:\.\w++)*+{_DASH}"
    rf"|{_NAME}(?:[ \t]*+[\[({{&>]|@\{{|[ \t]*+(?:\w++@)?[<ox]?(?:{_DASH}|==|=>|~~~|[→⟶⇒➔➜]))"
)
# Longer openings before the shorter ones they begin with.
_SHAPES = tuple(
    tuple(pair.split())
    for pair in (
        "((( )))", "(( ))", "([ ])", "[[ ]]", "[( )]", "[/ /]", "[/ \\]", "[\\ \\]", "[\\ /]",
        "{{ }}", "[ ]", "( )", "{ }", "> ]",
    )
)  # fmt: skip
_OPENING_QUOTE = re.compile(r'[ \t]*["“”„]`?')
_CLOSING = {close: re.compile(r'`?["“”]\s*' + re.escape(close)) for _, close in _SHAPES}
_ARROW = re.compile(rf"(?:{_DASH}|=)>")
_BREAK = re.compile(rf"<br[ \t]*/?>|\\(?!{COMMAND.pattern})n", re.IGNORECASE)
_TAG = re.compile(r"</?(?:b|i|u|em|strong|sub|sup|span|p|div|code|small|font|center)(?:\s[^<>]*)?>", re.IGNORECASE)
_CODE = re.compile(r"#(\w+);")
_IN_QUOTES = re.compile(r"""(["'“”„])(.*)["'“”]""", re.DOTALL)
# Nearly no label holds any of these: looking for them first saves the four substitutions.
_MARK = re.compile(r"[<&#\\`]")


class FlowchartReader:
    """What has been read so far; `members` lists each subgraph's nodes by the subgraph's name."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.labels: dict[str, str] = {}
        self.edges: list[Edge] = []
        self.members: dict[str, list[str]] = {}
        self.open_subgraphs: list[str] = []
        self.edge_names: set[str] = set()

    def read_statements(self, position: int) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
        """Read all statements from `position` on."""
        text = self.text
        while position < len(text):
            self._check_size()
            if usual := _USUAL.match(text, position):
                source, source_label, said, target, target_label = usual.groups()
                self._remember_node(source, source_label)
                if target is not None:
                    self._remember_node(target, target_label)
                    label = clean_label(strip_quotes(said)) if said else ""
                    self.edges.append(Edge(source, target, label))
                position = usual.end()
            elif gap := _GAP.match(text, position):
                position = gap.end()
            else:
                position = self._read_statement(position)
        if self.open_subgraphs:
            raise LogicError(f"subgraph {self.open_subgraphs[-1]!r} has no `end`", len(text))
        self._check_size()
        edges = tuple(self._expand_subgraphs() if self.members else self.edges)
        return tuple(map(Node._make, self.labels.items())), edges

    def _check_size(self, *, more_edges: int = 0) -> None:
        check_size(nodes=len(self.labels), edges=len(self.edges) + more_edges)

    # Each of these reads what stands at `position` and says where it ends.

    def _read_statement(self, position: int) -> int:
        text = self.text
        letter = text[position]
        if letter == "s" and (found := _SUBGRAPH.match(text, position)):
            name = found[1] or f"subgraph {len(self.members)}"
            self.members.setdefault(name, [])
            self.open_subgraphs.append(name)
            return found.end()
        if letter == "e" and (found := _END.match(text, position)):
            if not self.open_subgraphs:
                raise LogicError("`end` closes a subgraph, and none is open", position)
            self.open_subgraphs.pop()
            return found.end()
        if (found := _NAMED_ATTRIBUTES.match(text, position)) and found[1] in self.edge_names:
            return _read_attributes(text, found.end())[1]
        if letter == "a" and (found := _DESCRIPTION.match(text, position)):
            return found.end()
        if letter in "sclda" and _STYLING.match(text, position):
            return _skip_pattern(_REST_OF_LINE, text, position)
        return self._read_chain(position)

    def _read_chain(self, position: int) -> int:
        """Read ``A & B --> C --> D``."""
        text = self.text
        sources, position = self._read_joined_nodes(position)
        while True:
            position = _skip_pattern(_SPACE, text, position)
            link = _LINK.match(text, position)
            if link is None:
                break
            # Models break a line after an arrow; Mermaid itself would not read on.
            start = _skip_pattern(_SPACE, text, link.end())
            if text.startswith(("\n", "\r\n"), start):
                start = _skip_pattern(_GAP, text, start)
            if start >= len(text):
                raise LogicError("a node was expected after the arrow", link.start())
            targets, position = self._read_joined_nodes(start)
            self._add_link_edges(sources, targets, link)
            sources = targets
        self._require_end(position)
        return position

    def _add_link_edges(self, sources: list[str], targets: list[str], link: re.Match[str]) -> None:
        """Add an edge from each source to each target; a hidden link only places boxes."""
        self.edge_names.add(link["id"])
        if link["hidden"]:
            return
        spoken = link["piped"] or link["said"] or link["loud"] or link["soft"] or ""
        forward = any(link[head] for head in ("arrow", "cross", "head", "loudhead", "softhead"))
        # ``A <-- B`` leads from B to A; heads at both ends make an edge that reads both ways.
        if link["left"] == "<" and not forward:
            sources, targets = targets, sources
            directed = True
        else:
            directed = forward and not link["left"]
        label = clean_label(strip_quotes(spoken.strip("|"))) if spoken else ""
        self._check_size(more_edges=len(sources) * len(targets))
        self.edges += [Edge(s, t, label, directed) for s in sources for t in targets]

    def _read_joined_nodes(self, position: int) -> tuple[list[str], int]:
        """Read ``A & B``."""
        text = self.text
        names: list[str] = []
        while True:
            name, position = self._read_node(position)
            names.append(name)
            after = _skip_pattern(_SPACE, text, position)
            if not text.startswith("&", after):
                return names, position
            position = _skip_pattern(_SPACE, text, after + 1)

    def _read_node(self, position: int) -> tuple[str, int]:
        """Read one node with its label, if it has one."""
        text = self.text
        found = _NODE.match(text, position)
        if found is None:
            found = _QUOTED_NODE.match(text, position)
            if found is None:
                raise _expected_error("a node was expected", text, position)
            # ``"a label"`` stands where a name should.
            self._remember_node(found[1], found[1])
            return found[1], found.end()
        name, quoted, plain = found.groups()
        label, end = strip_quotes(plain) if plain else quoted, found.end()
        if label is None:
            label, end = self._read_label(end)
        if text.startswith("@{", end):
            attributes, end = _read_attributes(text, end + 1)
            label = attributes.get("label", label)
        if text.startswith(":::", end):
            end = _skip_pattern(_CLASS, text, end)
        self._remember_node(name, label)
        return name, end

    def _read_label(self, position: int) -> tuple[str | None, int]:
        """Read a label in brackets of any shape: what it says (None: no label), where it ends."""
        text = self.text
        if text.startswith("@{", position):
            attributes, end = _read_attributes(text, position + 1)
            return attributes.get("label"), end
        start = _skip_pattern(_SPACE, text, position)
        # ">" opens a flag ``A>label]`` but is also how an arrow ends.
        if text[start : start + 1] not in tuple("[({") and not _is_flag_label(text, position):
            return None, position
        for opening, closing in _SHAPES:
            if not text.startswith(opening, start):
                continue
            inside = start + len(opening)
            if found := _find_label_span(text, inside, opening, closing):
                begin, end, after = found
                label = text[begin:end]
                return label if begin > inside else strip_quotes(label), after
        raise LogicError("a label's bracket or quote is not closed", position)

    def _remember_node(self, name: str, label: str | None) -> None:
        """Note the node, its label if one is given, and the subgraph it stands in."""
        if label is not None:
            self.labels[name] = clean_label(label) or name
        # A later mention without a label changes nothing; a subgraph's name is no node.
        elif name not in self.labels and name not in self.members:
            self.labels[name] = name
        if self.open_subgraphs and name not in self.members:
            self.members[self.open_subgraphs[-1]].append(name)

    def _require_end(self, position: int) -> None:
        """Raise unless the statement ends here, or another plainly begins."""
        text = self.text
        if position >= len(text) or text[position] in "\n\r;" or text.startswith("%%", position):
            return
        if text[position - 1] in " \t])}" and (_NEXT.match(text, position) or _END.match(text, position)):
            return
        raise _expected_error("a link or the end of the statement was expected", text, position)

    def _expand_subgraphs(self) -> list[Edge]:
        """Let each edge to or from a subgraph lead to or from every node in it."""
        members = self.members
        for name in members:
            if not members[name]:
                self.labels.setdefault(name, name)
        ends = ((len(members.get(one.source) or [0]), len(members.get(one.target) or [0])) for one in self.edges)
        check_size(nodes=len(self.labels), edges=sum(sources * targets for sources, targets in ends))
        return [
            Edge(source, target, edge.label, edge.directed)
            for edge in self.edges
            for source in members.get(edge.source) or [edge.source]
            for target in members.get(edge.target) or [edge.target]
            if source != target or edge.source == edge.target
        ]


def _expected_error(expected: str, text: str, position: int) -> LogicError:
    got = text[position : position + 20].split("\n")[0]
    return LogicError(f"{expected}, got {got!r}", position)


def _read_attributes(text: str, position: int) -> tuple[dict[str, str], int]:
    """The pairs within the braces at `position`, and where they end."""
    pairs: dict[str, str] = {}
    at = position + 1
    while found := _PAIR.match(text, at):
        pairs[found[1]] = _unquote_value(found[2].strip())
        at = found.end()
    closing = _ATTRIBUTES_END.match(text, at)
    if closing is None:
        raise LogicError("what stands in @{…} must be pairs, and end", position)
    return pairs, closing.end()


def _unquote_value(value: str) -> str:
    """What a value of YAML says, in the quotes it is in."""
    if value[:1] == '"' == value[-1:]:
        return value[1:-1].replace('\\"', '"')
    return value[1:-1].replace("''", "'") if value[:1] == "'" == value[-1:] else value


def _skip_pattern(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where `pattern` ends if it stands at `position`, else `position`."""
    found = pattern.match(text, position)
    return found.end() if found else position


def _is_flag_label(text: str, position: int) -> bool:
    """Is this ``A>label]``, and not the end of an arrow?"""
    line = text[position : position + 400].split("\n")[0]
    return line.startswith(">") and "]" in line


def _find_label_span(text: str, start: int, opening: str, closing: str) -> tuple[int, int, int] | None:
    """Where what a label says begins and ends, and where its shape ends; None if it does not."""
    if quote := _OPENING_QUOTE.match(text, start):
        found = _CLOSING[closing].search(text, quote.end())
        if found is None:
            return None
        label = text[quote.end() : found.start()]
        # A quote and an arrow within: the closing quote found is that of a later node.
        torn = '"' in label and _ARROW.search(label)
        return None if torn else (quote.end(), found.start(), found.end())
    line_end = text.find("\n", start)
    line = text[start : line_end if line_end >= 0 else len(text)]
    if len(closing) == 1:
        end = find_balanced_end(line, opening, closing)
    else:
        end = line.find(closing)
        # ``((f(x)))``: of brackets in a row the last ones close the shape.
        while end >= 0 and line[end + len(closing) : end + len(closing) + 1] == closing[-1]:
            end += 1
    return (start, start + end, start + end + len(closing)) if end >= 0 else None


def find_balanced_end(line: str, opening: str, closing: str) -> int:
    """Index of the `closing` that matches an `opening` just before the line, or -1."""
    depth = 1
    for index, letter in enumerate(line):
        depth += (letter == opening) - (letter == closing)
        if depth == 0:
            return index
    return -1


def clean_label(label: str) -> str:
    """The label without HTML, Mermaid's character codes, Markdown's backticks and extra space."""
    if _MARK.search(label) is None and _evenly_spaced(label):
        return label
    text = label.strip()
    if len(text) > 1 and text[0] == text[-1] == "`" and text.count("`") == 2:
        text = text[1:-1]
    text = _TAG.sub("", _BREAK.sub(" ", text.replace('\\"', '"')))
    return " ".join(html.unescape(_CODE.sub(_html_entity, text)).split())


def strip_quotes(label: str) -> str:
    """The label without one pair of quotes around all of it."""
    found = _IN_QUOTES.fullmatch(label.strip())
    return found[2] if found and found[1] not in found[2] else label


def _evenly_spaced(label: str) -> bool:
    # White space other than a space is not printable.
    return label.isprintable() and "  " not in label and label == label.strip(" ")


def _html_entity(code: re.Match[str]) -> str:
    # Mermaid's ``#quot;`` or ``#35;`` as HTML writes it.
    return f"&#{code[1]};" if code[1].isdigit() else f"&{code[1]};"
