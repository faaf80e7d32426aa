"""Is a sentence about concrete instances, or about ideas in general?"""

import re
from collections.abc import Sequence

_CASED = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏͰ-ӿ]")
_NAME = re.compile(
    r"(?<=[^\s.!?:])[ \t(\"'“‘«-]+[A-ZÀ-ÖØ-ÞΑ-ΩЀ-Я]|\d|[A-Za-z]_[A-Za-z]|\w\.\w|[a-z][A-Z]|`|__"
    r"|[\"“«‘'《「『]\w|^[A-Z]{2,}"
)
_USUAL_NAME = re.compile(r" (?<=[^\s.!?:] )[A-Z]")
_ASKS_FOR_INSTANCE = re.compile(
    r"\b(?:who|whom|whose|when|where|how (?:many|much|long|old|tall|far|deep|high|often)|(?:what|"
    r"which)(?: \w+){0,2} (?:year|date|day|month|century|decade|person|man|woman|city|town|country|"
    r"state|river|company|team|author|actor|actress|king|queen|president|name|number|species))\b",
    re.IGNORECASE,
)
_ABSTRACT = re.compile(
    r"^(?:why|explain|describe|discuss|define|compare|summari[sz]e|analy[sz]e|outline)\b"
    r"|\bwhat (?:is|are) (?:the )?(?:\w+ )?(?:importance|significance|meaning|definition|purpose|"
    r"role|nature|concept|essence|advantages?|disadvantages?|benefits?|drawbacks?|challenges?|"
    r"implications?|difference|relationship)\b"
    r"|\bhow (?:does|do|can|should|might|is|are) \w+(?: \w+)? (?:affect|influence|impact|"
    r"contribute|relate|help|shape|improve|work)\b"
    r"|\bin general\b|为什么|什么是|谈谈|论述|如何理解|意义是什么",
    re.IGNORECASE,
)


def is_abstract_sentence(sentence: str, entities: Sequence[str], *, asked_for: str) -> bool:
    """Does nothing in the sentence pin it to an instance? Only a plain case counts (our design).

    A name, number, title or identifier pins it; so does a topic entity that is a name, and, for a
    question, asking for an instance (who, when, which year) or being answered by one. Of a sentence
    in small letters only, which shows no names, the wording must be abstract as well.
    """
    if _USUAL_NAME.search(sentence) or _names_entity(sentence, entities):
        return False
    if _NAME.search(sentence):
        return False
    answered = asked_for != "" and names_instance(asked_for)
    if sentence.islower() or not _CASED.search(sentence):
        return not answered and _ABSTRACT.search(sentence) is not None
    if _ABSTRACT.search(sentence):
        return True
    if answered or (asked_for and _ASKS_FOR_INSTANCE.search(sentence)):
        return False
    return not _begins_with_name(sentence, entities)


def names_instance(text: str) -> bool:
    """Does a short text name something: has it a capital, a digit, an identifier, or no case?"""
    return text[:1].isupper() or not _CASED.search(text) or _NAME.search(f"x {text}") is not None


def _names_entity(sentence: str, entities: Sequence[str]) -> bool:
    """Does the sentence hold a topic entity that is a name?"""
    for entity in entities:
        if entity in sentence and names_instance(entity):
            return True
    lowered = sentence.casefold()
    return any(entity.casefold() in lowered and names_instance(entity) for entity in entities)


def _begins_with_name(sentence: str, entities: Sequence[str]) -> bool:
    """Does the sentence begin with a topic entity, as a statement about it does?"""
    lowered = sentence.casefold()
    return any(
        lowered.startswith((entity.casefold(), f"the {entity.casefold()}"))
        for entity in entities
        if entity
    )
