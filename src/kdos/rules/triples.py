"""Relations of people, places and works, as sentences: the second table the engine reads with.

They are among those of EntityQuestions (Sciavolino et al. 2021), with wordings of our own. A fact
has a `subject` and an `object`; only the object is asked for.
"""

from kdos.rules.relations import Relation


def triple(name: str, sentence: str, clause: str, *asks: str) -> Relation:
    """A relation whose subject is its topic."""
    return Relation(name, sentence, (clause,), {"object": asks}, topic="subject")


TRIPLES = (
    triple(
        "place of birth",
        "{subject} was born in {object}.",
        "was born in {object}",
        "Where was {topic} born?",
        "In which place was {topic} born?",
        "What is the birthplace of {topic}?",
        "{topic} was born in which place?",
    ),
    triple(
        "place of death",
        "{subject} died in {object}.",
        "died in {object}",
        "Where did {topic} die?",
        "In which place did {topic} die?",
        "What is the place of death of {topic}?",
        "{topic} died in which place?",
    ),
    triple(
        "spouse",
        "{subject} is married to {object}.",
        "is married to {object}",
        "To whom is {topic} married?",
        "Who is {topic} married to?",
        "What is the name of the person to whom {topic} is married?",
        "{topic} is married to whom?",
    ),
    triple(
        "capital",
        "The capital of {subject} is {object}.",
        "has {object} as its capital",
        "What is the capital of {topic}?",
        "Which city is the capital of {topic}?",
        "Which city does {topic} have as its capital?",
        "{topic} has which city as its capital?",
    ),
    triple(
        "author",
        "{subject} was written by {object}.",
        "was written by {object}",
        "Who wrote {topic}?",
        "Who is the author of {topic}?",
        "By whom was {topic} written?",
        "{topic} was written by whom?",
    ),
    triple(
        "education",
        "{subject} was educated at {object}.",
        "was educated at {object}",
        "Where was {topic} educated?",
        "At which school was {topic} educated?",
        "Which institution educated {topic}?",
        "{topic} was educated at which institution?",
    ),
    triple(
        "founder",
        "{subject} was founded by {object}.",
        "was founded by {object}",
        "Who founded {topic}?",
        "By whom was {topic} founded?",
        "Who is the founder of {topic}?",
        "{topic} was founded by whom?",
    ),
    triple(
        "owner",
        "{subject} is owned by {object}.",
        "is owned by {object}",
        "Who owns {topic}?",
        "By whom is {topic} owned?",
        "Who is the owner of {topic}?",
        "{topic} is owned by whom?",
    ),
    triple(
        "location",
        "{subject} is located in {object}.",
        "is located in {object}",
        "Where is {topic} located?",
        "In which place is {topic} located?",
        "What is the location of {topic}?",
        "{topic} is located in which place?",
    ),
    triple(
        "headquarters",
        "The headquarters of {subject} are in {object}.",
        "has headquarters in {object}",
        "Where are the headquarters of {topic}?",
        "In which place are the headquarters of {topic}?",
        "Which place holds the headquarters of {topic}?",
        "{topic} has headquarters in which place?",
    ),
    triple(
        "creator",
        "{subject} was created by {object}.",
        "was created by {object}",
        "Who created {topic}?",
        "By whom was {topic} created?",
        "Who is the creator of {topic}?",
        "{topic} was created by whom?",
    ),
    triple(
        "performer",
        "{subject} was performed by {object}.",
        "was performed by {object}",
        "Who performed {topic}?",
        "By whom was {topic} performed?",
        "Who is the performer of {topic}?",
        "{topic} was performed by whom?",
    ),
    triple(
        "producer",
        "{subject} is produced by {object}.",
        "is produced by {object}",
        "Who produces {topic}?",
        "By whom is {topic} produced?",
        "Which company produces {topic}?",
        "{topic} is produced by whom?",
    ),
    triple(
        "label",
        "{subject} is represented by the label {object}.",
        "is represented by the label {object}",
        "Which label represents {topic}?",
        "By which label is {topic} represented?",
        "What is the name of the label that represents {topic}?",
        "{topic} is represented by which label?",
    ),
    triple(
        "language",
        "The language of {subject} is {object}.",
        "has {object} as its language",
        "What is the language of {topic}?",
        "Which language does {topic} have?",
        "In which language is {topic}?",
        "{topic} has which language?",
    ),
    triple(
        "genre",
        "The genre of {subject} is {object}.",
        "has {object} as its genre",
        "What is the genre of {topic}?",
        "Which genre does {topic} have?",
        "To which genre does {topic} belong?",
        "{topic} belongs to which genre?",
    ),
)
