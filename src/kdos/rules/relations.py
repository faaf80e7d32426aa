"""The sentences the rules engine understands, as a table: facts written out and read back.

A relation has one sentence. Its slots stand in braces; code slots come in backquotes. A question may ask for a slot
only where all others together leave one possible value, over every document and not just in one passage.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
    "eighteenth", "nineteenth", "twentieth",
)  # fmt: skip

DOTTED_NAME = r"[A-Za-z_][\w.]*"
# How a slot reads in a sentence. Names and values of code stand in backquotes.
CODE_SLOTS = {
    "owner": DOTTED_NAME,
    "parameter": r"\w+",
    "member": r"\w+",
    "module": DOTTED_NAME,
    "class": DOTTED_NAME,
    "value": r"[^`]+",
}
TEXT_SLOTS = {
    "count": r"\d+",
    "ordinal": "|".join(ORDINALS),
    "noun": r"[a-z]+(?: [a-z]+)?",
    "kind": r"class method|static method",
    "passing": r"positional-only|keyword-only|variadic positional|variadic keyword",
    # A method's count of parameters leaves its own `self` out, and says so.
    "besides": r"(?: besides `self`)?",
    # Endings that follow from other slots: the plural of a count, "a" or "an" before a noun.
    "s": r"s?",
    "n": r"n?",
    "sentence": r"[^“”]+",
    # A subject may hold the full stop of an initial or within a word, none that ends a sentence.
    # It is the shortest that fits, its object the longest: "was born in" belongs to the sentence.
    # Atomic: a full stop that two alternatives match would double the ways to read each initial.
    "subject": r"[^\W_](?>[^.;:?!]|\.(?! [A-Z][a-z])|(?<=\b[A-Z])\.)*?",
    "object": r"[^\W_](?>[^.;:?!]|\.(?! [A-Z][a-z])|(?<=\b[A-Z])\.)*",
}


@dataclass(frozen=True)
class Relation:
    """One kind of fact.

    `topic` is the slot that names what the sentence is about. `clauses` say the fact of a topic
    already named: a verb phrase ("has 3 members"), or one that starts with {its}. `asks` gives, for
    each slot that may be asked for, ways to ask: {topic} is where the topic is mentioned, or what
    it is where it is asked for; {the_parameter} a parameter by its name or its place.
    `object_clause` says the fact of what stands in its `object_slot`, where that names a thing of
    its own: "which is the only base class of {owner}". `nameless` is the clause that does not name
    the module.
    """

    name: str
    sentence: str
    clauses: tuple[str, ...]
    asks: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    topic: str = "owner"
    object_slot: str = ""
    object_clause: str = ""
    nameless: str = ""

    @cached_property
    def opening(self) -> str:
        """What every sentence of this relation begins with, to tell most others apart at once."""
        return self.sentence.partition("{")[0]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What matches a sentence of this relation, with a group for each slot."""
        # Split by a group: every second part is the name of a slot.
        parts = re.split(r"\{(\w+)\}", self.sentence)
        texts = (_slot_pattern(p) if i % 2 else re.escape(p) for i, p in enumerate(parts))
        # The first place where the words after a subject stand is the only one that can do: what an object may not
        # hold no subject may hold either. Atomic, so that "was born in" a thousand times is read once.
        whole = "".join(texts).replace("(?P<subject>", "(?>(?P<subject>")
        return re.compile(whole.replace("(?P<object>", r"(?=[^\W_]))(?P<object>"))

    def write_sentence(self, **slots: str) -> str:
        """The sentence that states the fact with these slots."""
        return self.sentence.format_map(quote_code_slots(slots))


def _slot_pattern(slot: str) -> str:
    if slot in CODE_SLOTS:
        return f"`(?P<{slot}>{CODE_SLOTS[slot]})`"
    return f"(?P<{slot}>{TEXT_SLOTS[slot]})"


