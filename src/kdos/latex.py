r"""LaTeX commands that a reader of escapes takes for a line break or a tab: ``\nu``, ``\times``.

A line break before a word is far more frequent in models' replies than LaTeX is, so only whole commands of the lists
below count, and those whose rest is a word too (``\nless``: a line that begins with "less") only where something
beside them says that it is mathematics. The lists are ours, after the LaTeX and AMS symbols and the commands of text
and tables.
"""

import re

_AFTER_N = (
    "nu nabla neq neg not notin newline newcommand normalsize nolimits nonumber nobreak nobreakspace noindent "
    "nearrow nwarrow natural nleq ngeq ngtr nsim ncong nprec nsucc nsubseteq nsupseteq nrightarrow nleftarrow "
    "nRightarrow nLeftarrow nleftrightarrow nvdash nVdash nvDash ntriangleleft ntriangleright nicefrac"
)
_AFTER_R = r"r[a-z]++"  # a carriage return before a small letter is no line end that anybody writes
_AFTER_T = (
    "theta tau times text textbf textit textrm texttt textsf textsc textup textmd textnormal textcolor textstyle "
    "textsuperscript textsubscript textwidth textheight textdegree textmu tan tanh to top tilde therefore tfrac "
    "tbinom triangle triangleq triangleleft triangleright trianglelefteq trianglerighteq twoheadrightarrow tag tiny "
    "title thinspace thicksim thickapprox tabular table toprule today"
)
_OR_A_WORD = "ne|ni|num|norm|nless|nmid|nparallel|nexists"  # e, i, um, orm, less, mid, parallel, exists
_SURE = "|".join((_AFTER_N + " " + _AFTER_T).split())
_NO_LETTER = "(?![A-Za-z])"

COMMAND = re.compile(rf"(?:{_SURE}|{_AFTER_R}|(?:{_OR_A_WORD})(?=[{{_^])){_NO_LETTER}")
"""The name of a command that is one wherever it stands."""
COMMAND_IN_MATHS = re.compile(rf"(?:{_SURE}|{_AFTER_R}|{_OR_A_WORD}){_NO_LETTER}")
