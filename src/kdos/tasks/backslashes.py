r"""Backslashes that a model meant as signs and did not double: ``"\frac{1}{2}"``, ``"C:\temp"`` in its JSON.

JSON reads ``\f``, ``\b``, ``\n``, ``\r`` and ``\t`` as control characters, so that what was meant is lost without a
word: ``\frac`` becomes a form feed and "rac". Nobody writes a form feed or a backspace before a letter. A line break
and a tab are common, so there the letters after them must be a command of LaTeX (`kdos.latex`), or the whole must be a
path of files. What was doubled rightly stays as it is.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator

from kdos.latex import COMMAND, COMMAND_IN_MATHS

# Between two quotes that are not escaped: inside a string, or outside of all, where nothing is escaped.
_RUN = re.compile(r'(?:[^"\\]|\\.)++', re.DOTALL)
_SUSPICIOUS = re.compile(r"\\(?:[bf][A-Za-z]|[nrt][a-z]|[nt][A-Z]|u(?![0-9a-fA-F]{4}))")
_SIGN_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*+\\[bf][A-Za-z]")  # where one of them is no control character, none is
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_LETTERS = re.compile(r"[A-Za-z]+")
_DIAGRAM = re.compile(r"\s*+(?:```+\w*\\n\s*+)?(?:flowchart|graph|mindmap)\b")
_LINE_BREAK = re.compile(r"\\n(?![a-z])(?!Rightarrow|Leftarrow)")
_DOUBLED_COMMAND = re.compile(r"\\\\[A-Za-z]")
# As Pandoc has it: an opening dollar sign stands before what is no space, a closing one after it and before no digit.
_MATHS = re.compile(
    r"(?<!\\)\$\$(?:[^$]){1,2000}\$\$|(?<![\\$])\$(?![\s$])[^$]{1,500}(?<![\s\\])\$(?!\d)"
    r"|\\\((?:(?!\\[()]).){1,500}\\\)|\\\[(?:(?!\\[][]).){1,2000}\\\]",
    re.DOTALL,
)
_OPERANDS = (re.compile(r"(?:^|[\s($=])[A-Za-z0-9]{1,2} ?$"), re.compile(r" ?[A-Za-z0-9]{1,2}(?![A-Za-z0-9])"))
# Names of folders and files, each after a backslash that stands alone. Spaces may stand inside a name that another
# backslash follows, as in "Program Files".
_NAME = r"[\w.()&$%#~+'@-]"
_STEP = rf"\\(?!\\)(?:{_NAME}+(?: {_NAME}+){{0,3}}(?=\\(?!\\)\w)|{_NAME}*)"
_PATH = re.compile(
    rf"(?:(?<![A-Za-z0-9])[A-Za-z]:|(?<![\w.])\.{{1,2}}|%\w{{1,40}}%|(?<!\S)~|(?<![\w\\])\\\\[\w.-]+"
    rf"|HKEY_[A-Z_]{{1,20}}|HK[CL][UMR])(?:{_STEP})+"
)
_RELATIVE_PATH = re.compile(r"(?<![\w\\}.-])[A-Za-z_][\w.-]++(?:\\(?!\\)[\w.-]+)+")
# What shows that such words are a path: a backslash that escapes nothing, or a usual name of a folder.
_OF_A_PATH = re.compile(r"\\(?:[^\\bfnrtu\s\"'/`]|(?:tests?|tools?|te?mp|templates?|target|node_modules)\b)")


def double_lone_backslashes(text: str) -> str:
    """What was meant to be JSON, each backslash doubled that was meant as a sign and would be read as another."""
    return _RUN.sub(lambda run: _double_in_run(run[0]), text) if _SUSPICIOUS.search(text) else text


def _double_in_run(run: str) -> str:
    if not _SUSPICIOUS.search(run):
        return run
    places = {*_path_backslashes(run), *_command_backslashes(run)}
    if places and not _DOUBLED_COMMAND.search(run):
        # Who doubles none means two by two: the end of a row of a matrix.
        places.update(at for match in _ESCAPE.finditer(run) if match[0] == "\\\\" for at in match.span())
    return "".join("\\" * (at in places) + sign for at, sign in enumerate(run))


def _path_backslashes(run: str) -> Iterator[int]:
    """The places of the backslashes of paths; a line break before a capital letter ends a path."""
    for path in _PATH.finditer(run):
        yield from _until_line_break(run, *path.span())
    for path in _RELATIVE_PATH.finditer(run):
        if _OF_A_PATH.search(path[0]):
            yield from _until_line_break(run, *path.span())


def _until_line_break(run: str, start: int, end: int) -> Iterator[int]:
    for match in _ESCAPE.finditer(run, start, end):
        if _LINE_BREAK.match(run, match.start()):
            return
        is_server = match[0] == "\\\\"  # two backslashes before its name, read as one escape
        yield from range(match.start(), match.start() + 1 + is_server)


def _command_backslashes(run: str) -> Iterator[int]:
    """The places of the backslashes of LaTeX commands that JSON would read as a control character."""
    mathematics = [match.span() for match in _MATHS.finditer(run)]
    anywhere = None if _DIAGRAM.match(run) else COMMAND
    signs = bool(_SIGN_ESCAPE.search(run))
    before = ""
    for match in _ESCAPE.finditer(run):
        at, escape = match.start(), match[0]
        indented = escape == "\\t" and before in {"\\n", "\\t"} and run.endswith(before, 0, at)
        command = COMMAND_IN_MATHS if _is_mathematics(run, at, mathematics) else anywhere
        if escape in {"\\b", "\\f"}:
            lone = signs
        elif escape in {"\\n", "\\r", "\\t"}:
            lone = bool(command and not indented and command.match(run, at + 1))
        else:
            lone = escape == "\\u"  # no four digits follow
        if lone:
            yield at
        before = escape


def _is_mathematics(run: str, at: int, stretches: list[tuple[int, int]]) -> bool:
    r"""Whether the place lies in one of the stretches, or between two operands: ``a \ne b``."""
    number = bisect_right(stretches, (at, at)) - 1
    if number >= 0 and at < stretches[number][1]:
        return True
    before, after = _OPERANDS
    name = _LETTERS.match(run, at + 1)
    return bool(name and before.search(run[max(0, at - 5) : at]) and after.match(run, name.end()))