def quote_code_slots(slots: Mapping[str, str]) -> dict[str, str]:
    """The slots as they are written: names and values of code in backquotes."""
    return {slot: f"`{text}`" if slot in CODE_SLOTS else text for slot, text in slots.items()}


def _triple_relation(name: str, sentence: str, *asks: str, object_clause: str, clause: str = "") -> Relation:
    """A relation of a `subject`, which is its topic, and an `object`, which may be asked for.

    Its clause is the sentence without the subject it begins with, where no other is given.
    """
    clause = clause or sentence.removeprefix("{subject} ").removesuffix(".")
    return Relation(
        name, sentence, (clause,), {"object": asks}, topic="subject", object_slot="object", object_clause=object_clause
    )


# The table is laid out by hand, as many wordings a line as fit.
# fmt: off
PYTHON_RELATIONS = (
    # What an object is and where it stands; what is not asked for, the other slots do not settle.
    Relation("kind", "{owner} is a{n} {noun} of the module {module}.",
        ("is a{n} {noun} of the module {module}", "belongs to the module {module}"),
        nameless="is a{n} {noun}"),
    Relation("defines", "The class {owner} defines the {noun} {member}.",
        ("defines the {noun} {member}", "has a {noun} named {member} of its own")),
    Relation("method kind", "The method {owner} is a {kind}.",
        ("is a {kind}",),
        {"kind": (
            "What kind of method is {topic}?",
            "As what kind of method does its class define {topic}?",
            "Which kind of method was {topic} made?",
            "Of which method kind is {topic}?",
            "Among the kinds of methods, which is {topic}?")}),
    # Counts of a signature. A method's own `self` is left out and the sentence says so ("besides").
    Relation("parameter count", "The signature of {owner} has {count} parameter{s}{besides}.",
        ("has {count} parameter{s}{besides} in its signature",
         "takes {count} parameter{s}{besides}",
         "{its} signature lists {count} parameter{s}{besides}"),
        {"count": (
            "How many parameters{besides} does the signature of {topic} have?",
            "How many parameters{besides} are there in the signature of {topic}?",
            "What is the number of parameters{besides} that the signature of {topic} lists?",
            "All its parameters{besides} counted, how many does the signature of {topic} have?",
            "The signature of {topic} has how many parameters{besides}?",
            "What number of parameters{besides} does {topic} take by its signature?")}),
    Relation("required count",
        "The signature of {owner} has {count} required parameter{s}{besides}.",
        ("has {count} required parameter{s}{besides}",
         "cannot do without {count} of its parameters{besides}",
         "{its} signature has {count} required parameter{s}{besides}"),
        {"count": (
            "How many required parameters{besides} does the signature of {topic} have?",
            "How many of the parameters{besides} in the signature of {topic} are required?",
            "What is the number of required parameters{besides} in the signature of {topic}?",
            "The signature of {topic} has how many required parameters{besides}?",
            "How many parameters{besides} in the signature of {topic} have to be given?")}),
    # Single parameters: by their place, their default, how they are passed, and their annotations.
    Relation("position", "The {ordinal} parameter of {owner}{besides} is {parameter}.",
        ("{its} {ordinal} parameter{besides} is {parameter}",
         "names its {ordinal} parameter{besides} {parameter}",
         "takes {parameter} as its {ordinal} parameter{besides}"),
        {"parameter": (
            "What is the {ordinal} parameter{besides} of {topic}?",
            "What is the name of the {ordinal} parameter{besides} of {topic}?",
            "Which parameter comes {ordinal}{besides} in the signature of {topic}?",
            "Which name does the {ordinal} parameter{besides} of {topic} bear?",
            "In the signature of {topic}, which parameter stands {ordinal}{besides}?",
            "How is the {ordinal} parameter{besides} of {topic} called?"),
         "ordinal": (
            "In which place among the parameters{besides} of {topic} does {parameter} stand?",
            "Which place does {parameter} hold among the parameters{besides} of {topic}?",
            "At which position is {parameter} among the parameters{besides} of {topic}?",
            "Counted from the left, in which place does {parameter} come among the "
            "parameters{besides} of {topic}?")}),
    Relation("default", "The parameter {parameter} of {owner} has the default value {value}.",
        ("{its} parameter {parameter} has the default value {value}",
         "gives its parameter {parameter} the default value {value}",
         "sets {parameter} to {value} by default",
         "{its} parameter {parameter} defaults to {value}"),
        {"value": (
            "What is the default value of {the_parameter} of {topic}?",
            "Which default value does {the_parameter} of {topic} have?",
            "Which value does {the_parameter} of {topic} take when the caller leaves it out?",
            "To which value does {the_parameter} of {topic} default?",
            "What value is used for {the_parameter} of {topic} unless a call passes another?",
            "If a call of {topic} does not pass {the_parameter}, which value is used for it?")}),
    Relation("passing", "The parameter {parameter} of {owner} is {passing}.",
        ("{its} parameter {parameter} is {passing}",
         "declares its parameter {parameter} as {passing}"),
        {"passing": (
            "What kind of parameter is {the_parameter} of {topic}?",
            "Of which parameter kind is {the_parameter} of {topic}?",
            "How is {the_parameter} of {topic} to be passed by its kind?",
            "Which kind does the signature give {the_parameter} of {topic}?",
            "Which kind of parameter is {the_parameter} of {topic}?")}),
    Relation("return annotation", "The return annotation of {owner} is {value}.",
        ("{its} return annotation is {value}", "is annotated to return {value}"),
        {"value": (
            "What is the return annotation of {topic}?",
            "Which type does {topic} name in its return annotation?",
            "What does {topic} return according to its annotation?",
            "Which return annotation does {topic} carry?")}),
    Relation("annotation", "The parameter {parameter} of {owner} has the annotation {value}.",
        ("{its} parameter {parameter} has the annotation {value}",
         "annotates {parameter} with {value}"),
        {"value": (
            "Which annotation does {the_parameter} of {topic} have?",
            "What is the annotation of {the_parameter} of {topic}?",
            "With which type is {the_parameter} of {topic} annotated?",
            "Which type does the signature name for {the_parameter} of {topic}?")}),
    # Classes. A lone base has a relation of its own; several are told by their order.
    Relation("base", "The only base class of {owner} is {class}.",
        ("{its} only base class is {class}", "derives from {class} alone",
         "has {class} as its only base class"),
        {"class": (
            "What is the only base class of {topic}?",
            "From which class is {topic} directly derived?",
            "Which class is the only direct base of {topic}?",
            "Which class does {topic} directly inherit from?",
            "{topic} is a direct subclass of which class?")},
        object_slot="class", object_clause="which is the only base class of {owner}"),
    Relation("base in order", "The {ordinal} base class of {owner} is {class}.",
        ("{its} {ordinal} base class is {class}", "lists {class} {ordinal} among its base classes"),
        {"class": (
            "What is the {ordinal} base class of {topic}?",
            "Which class comes {ordinal} among the base classes of {topic}?",
            "Which class stands {ordinal} in the list of bases of {topic}?",
            "Among the direct bases of {topic}, which class is the {ordinal}?")},
        object_slot="class", object_clause="which is the {ordinal} base class of {owner}"),
    Relation("method count", "The class {owner} itself defines {count} public method{s}.",
        ("itself defines {count} public method{s}", "has {count} public method{s} of its own"),
        {"count": (
            "How many public methods does the class {topic} itself define?",
            "What is the number of public methods that {topic} itself defines?",
            "Inherited ones left out, how many public methods does {topic} define?",
            "How many public methods stand in the body of the class {topic} itself?",
            "The class {topic} itself defines how many public methods?")}),
    # Values, by what holds them.
    Relation("constant", "The constant {owner} has the value {value}.",
        ("has the value {value}", "{its} value is {value}", "stands for {value}"),
        {"value": (
            "What is the value of the constant {topic}?",
            "Which value does the constant {topic} have?",
            "What value does {topic} stand for?",
            "To which value is the constant {topic} set?",
            "The constant {topic} holds which value?")}),
    Relation("attribute", "The class attribute {owner} has the value {value}.",
        ("has the value {value}", "{its} value is {value}", "is set to {value}"),
        {"value": (
            "What is the value of the class attribute {topic}?",
            "Which value does the class attribute {topic} have?",
            "To which value does its class set the attribute {topic}?",
            "The class attribute {topic} holds which value?",
            "What does the class attribute {topic} hold before any instance changes it?")}),
    # What enumerations, tuples and modules hold. The places count from the left.
    Relation("member", "The member {member} of the enumeration {owner} has the value {value}.",
        ("{its} member {member} has the value {value}",
         "gives its member {member} the value {value}"),
        {"value": (
            "What is the value of the member {member} of the enumeration {topic}?",
            "Which value does {member} have in the enumeration {topic}?",
            "In the enumeration {topic}, which value belongs to {member}?",
            "Which value stands behind {member} in {topic}?"),
         "member": (
            "Which member of the enumeration {topic} has the value {value}?",
            "What is the name of the member with the value {value} in the enumeration {topic}?",
            "In the enumeration {topic}, to which member does the value {value} belong?",
            "Under which name does the enumeration {topic} hold the value {value}?")}),
    Relation("member count", "The enumeration {owner} has {count} members.",
        ("has {count} members", "{its} members number {count}"),
        {"count": (
            "How many members does the enumeration {topic} have?",
            "What is the number of members of the enumeration {topic}?",
            "The enumeration {topic} consists of how many members?",
            "Aliases left out, how many members are there in the enumeration {topic}?")}),
    Relation("field", "The {ordinal} field of {owner} is {member}.",
        ("{its} {ordinal} field is {member}", "has {member} as its {ordinal} field"),
        {"member": (
            "What is the {ordinal} field of {topic}?",
            "Which field of {topic} comes {ordinal}?",
            "What is the name of the {ordinal} entry among the fields of {topic}?",
            "Which name stands {ordinal} among the fields of {topic}?"),
         "ordinal": (
            "In which position does {member} stand among the fields of {topic}?",
            "Which place does {member} hold among the fields of {topic}?",
            "At which position is {member} among the fields of {topic}?",
            "Counted from the left, in which place does {member} come among the fields of "
            "{topic}?")}),
    Relation("export count", "The module {owner} lists {count} names in its `__all__`.",
        ("lists {count} names in its `__all__`", "{its} `__all__` lists {count} names"),
        {"count": (
            "How many names does the module {topic} list in its `__all__`?",
            "What is the length of the list `__all__` of the module {topic}?",
            "The `__all__` of the module {topic} holds how many names?",
            "How many names does the module {topic} export through `__all__`?")}),
    # The only relation that asks for its topic: the source keeps a sentence of a documentation only
    # where it stands in no other object's.
    Relation("documentation", "The documentation of the {noun} {owner} says “{sentence}”.",
        ("{its} documentation says “{sentence}”", "is documented with the words “{sentence}”"),
        {"owner": (
            "Which {topic} has documentation that says “{sentence}”?",
            "The words “{sentence}” stand in the documentation of which {topic}?",
            "“{sentence}”: so says the documentation of which {topic}?",
            "Of which {topic} does the documentation say “{sentence}”?",
            "Which {topic} is documented with the words “{sentence}”?",
            "By the full name, which {topic} does the documentation describe with the words "
            "“{sentence}”?")}),
)

