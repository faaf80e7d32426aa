"""What a model thought, told apart from what it answers: thoughts in tags and in channels. No I/O, no clock.

Thoughts are never taken for an answer: where it cannot be told what is which, there is no answer. Our design, after
what the templates of reasoning models write.
"""

import re

import orjson

THOUGHT_TAG = re.compile(
    r"<(?:(?P<close>/)?(?i:(?:\w{1,16}[:_])?(?:think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|analysis))>"
    r"|\|(?P<close2>/)?(?i:think(?:ing)?)\|>"
    r"|\|(?i:begin|(?P<close3>end))_of_thought\|>"
    r"|\|(?i:start|(?P<close4>end))_(?i:thinking)\|>"
    r"|\|channel>thought|(?P<close5>channel\|>)"
    r"|unused94>|(?P<close6>unused95>))"
    r"|\[(?P<close7>/)?THINK\]"
    r"|◁(?P<close8>/)?think▷"
)
"""Where thoughts begin and end, as the models' templates write it; a group that took part is an end."""
ANSWER_TAG = re.compile(r"<\|(?:(?:begin|end)_of_solution|(?:start|end)_response)\|>", re.IGNORECASE)
"""What some templates put around the answer after the thoughts."""
CHANNEL, CHANNEL_MESSAGE = "<|channel|>", "<|message|>"
CHANNEL_END = re.compile(r"<\|(?:end|return|start|call)\|>")
GLUED_CHANNEL = re.compile(r"(?:analysis|commentary)(?:[A-Z]|\s*assistantfinal)")
"""How a text in channels begins whose special tokens were left out."""
GLUED_FINAL = "assistantfinal"


def separate_reasoning(text: str) -> tuple[str, str]:
    """The answer and the thoughts in a text; the answer is empty where there are only thoughts."""
    # One of three marks is in every tag: looking for them takes a hundredth of the pattern's time.
    in_channels = CHANNEL in text or GLUED_CHANNEL.match(text) is not None
    in_tags = ("<" in text or "THINK]" in text or "◁" in text) and THOUGHT_TAG.search(text) is not None
    if not (in_channels or in_tags) or _is_json(text):
        return text, ""
    return _read_channels(text) if in_channels else _read_tags(text)


def _read_tags(text: str) -> tuple[str, str]:
    """What stands outside of tags. An end without a beginning ends thoughts that began in the prompt."""
    answer: list[str] = []
    thoughts: list[str] = []
    inside, start = False, 0
    for tag in THOUGHT_TAG.finditer(text):
        piece = text[start : tag.start()]
        if tag.lastgroup:
            thoughts += [piece] if inside else [*answer, piece]
            answer = answer if inside else []
            inside = False
        elif inside or not _begins_line(text, tag.start(), start):
            continue  # a tag that is written about
        else:
            answer.append(piece)
            inside = True
        start = tag.end()
    if inside:  # cut off within thoughts
        return "", text.strip()
    answer.append(text[start:])
    said = "".join(answer)
    return (ANSWER_TAG.sub("", said).strip() if thoughts else text), "".join(thoughts).strip()


def _begins_line(text: str, place: int, start: int) -> bool:
    """Whether only spaces stand before a place, back to the line's beginning or to `start`."""
    return not text[max(start, text.rfind("\n", 0, place)) : place].strip()


def _read_channels(text: str) -> tuple[str, str]:
    """The last message of the channel `final`; the rest is thoughts."""
    if CHANNEL in text:
        thoughts, _, final = text.rpartition(CHANNEL)
        name, _, said = final.partition(CHANNEL_MESSAGE)
        is_final = name.strip().startswith("final")
        answer = CHANNEL_END.split(said, maxsplit=1)[0] if is_final else ""
        return answer.strip(), (thoughts if is_final else text).strip()
    thoughts, glue, answer = text.rpartition(GLUED_FINAL)
    return (answer.strip(), thoughts.strip()) if glue else ("", text.strip())


def _is_json(text: str) -> bool:
    """Whether all of a text is one JSON value: tags in it are written about."""
    if text.lstrip()[:1] not in {"{", "["}:
        return False
    try:
        orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return False
    return True
