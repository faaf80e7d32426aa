"""What a question is about: its text in, the names in it out."""

import re

CAPITAL = r"[A-Z][\w.&’'-]*"
PART = rf"(?:{CAPITAL}|\d[\w.-]*|#\d+)"
LINK = r"(?:of the|of|the|de la|de|von|van der|van|du|del|in the|in|for the|for|on the|a)"
NUMBER = r"(?:\d{4}|\d+(?:st|nd|rd|th))"
RUN = re.compile(rf"(?:{NUMBER} )?{CAPITAL}(?:[,:]? {PART}| {LINK} {PART})*")
QUOTED = re.compile(r"“([^”]+)”|\"([^\"]+)\"|`([^`]+)`|《([^》]+)》")
ASKING = re.compile(
    r"(?:What|Which|Who|Whom|Whose|Where|When|Why|How|In|On|At|Of|For|From|By|To|With|Is|Are|Was|"
    r"Were|Do|Does|Did|Has|Have|Had|Can|Could|Name|Give|List|Tell|Among|Given|Knowing|During|After|"
    r"Before|Under|Since|If|I|Please|That|This|These|Those|Find|State|And|Also|About|Considering|"
    r"Provided|Concerning)\b[ ,:]*"
)
OPENING = re.compile(r"(?:The|A|An)\b ")
ENDING = re.compile(r"(?:['’]s?|[.,?!;:])+$")
NOT_A_NAME = re.compile(
    r"(?:(?:January|February|March|April|May|June|July|August|September|October|November|December)"
    r"[\d ,]*|American|English|British|French|German|Italian|Spanish|Chinese|Japanese|Russian|"
    r"Dutch|European|Indian|Greek|Roman|Actor|Actress|President|Governor|King|Queen)"
)


def question_entities(question: str) -> list[str]:
    """The names in a question, as they are written, in order; what stands in quotes is one."""
    found = [next(filter(None, match.groups())) for match in QUOTED.finditer(question)]
    plain = QUOTED.sub(" ", question)
    for match in RUN.finditer(plain):
        name = match[0]
        while asking := ASKING.match(name):
            name = name[asking.end() :]
        if name != match[0] or match.start() == 0:
            name = OPENING.sub("", name, count=1)
        name = ENDING.sub("", name)
        if len(name) > 1 and not name[0].islower() and not NOT_A_NAME.fullmatch(name):
            found.append(name)
    return list(dict.fromkeys(found))