# People, places and works: relations of EntityQuestions (Sciavolino et al. 2021), with wordings of
# our own. Only the object is asked for: many subjects may have one object.
TRIPLE_RELATIONS = (
    _triple_relation("place of birth", "{subject} was born in {object}.",
        "Where was {topic} born?", "In which place was {topic} born?",
        "What is the birthplace of {topic}?", "{topic} was born in which place?",
        object_clause="in which {subject} was born"),
    _triple_relation("place of death", "{subject} died in {object}.",
        "Where did {topic} die?", "In which place did {topic} die?",
        "What is the place of death of {topic}?", "{topic} died in which place?",
        object_clause="in which {subject} died"),
    _triple_relation("spouse", "{subject} is married to {object}.",
        "To whom is {topic} married?", "Who is {topic} married to?",
        "What is the name of the person to whom {topic} is married?",
        "{topic} is married to whom?",
        object_clause="to whom {subject} is married"),
    _triple_relation("capital", "The capital of {subject} is {object}.",
        "What is the capital of {topic}?", "Which city is the capital of {topic}?",
        "Which city does {topic} have as its capital?", "{topic} has which city as its capital?",
        clause="has {object} as its capital",
        object_clause="which is the capital of {subject}"),
    _triple_relation("author", "{subject} was written by {object}.",
        "Who wrote {topic}?", "Who is the author of {topic}?", "By whom was {topic} written?",
        "{topic} was written by whom?",
        object_clause="by whom {subject} was written"),
    _triple_relation("education", "{subject} was educated at {object}.",
        "Where was {topic} educated?", "At which school was {topic} educated?",
        "Which institution educated {topic}?", "{topic} was educated at which institution?",
        object_clause="at which {subject} was educated"),
    _triple_relation("founder", "{subject} was founded by {object}.",
        "Who founded {topic}?", "By whom was {topic} founded?", "Who is the founder of {topic}?",
        "{topic} was founded by whom?",
        object_clause="by whom {subject} was founded"),
    _triple_relation("owner", "{subject} is owned by {object}.",
        "Who owns {topic}?", "By whom is {topic} owned?", "Who is the owner of {topic}?",
        "{topic} is owned by whom?",
        object_clause="by whom {subject} is owned"),
    _triple_relation("location", "{subject} is located in {object}.",
        "Where is {topic} located?", "In which place is {topic} located?",
        "What is the location of {topic}?", "{topic} is located in which place?",
        object_clause="in which {subject} is located"),
    _triple_relation("headquarters", "The headquarters of {subject} are in {object}.",
        "Where are the headquarters of {topic}?",
        "In which place are the headquarters of {topic}?",
        "Which place holds the headquarters of {topic}?",
        "{topic} has headquarters in which place?", clause="has headquarters in {object}",
        object_clause="in which {subject} has headquarters"),
    _triple_relation("creator", "{subject} was created by {object}.",
        "Who created {topic}?", "By whom was {topic} created?", "Who is the creator of {topic}?",
        "{topic} was created by whom?",
        object_clause="by whom {subject} was created"),
    _triple_relation("performer", "{subject} was performed by {object}.",
        "Who performed {topic}?", "By whom was {topic} performed?",
        "Who is the performer of {topic}?", "{topic} was performed by whom?",
        object_clause="by whom {subject} was performed"),
    _triple_relation("producer", "{subject} is produced by {object}.",
        "Who produces {topic}?", "By whom is {topic} produced?",
        "Which company produces {topic}?", "{topic} is produced by whom?",
        object_clause="by whom {subject} is produced"),
    _triple_relation("label", "{subject} is represented by the label {object}.",
        "Which label represents {topic}?", "By which label is {topic} represented?",
        "What is the name of the label that represents {topic}?",
        "{topic} is represented by which label?",
        object_clause="by which {subject} is represented"),
    _triple_relation("language", "The language of {subject} is {object}.",
        "What is the language of {topic}?", "Which language does {topic} have?",
        "In which language is {topic}?", "{topic} has which language?",
        clause="has {object} as its language",
        object_clause="which is the language of {subject}"),
    _triple_relation("genre", "The genre of {subject} is {object}.",
        "What is the genre of {topic}?", "Which genre does {topic} have?",
        "To which genre does {topic} belong?", "{topic} belongs to which genre?",
        clause="has {object} as its genre",
        object_clause="which is the genre of {subject}"),
)
# fmt: on
