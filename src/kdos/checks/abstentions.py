"""Whether an answer says that it has none: wordings of models and of people (our design)."""

import re

_NOT = r"(?:do(?:es)? not|did not|don't|doesn't|didn't|can ?not|can't|could not|couldn't)"
_UNABLE = r"(?:am|is|are|was|were)(?: currently)? (?:unable|not able) to"
_KNOW = r"(?:know|have|find|provide|verify|determine|recall|access|answer|confirm|locate|see|say|tell|identify)"
_REFUSE = (
    r"(?:cannot|can't|can not|won't|will not|must decline to|decline to|refuse to) "
    r"(?:help|assist|comply|fulfil|share|disclose|discuss|respond|engage|do that|do this|provide|answer|give)"
)
_SOURCES = (
    r"(?:knowledge base|sources?|context|documents?|information|data|records?|results?"
    r"|passage|text|article|paragraph|excerpt|story)"
)
_TELL = r"(?:contain|provide|include|indicate|specify|mention|state|say|show|have|answer|give|tell|address)"
_UNKNOWN = (
    r"(?:unknown|unclear|uncertain|undetermined|unanswerable|unspecified|undisclosed|inconclusive"
    r"|n/?a|dunno|idk|no idea"
    r"|no clue|none given|no answer|no data|no information|i have no idea|not sure|can't say|cannot say|don't know"
    r"|do not know|not (?:known|stated|specified|mentioned|given|provided|available|applicable|clear"
    r"|certain|answerable"
    r"|found|disclosed|in the (?:passage|text|context|article)))"
)
# Only the first sentence is searched, so that an answer followed by a reservation counts as one.
_DECLINES = re.compile(
    rf"\b(?:i|we)(?:'m| am| are)? (?:really |currently |also |still |honestly |just |simply )?{_NOT}"
    rf"(?: \w+)? {_KNOW}\b"
    rf"|\b(?:i|we) {_UNABLE}\b|\bi'm (?:unable|not able) to\b|\bunable to (?:answer|determine|find"
    rf"|provide|help|assist)\b"
    rf"|\b(?:i|we) {_REFUSE}\b"
    r"|\b(?:i'm|i am|we are|we're) (?:not (?:really |quite |entirely )?(?:sure|aware|certain"
    r"|familiar)|unsure|uncertain)\b"
    rf"|\b{_SOURCES} {_NOT} {_TELL}\b"
    r"|\b(?:is|are|was|were) not (?:publicly |readily |widely |explicitly )?"
    r"(?:available|known|disclosed|mentioned|specified|stated|provided)\b"
    r"|\b(?:there(?:'s| is)|i have|i've|i found|with) no (?:\w+ ){0,3}"
    r"(?:information|data|records?|mention|knowledge|way (?:to|of) (?:know|tell|find|determin|verif|answer)\w*)\b"
    r"|\b(?:not enough|insufficient) (?:\w+ )?(?:information|context|data|details?|evidence)\b"
    r"|\b(?:cannot|can't|can not|could not|couldn't) be (?:determined|answered|found|verified"
    r"|inferred|known|established)"
    r"|\bas an? (?:ai|large language|language) (?:\w+ )?(?:model|assistant)\b|\bas an ai\b"
    rf"|^(?:it is |it's |that is |that's |this is |(?:the )?answer(?: is|:)? )?{_UNKNOWN}"
    r"(?: (?:in|from|by|to) .{0,60})?\W*$"
    r"|^i (?:really )?(?:have )?no (?:idea|clue)\b|^sorry\b|\bbeats me\b|\byour guess is as good as mine\b"
    r"|\bi(?:'d| would) need more\b|\bi haven't (?:a|the) (?:clue|faintest|slightest)"
    r"|\b(?:ich )?wei(?:ß|ss) (?:ich )?(?:es |das )?(?:leider )?nicht\b|\bkeine ahnung\b"
    r"|\b(?:je )?(?:ne |n')?(?:l'|le |en )?sais (?:pas|rien)\b|\baucune idée\b"
    r"|^no (?:lo )?s[eé]\W*$|\bno lo sé\b|\bno sé\b|\bno tengo (?:ni )?idea\b|^non (?:lo )?so\W*$|\bnon lo so\b"
    r"|\bn[aã]o (?:o )?sei\b|\bweet (?:ik )?(?:het )?niet\b|\bgeen idee\b|\bvet (?:jag )?inte\b"
    r"|\bnie wiem\b|\bbilmiyorum\b"
    r"|我不知道|不清楚|无法(?:确定|回答|提供|得知|判断)|不知道|没有(?:相关|足够)?的?信息|未提及|无从得知"
    r"|(?:わか|分か|知)りません|모르겠|모릅니다|알 수 없"
    r"|не знаю|нет информации|не могу (?:ответить|найти)|неизвестно\W*$|لا أعرف|لا أعلم|पता नहीं|नहीं (?:जानता|पता)"
)
# What every one of them holds: an expression over a long sentence costs a hundred times as much.
_HINTS = (
    *("not", "n't", "no ", "know", "unable", "sure", "certain", "unknown", "unclear", "sorry", "as an", "beats me"),
    *("un", "n/a", "na", "idk", "dunno", "insuffic", "inconclusive", "guess is", "need more", "haven", "decline"),
    *("nicht", "ahnung", "sais", "aucune", "sé", "no se", "so", "sei", "niet", "idee", "inte", "wiem", "bilm"),
)
_GUESSES = re.compile(
    r"[,;]? but (?:i (?:think|believe|guess|would|suspect)|i'd|it(?:'s| is| was| might| may| could"
    r"| must)|probably|possibly"
    r"|perhaps|maybe|my (?:best )?guess)\b"
)
# Not `kdos.pool.sentences`: the answer is case-folded, and its first stop is all that is asked for.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=[。！？])|\n")
_TITLE_WORD = re.compile(r"\b(?!I\b)[A-Z][a-z']+")


def declines_to_answer(answer: str) -> bool:
    """Whether the first sentence says that there is no answer; one that guesses all the same does not."""
    first = _SENTENCE_END.split(answer.strip(), maxsplit=1)[0].replace("’", "'")
    plain = first.casefold()
    if plain.isascii() and not any(map(plain.__contains__, _HINTS)):
        return False
    found = _DECLINES.search(plain)
    if found is None or _GUESSES.match(plain, found.end()) or _GUESSES.search(plain, found.end()):
        return False
    return not _is_title(first, found)


def _is_title(sentence: str, found: re.Match[str]) -> bool:
    """Is the wording part of a title, as in "I Don't Know How to Love Him"?"""
    words = sentence[found.start() : found.end()].split()
    capitals = _TITLE_WORD.findall(sentence[found.start() : found.end()])
    goes_on = sentence[found.end() :].strip(" .!?\"'”’")
    return len(capitals) >= min(2, len(words)) and bool(_TITLE_WORD.search(goes_on))
