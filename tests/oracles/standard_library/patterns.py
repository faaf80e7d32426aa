"""How the sentences and questions about the standard library are worded, by relation."""

ORDINALS = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
    "eighteenth", "nineteenth", "twentieth",
]  # fmt: skip

NAME = r"`(?P<topic>[\w.]+)`"
NOUNS = (
    "function|coroutine function|generator function|method|class method|static method|property|"
    "class|abstract class|exception|enumeration|module"
)
NOUN_OF = rf"(?P<noun>{NOUNS})(?: of the module `[\w.]+`)?"
TRAIT = rf"the (?P<noun>{NOUNS}) whose documentation says “(?P<trait>[^”]+)”"
TOPIC = rf"(?:(?:the (?:{NOUNS}) )?{NAME}|{TRAIT})"
CLASS, ENUMERATION, MODULE = (rf"(?:the (?:{NOUNS}) {NAME}|{TRAIT})",) * 3
ORDINAL = rf"(?P<ordinal>{'|'.join(ORDINALS)})"
SELF = r"(?P<besides>(?: besides `self`)?)"
CLAUSES = r"(?:, (?:which|whose|in which) .*?,)?"
PARAMETER = rf"(?:the parameter `(?P<parameter>\w+)`|the {ORDINAL} parameter{SELF})"
OF_PARAMETER = rf"The parameter `(?P<parameter>\w+)` of {NAME}"

STATEMENTS: dict[str, str] = {
    "kind": rf"{NAME} is an? (?P<noun>{NOUNS}) of the module `(?P<value>[\w.]+)`",
    "defines": rf"The class {NAME} defines the (?P<noun>{NOUNS}) `(?P<value>\w+)`",
    "method kind": rf"The method {NAME} is a (?P<value>class method|static method)",
    "parameter count": rf"The signature of {NAME} has (?P<value>\d+) parameters?{SELF}",
    "required count": rf"The signature of {NAME} has (?P<value>\d+) required parameters?{SELF}",
    "parameter at": rf"The {ORDINAL} parameter of {NAME}{SELF} is `(?P<value>\w+)`",
    "default": rf"{OF_PARAMETER} has the default value `(?P<value>.+)`",
    "annotation": rf"{OF_PARAMETER} has the annotation `(?P<value>.+)`",
    "passing": rf"{OF_PARAMETER} is (?P<value>[a-z -]+)",
    "return annotation": rf"The return annotation of {NAME} is `(?P<value>.+)`",
    "only base": rf"The only base class of {NAME} is `(?P<value>[\w.]+)`",
    "base at": rf"The {ORDINAL} base class of {NAME} is `(?P<value>[\w.]+)`",
    "method count": rf"The class {NAME} itself defines (?P<value>\d+) public methods?",
    "value": rf"The (?:constant|class attribute) {NAME} has the value `(?P<value>.+)`",
    "member value": (rf"The member `(?P<member>\w+)` of the enumeration {NAME} has the value `(?P<value>.+)`"),
    "member count": rf"The enumeration {NAME} has (?P<value>\d+) members",
    "field at": rf"The {ORDINAL} field of {NAME} is `(?P<value>\w+)`",
    "export count": rf"The module {NAME} lists (?P<value>\d+) names in its `__all__`",
    "documented": rf"The documentation of the (?P<noun>{NOUNS}) {NAME} says “(?P<value>[^”]+)”",
}

