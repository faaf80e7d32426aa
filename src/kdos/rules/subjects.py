"""What an English sentence tells of, where its first words say so, and what it tells."""

import re

from kdos.rules.instances import NAME, NOT_NAMES

PRONOUN = re.compile(r"(?:He|She|It|They)\b")
PERSONAL = ("He", "She")
# Finite verbs that follow a subject; of the others only those in -ed, which nothing else at that place ends in.
VERB = (
    r"(?:(?:also|then|later|first|soon|still|often|never|now) )?"
    r"(?:is|was|are|were|has|had|have|does|did|can|could|will|would|may|might|must|became|becomes|began|won|wrote|made|"
    r"took|led|held|gave|went|came|left|lost|built|found|kept|fell|rose|ran|saw|said|sold|sent|set|spent|stood|taught|"
    r"thought|told|contains?|includes?|provides?|consists|covers|lies|remains?|serves|uses|offers|hosts|stands|[a-z]+ed)\b"
)
MOST_WORDS = 6
SUBJECT = re.compile(rf"(?P<subject>(?:[^\W_][\w'’.-]* ){{1,{MOST_WORDS}}}?)(?P<predicate>{VERB}.*)", re.DOTALL)
PERSON = re.compile(
    rf"(?:[^\W_][\w'’.-]* ){{1,{MOST_WORDS}}}?(?:was born|died|married|wrote|said|argued|composed|painted)\b"
)
# "It was there that he ...": it stands for nothing.
EXPLETIVE = re.compile(r"It (?:is|was) .*\b(?:that|who|which)\b|(?:It|There) (?:is|was|are|were) [a-z]+ (?:to|that)\b")


def split_subject(sentence: str) -> tuple[str, str]:
    """The few words before the first verb, without their article, and all from the verb on; or two empty texts."""
    found = SUBJECT.match(sentence)
    if found is None or EXPLETIVE.match(sentence):
        return "", ""
    return found["subject"].strip().removeprefix("The "), found["predicate"]


def relative_pronoun(sentence: str) -> str:
    """ "who" or "which", where the sentence shows what its subject is; else empty."""
    if sentence.startswith(PERSONAL) or PERSON.match(sentence):
        return "who"
    return "which" if sentence.startswith(("It ", "The ")) else ""


def is_name(text: str) -> bool:
    """Is the text one whole name, and no other word with a capital?"""
    return NAME.fullmatch(text) is not None and NOT_NAMES.fullmatch(text.split()[0]) is None