QUESTIONS: list[tuple[str, str]] = [
    ("method kind", rf"(?:what|which) (?:kind of method|method kind) [a-z ]*?{TOPIC}"),
    ("method kind", rf"among the kinds of methods, which is {TOPIC}"),
    ("required count", rf"how many required parameters{SELF} does the signature of {TOPIC}"),
    ("required count", rf"how many of the parameters{SELF} in the signature of {TOPIC}{CLAUSES} are required"),
    ("required count", rf"number of required parameters{SELF} in the signature of {TOPIC}"),
    ("required count", rf"signature of {TOPIC}{CLAUSES} has how many required parameters{SELF}"),
    ("required count", rf"how many parameters{SELF} in the signature of {TOPIC}{CLAUSES} have to be given"),
    ("parameter count", rf"how many parameters{SELF} does the signature of {TOPIC}"),
    ("parameter count", rf"how many parameters{SELF} are there in the signature of {TOPIC}"),
    ("parameter count", rf"number of parameters{SELF} that the signature of {TOPIC}{CLAUSES} lists"),
    ("parameter count", rf"all its parameters{SELF} counted, how many does the signature of {TOPIC}"),
    ("parameter count", rf"signature of {TOPIC}{CLAUSES} has how many parameters{SELF}"),
    ("parameter count", rf"what number of parameters{SELF} does {TOPIC}{CLAUSES} take by its signature"),
    ("parameter at", rf"what is the {ORDINAL} parameter{SELF} of {TOPIC}"),
    ("parameter at", rf"the name of the {ORDINAL} parameter{SELF} of {TOPIC}"),
    ("parameter at", rf"which parameter comes {ORDINAL}{SELF} in the signature of {TOPIC}"),
    ("parameter at", rf"which name does the {ORDINAL} parameter{SELF} of {TOPIC}{CLAUSES} bear"),
    ("parameter at", rf"signature of {TOPIC}{CLAUSES},? which parameter stands {ORDINAL}{SELF}"),
    ("parameter at", rf"how is the {ORDINAL} parameter{SELF} of {TOPIC}{CLAUSES} called"),
    (
        "place of parameter",
        rf"in which place among the parameters{SELF} of {TOPIC}{CLAUSES} does `(?P<parameter>\w+)`",
    ),
    (
        "place of parameter",
        r"(?:which place does|at which position is|in which place does) `(?P<parameter>\w+)` "
        rf"(?:hold |come )?among the parameters{SELF} of {TOPIC}",
    ),
    ("default", rf"(?:what is the|which) default value (?:of|does) {PARAMETER} of {TOPIC}"),
    ("default", rf"which value does {PARAMETER} of {TOPIC}{CLAUSES} take when the caller"),
    ("default", rf"to which value does {PARAMETER} of {TOPIC}{CLAUSES} default"),
    ("default", rf"what value is used for {PARAMETER} of {TOPIC}{CLAUSES} unless"),
    ("default", rf"if a call of {TOPIC}{CLAUSES} does not pass {PARAMETER}, which value"),
    ("passing", rf"wh(?:at|ich) (?:kind of parameter|parameter kind) is {PARAMETER} of {TOPIC}"),
    ("passing", rf"how is {PARAMETER} of {TOPIC}{CLAUSES} to be passed by its kind"),
    ("passing", rf"which kind does the signature give {PARAMETER} of {TOPIC}"),
    ("return annotation", rf"(?:what is the|which) return annotation (?:of|does) {TOPIC}"),
    ("return annotation", rf"which type does {TOPIC}{CLAUSES} name in its return annotation"),
    ("return annotation", rf"what does {TOPIC}{CLAUSES} return according to its annotation"),
    ("annotation", rf"which annotation does {PARAMETER} of {TOPIC}"),
    ("annotation", rf"what is the annotation of {PARAMETER} of {TOPIC}"),
    ("annotation", rf"with which type is {PARAMETER} of {TOPIC}"),
    ("annotation", rf"which type does the signature name for {PARAMETER} of {TOPIC}"),
    ("only base", rf"what is the only base class of {TOPIC}"),
    ("only base", rf"from which class is {TOPIC}{CLAUSES} directly derived"),
    ("only base", rf"which class is the only direct base of {TOPIC}"),
    ("only base", rf"which class does {TOPIC}{CLAUSES} directly inherit"),
    ("only base", rf"{TOPIC}{CLAUSES} is a direct subclass of which class"),
    ("base at", rf"what is the {ORDINAL} base class of {TOPIC}"),
    ("base at", rf"which class comes {ORDINAL} among the base classes of {TOPIC}"),
    ("base at", rf"which class stands {ORDINAL} in the list of bases of {TOPIC}"),
    ("base at", rf"among the direct bases of {TOPIC}{CLAUSES},? which class is the {ORDINAL}"),
    ("method count", rf"how many public methods (?:does|stand) [a-z ]*?{TOPIC}"),
    ("method count", rf"number of public methods that {TOPIC}"),
    ("method count", rf"{CLASS}{CLAUSES} itself defines how many public methods"),
    ("value", rf"what is the value of the (?:constant|class attribute) {TOPIC}"),
    ("value", rf"which value does the (?:constant|class attribute) {TOPIC}"),
    ("value", rf"what value does {TOPIC}{CLAUSES} stand for"),
    ("value", rf"to which value is the constant {TOPIC}"),
    ("value", rf"to which value does its class set the attribute {TOPIC}"),
    ("value", rf"the (?:constant|class attribute) {TOPIC}{CLAUSES} holds which value"),
    ("value", rf"what does the class attribute {TOPIC}{CLAUSES} hold before"),
    ("member value", rf"value of the member `(?P<member>\w+)` of {ENUMERATION}"),
    ("member value", rf"which value does `(?P<member>\w+)` have in {ENUMERATION}"),
    ("member value", rf"in {ENUMERATION}{CLAUSES},? which value belongs to `(?P<member>\w+)`"),
    ("member value", rf"which value stands behind `(?P<member>\w+)` in {TOPIC}"),
    ("member of value", rf"which member of {ENUMERATION}{CLAUSES} has the value `(?P<it>[^`]+)`"),
    ("member of value", rf"name of the member with the value `(?P<it>[^`]+)` in {ENUMERATION}"),
    ("member of value", rf"in {ENUMERATION}{CLAUSES},? to which member does the value `(?P<it>[^`]+)`"),
    ("member of value", rf"which name does {ENUMERATION}{CLAUSES} hold the value `(?P<it>[^`]+)`"),
    ("member count", rf"how many members (?:does|are there in) {ENUMERATION}"),
    ("member count", rf"number of members of {ENUMERATION}"),
    ("member count", rf"{ENUMERATION}{CLAUSES} consists of how many members"),
    ("field at", rf"what is the {ORDINAL} field of {TOPIC}"),
    ("field at", rf"which field of {TOPIC}{CLAUSES} comes {ORDINAL}"),
    ("field at", rf"name of the {ORDINAL} entry among the fields of {TOPIC}"),
    ("field at", rf"which name stands {ORDINAL} among the fields of {TOPIC}"),
    (
        "place of field",
        r"(?:which position does|which place does|which position is|which place does) "
        rf"`(?P<it>\w+)` (?:stand |hold |come )?among the fields of {TOPIC}",
    ),
    ("export count", rf"how many names does {MODULE}"),
    ("export count", rf"length of the list `__all__` of {MODULE}"),
    ("export count", rf"`__all__` of {MODULE}{CLAUSES} holds how many names"),
    ("documented", rf"which {NOUN_OF}(?:,.*,)? has documentation that says “(?P<it>[^”]+)”"),
    ("documented", rf"“(?P<it>[^”]+)” stand in the documentation of which (?P<noun>{NOUNS})(?=[?,]| in the| of the)"),
    ("documented", rf"“(?P<it>[^”]+)”: so says the documentation of which (?P<noun>{NOUNS})(?=[?,]| in the| of the)"),
    ("documented", rf"of which {NOUN_OF}(?:,.*,)? does the documentation say “(?P<it>[^”]+)”"),
    ("documented", rf"\bwhich {NOUN_OF}(?:,.*,)? is documented with the words “(?P<it>[^”]+)”(?=\?| in the)"),
    (
        "documented",
        rf"full name, which {NOUN_OF}(?:,.*,)? does the documentation describe with the "
        r"words “(?P<it>[^”]+)”(?=\?| in the)",
    ),
]
