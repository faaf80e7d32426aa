"""Concrete instances in a sentence, with the words that ask for them; the names in a question.

No model and no word list of names: a kind is told by an instance's own words ("Colorado River") or
by those around it ("the composer ..."). A kind told wrongly makes a bad question, so each pattern
would rather find nothing.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kdos.pool.quotes import is_cut

MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
DAY = r"\d{1,2}(?:st|nd|rd|th)?"
YEAR_NUMBER = r"(?:1[0-9]{3}|20[0-3][0-9])"
NUMBER_WORD = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
NUMERAL = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
SCALE = r"(?: (?:hundred|thousand|million|billion|trillion))?"
# An apostrophe belongs to a name ("O'Brien") unless it is a genitive or closes a quotation.
CAPITALISED_WORD = r"[A-Z](?:[\w-]|['’](?!s\b|\W))*"
BYNAME = r"Great|Elder|Younger|Conqueror|Terrible|Wise|Bald|Pious|Bold|Good|Fair|Magnificent"
NAME_LINK = rf"(?:of the|of|de la|de|von|van der|van|du|del|al-|the(?= (?:{BYNAME})\b)|and the)"
NAME = re.compile(rf"{CAPITALISED_WORD}(?:(?: {NAME_LINK})? {CAPITALISED_WORD})*")

DATE = re.compile(rf"\b(?:{DAY} {MONTH},? {YEAR_NUMBER}|{MONTH} {DAY},? {YEAR_NUMBER})\b")
MONTH_YEAR = re.compile(rf"\b{MONTH},? {YEAR_NUMBER}\b")
# A bare number is a year only after a word of time; three digits only before a stop or "AD".
# Group `it` is what is replaced, where the pattern needs more around it.
YEAR = re.compile(
    rf"\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Ff]rom|[Bb]efore|[Aa]fter|[Aa]round|[Dd]uring|early|late|"
    rf"(?:summer|autumn|fall|winter|spring|end|beginning|year|census|{MONTH}|[A-Z]\w+) of)"
    rf" (?P<it>{YEAR_NUMBER}|\d{{3}}(?=[.,;)]| AD\b| BC))\b"
    r"(?![,.]?\d|[-–]\w|,? (?:and )?\d{4}\b| (?:[a-z]+s|people|km|m|ft|mi)\b)"
)
DECADE = re.compile(r"\b(?:the|early|late|mid) (?P<it>(?:1\d|20)\d0s)\b")
CENTURY = re.compile(r"\bthe (?P<it>\d{1,2}(?:st|nd|rd|th) century)\b")
PERCENT = re.compile(rf"(?<![\d.,–-])(?:{NUMERAL})(?:%| ?per ?cent\b)")
MONEY = re.compile(rf"(?:US)?[$£€](?:{NUMERAL}){SCALE}")
# A number before a lower-case noun that can be counted. What may follow a number without being
# counted by it is ruled out: small words, participles, ages, units that belong to a rate.
QUANTITY = re.compile(
    rf"(?<![\d.,$£€#–-])\b(?!{YEAR_NUMBER} )(?P<it>(?:{NUMERAL}){SCALE}|(?:{NUMBER_WORD}){SCALE}) "
    r"(?!of\b|and\b|or\b|to\b|in\b|on\b|at\b|by\b|for\b|from\b|with\b|is\b|was\b|were\b|are\b|per\b|"
    r"as\b|more\b|other\b|the\b|which\b|that\b|years?[- ]old|million|billion|thousand|century|"
    r"hundred|times\b|[a-z]+(?:ed|ing|ly)\b|after\b|before\b|when\b|until\b|but\b|than\b|has\b|"
    r"had\b|have\b|km/|unless\b|if\b|because\b|while\b|where\b|via\b|into\b|without\b|means\b|can\b|will\b|"
    r"may\b|must\b|should\b|would\b|either\b|instead\b|then\b|so\b|not\b)(?=[a-z])"
)
_DECIMAL = re.compile(r"\d+\.\d+")
MEASURE_AFTER = re.compile(
    r" (?:square |cubic )?(?:kilo|centi|milli|micro|nano|mega|giga|tera)?(?:met(?:er|re)|mile|f[eo][eo]t|inch|ton|"
    r"gram|lit(?:er|re)|hour|minute|second|day|month|year|degree|point|acre|hectare|byte|watt|volt|hertz|pound|ounce|gallon|yard|knot|"
    r"light|dollar|euro|per|times)"
)
# A name before a number, unless it opens the sentence as any word may.
NAME_BEFORE = re.compile(r"\S [A-Z][\w-]* $")
# What may stand before a number that names or orders a thing and counts none: "chapter 3".
UNCOUNTED = re.compile(
    r"(?:\b(?:the|these|those|his|her|its|their|our|this|all|first|last|next|other|number|no|No|"
    r"a|an|minimum|maximum|[Vv]ersions?|status|code|port|preset|stage|release|step|phase|rule|slot|index|node|"
    r"core|bit|line|column|table|figure|chapter|section|article|part|page|least|most|than|to|and|or|between|of|by|every|nearly|only|layer|"
    rf"group|level|type|grade|round|volume|verse|war|{MONTH})|[\d–(±-])\s*$"
)
TIMES = frozenset({"date", "month", "year", "decade", "century"})
"""Kinds of instances that say when."""
ENGLISH_PATTERNS = (
    ("date", DATE, "which date"),
    ("month", MONTH_YEAR, "which month of which year"),
    ("year", YEAR, "which year"),
    ("decade", DECADE, "which decade"),
    ("century", CENTURY, "which century"),
    ("share", PERCENT, "what percentage"),
    ("money", MONEY, "how much money"),
    ("count", QUANTITY, "how many"),
)


def _kinds_of_words(listed: str) -> dict[str, str]:
    """Each word with itself in lower case: what a name with this word is called."""
    return {word: word.lower() for word in listed.split()}


# A name's first or last word that says what it is the name of.
KIND_BY_FIRST_WORD = _kinds_of_words(
    "University College Battle Lake Kingdom Republic Treaty King Queen Pope Emperor Empress "
    "Prince Princess President Duke Bishop Archbishop Professor Saint Earl Count House Council "
    "Ministry Bank Museum Church County Duchy Gulf Bay Isle Fort Port Statute"
) | {"Mount": "mountain", "Sir": "person", "Dr": "doctor"}
KIND_BY_LAST_WORD = _kinds_of_words(
    "University College School River Lake Sea Ocean Island Islands Mountains Mountain Valley "
    "Desert Street Road Avenue Bridge Park County City Province Empire Dynasty War Wars "
    "Revolution Act Treaty Party Church Cathedral Museum Library Theatre Theater Stadium Company "
    "Corporation Bank Institute Society Association Award Prize Medal Cup League Committee "
    "Council Court Parliament Airport Station Railway Hospital Abbey Castle Palace Tower Bay Gulf "
    "Strait Peninsula Canal Dam Foundation Conference Agency Festival Army Navy Orchestra Journal "
    "Union Commission"
) | {"Inc": "company", "Times": "newspaper"}
# A common noun right before a name, with its article and nationality: "the French composer ".
ROLE = re.compile(
    r"(?:\b[Tt]he )?(?:\b(?:American|English|British|French|German|Italian|Scottish|Russian|Greek|"
    r"Roman|Dutch|Spanish|Irish|Polish|Austrian|Swiss|Norman|Norwegian|Chinese|Japanese|Indian) )?"
    r"\b(?P<role>actor|actress|architect|artist|author|bassist|biologist|chemist|coach|comedian|"
    r"commander|composer|critic|director|drummer|economist|emperor|engineer|explorer|film|general|"
    r"geologist|goddess|god|guitarist|historian|inventor|journalist|king|leader|lawyer|"
    r"mathematician|minister|missionary|musician|naturalist|novel|novelist|painter|philosopher|"
    r"photographer|physician|physicist|player|playwright|poet|politician|president|producer|queen|"
    r"quarterback|sculptor|scientist|singer|sociologist|songwriter|theologian|writer|city|town|"
    r"village|river|island|province|district|state|company|album|song|band|ship|tribe|species|"
    r"genus|journal|magazine|newspaper|language|country) $"
)
# What a place follows; "from" and "to" only after a verb of motion.
PLACE_BEFORE = re.compile(
    r"\b(?:in|near|throughout|across|outside|(?:moved|travell?ed|returned|migrated|emigrated|sailed|"
    r"exiled|relocated|fled) (?:from|to)) $"
)
# Acronyms and names of software ("in TLS", "in GitHub") are no places, but for those of countries.
ACRONYM = re.compile(r"\b(?!(?:US|USA|UK|UAE|USSR|EU|GDR|DC|NYC)\b)(?:[A-Z]{2,}\b|[A-Z][a-z]+[A-Z])")
BY_BEFORE = re.compile(r"\bby $")
# After a name that opens a sentence: what only people do, then what any named thing does.
PERSON_AFTER = re.compile(
    r" (?:wrote|said|argued|was born|died|married|composed|painted|believed|proposed|claimed|"
    r"stated|described|invented|discovered|won|played|directed|suggested|noted|founded|designed|"
    r"introduced|developed|published|led|ordered|studied|criticized|wanted|became|defeated)\b"
)
VERB_AFTER = re.compile(
    r" (?:is|was|has|had|became|includes?|included|contains?|contained|remains?|remained|"
    r"provides?|provided|covers?|covered|serves|served|hosts|hosted|won|gave|made|began|"
    r"consists|lies|holds|held|received|uses|used|began|formed|joined|led|built|won|lost)\b"
)
# A name before another word in lower case is part of a longer noun ("a Vermeer painting"),
# unless that word is a small one.
NEXT_WORD = re.compile(r" [a-z]")
NO_NOUN_AFTER = re.compile(
    r" (?:of|and|in|on|at|by|for|with|to|from|was|were|is|are|as|or|but|during|after|before|when|"
    r"where|which|who|that|until|since|had|has|have)\b"
)
# Words with a capital that are no name by themselves: openers, months, nationalities, titles.
NOT_NAMES = re.compile(
    rf"(?:{MONTH}|I|II|III|IV|V|The|A|An|In|On|At|He|She|It|They|We|His|Her|This|That|These|Those|"
    r"There|But|And|Or|However|Although|While|When|After|Before|During|Since|As|By|For|From|With|"
    r"To|Of|Some|Many|Most|Such|One|Two|Three|Both|All|Each|If|Its|Their|Other|Another|According|"
    r"Despite|Under|Because|Until|Through|Between|Among|Also|Not|No|Monday|Tuesday|Wednesday|"
    r"Thursday|Friday|Saturday|Sunday|AD|BC|BCE|CE|Mr|Mrs|Dr|American|English|British|French|German|"
    r"Italian|Spanish|Roman|Greek|Latin|Chinese|Japanese|Russian|European|African|Asian|Indian|"
    r"Christian|Jewish|Muslim|Islamic|Catholic|Protestant|Arabic|Irish|Scottish|Dutch|Polish|"
    r"Norman|Victorian|God|Internet|Several|Today|Early|Later|Other|First|Second|What|Who|Which|Now|Then|"
    r"Here|Thus|Hence|Instead|Currently|Finally|Once|So|Yet|Still|Even|Only|Just|Please|Note|See|Use|You|"
    r"Your|Our|We|Unless|Whether|Though|Whenever|Wherever|Whereas|Where|How|Why|Any|Every|Like|Unlike|Besides|Both|Either|Neither|Otherwise|Added|Fixed|"
    r"Changed|Removed|Set|Run|Add|Remove|Make|Do|Does|Is|Are|Can|Will|May|Must|Should)"
)
CODE_SIGNS = frozenset("/\\=<>@#$~^+*|_`{}[]")
"""What touches names and numbers in paths, options, versions and expressions, and no word of prose."""
NUMBER_AFTER = re.compile(r" \d")
# "Fort St. Frédéric", "Kurt H. Debus": the point ends no name.
ABBREVIATED_END = re.compile(r"\b(?:[A-Z]|St|Mt|Ft|Dr|Mr|Mrs|Gen|Col|Capt|Lt|Gov|Prof|Rev|Sgt)$")
# "the Treaty on the Functioning of the European Union", "St. Lawrence River".
NAME_GOES_ON = re.compile(r"\b[A-Z][\w-]* (?:on|for|against|concerning) (?:the )?$|\b(?:[A-Z]|St|Mt|Ft)\. $")
NAME_AFTER_POINT = re.compile(r"\. [A-Z]")
JOINTS = frozenset(".:-–'’,")
LONGEST_ANSWER = 60  # characters (our design)


@dataclass(frozen=True, slots=True)
class Instance:
    """Something concrete in a sentence: its text, the stretch [start, end) that a question
    replaces, and by which words.
    """

    kind: str
    text: str
    start: int
    end: int
    words: str


def find_instances(sentence: str) -> list[Instance]:
    """Every instance in an English sentence that can be asked for, dates and numbers first."""
    found: list[Instance] = []
    taken: list[tuple[int, int]] = []
    # The year in "14 October 1066" is taken with its date, before anything counts with it.
    for finder in (_find_numbers, _find_names):
        for instance in finder(sentence):
            if all(instance.end <= a or b <= instance.start for a, b in taken):
                found.append(instance)
                taken.append((instance.start, instance.end))
    # What stands twice in the sentence would stay in the question once it is replaced.
    return [
        i
        for i in found
        if len(i.text) <= LONGEST_ANSWER and sentence.count(i.text) == 1 and not _is_part(sentence, i.start, i.end)
    ]


def _is_part(sentence: str, start: int, end: int) -> bool:
    """Whether an instance is a piece of something longer: of a name, a version, a path, an option, an expression."""
    before, after = sentence[:start][-2:], sentence[end : end + 2]
    if is_cut(sentence, start, end) or before[-1:] in CODE_SIGNS or after[:1] in CODE_SIGNS or after[:1] == "(":
        return True
    if ABBREVIATED_END.search(sentence[start:end]) and NAME_AFTER_POINT.match(sentence, end):
        return True
    is_name = sentence[start:end].removeprefix("the ")[:1].isupper()
    if is_name and NUMBER_AFTER.match(sentence, end):
        return True  # "Python 3.10", "RFC 4250"
    if is_name and NAME_GOES_ON.search(sentence, max(start - LONGEST_ANSWER, 0), start):
        return True
    # A point, a colon, a hyphen or an apostrophe joins what stands on both sides of it.
    joined_before = before[-1:] in JOINTS and before[:1].isalnum() and len(before) == 2
    return joined_before or (after[:1] in JOINTS and after[1:].isalnum() and after not in {"'s", "’s"})


def _find_numbers(sentence: str) -> Iterator[Instance]:
    """Dates, months with their year, years, decades, centuries; shares, sums of money, counts."""
    for kind, pattern, words in ENGLISH_PATTERNS:
        for match in pattern.finditer(sentence):
            start, end = match.span("it" if "it" in pattern.groupindex else 0)
            text = sentence[start:end]
            if kind == "count" and UNCOUNTED.search(sentence[:start]):
                continue
            # "Python 3.6 support" names a version, and "$1" a variable.
            if kind == "count" and (NAME_BEFORE.search(sentence[:start]) or _is_version(text, sentence[end:])):
                continue
            if kind == "money" and len(text) < 3:
                continue
            # "A $5 million grant" has no place for "how much money".
            if kind == "money" and NEXT_WORD.match(sentence, end) and not NO_NOUN_AFTER.match(sentence, end):
                continue
            # "in the 1920s" asks "in which decade": the article goes with it.
            if kind in {"decade", "century"} and sentence[start - 4 : start].lower() == "the ":
                start -= 4
            yield Instance(kind, text, start, end, words)


def _is_version(number: str, after: str) -> bool:
    """Whether a number with a decimal point is none of a measure or of millions, as 3.5 km is."""
    return _DECIMAL.fullmatch(number) is not None and not MEASURE_AFTER.match(after)


def _find_names(sentence: str) -> Iterator[Instance]:
    for match in NAME.finditer(sentence):
        text = match[0]
        if NOT_NAMES.fullmatch(text) or len(text) < 3 or NOT_NAMES.fullmatch(text.split()[0]):
            continue
        before, after = sentence[: match.start()], sentence[match.end() :]
        for find_kind in KIND_FINDERS:
            if instance := find_kind(text, before, after):
                yield instance
                break


def _by_own_words(text: str, before: str, _after: str) -> Instance | None:
    """University of Oxford, King Alfred, Colorado River."""
    parts = text.split()
    kind = KIND_BY_LAST_WORD.get(parts[-1]) or KIND_BY_FIRST_WORD.get(parts[0])
    if kind is None or len(parts) < 2:
        return None
    return _name_with_article(kind, text, before, f"which {kind}")


def _by_role_before(text: str, before: str, after: str) -> Instance | None:
    """The composer Alan Gilbert."""
    role = ROLE.search(before)
    if role is None or after[:1] in {"'", "’"}:
        return None
    words = ("Which " if not before[: role.start()].strip() else "which ") + role["role"]
    end = len(before) + len(text)
    return Instance(role["role"], text, role.start(), end, words)


def _by_verb_after(text: str, before: str, after: str) -> Instance | None:
    """A subject at the beginning: "Chopin composed ...", "Paris is ..."."""
    if before.strip('"“ '):
        return None
    if PERSON_AFTER.match(after):
        return Instance("person", text, len(before), len(before) + len(text), "Who")
    if VERB_AFTER.match(after) and len(text.split()) > 1:
        return Instance("name", text, len(before), len(before) + len(text), "Who or what")
    return None


def _by_preposition_before(text: str, before: str, after: str) -> Instance | None:
    """Born in Paris, painted by Vermeer."""
    if after[:1] in {"'", "’", "-"} or (NEXT_WORD.match(after) and not NO_NOUN_AFTER.match(after)):
        return None
    if BY_BEFORE.search(before):
        return _name_with_article("person", text, before, "whom or what")
    if PLACE_BEFORE.search(before) and not ACRONYM.search(text) and not after[:2].strip().isdigit():
        return _name_with_article("place", text, before, "which place")
    return None


KIND_FINDERS: tuple[Callable[[str, str, str], Instance | None], ...] = (
    _by_own_words,
    _by_role_before,
    _by_verb_after,
    _by_preposition_before,
)


def _name_with_article(kind: str, text: str, before: str, words: str) -> Instance:
    start, end = len(before), len(before) + len(text)
    if before.endswith(("the ", "The ")):
        start -= 4
    if not before[:start].strip():
        words = words[0].upper() + words[1:]
    return Instance(kind, text, start, end, words)


CHINESE_MEASURE = (
    "平方公里|平方千米|平方米|公里|千米|厘米|毫米|米|人|名|个|座|部|次|岁|公斤|克|吨|种|所|间|层|页|集|场|"
    "位|美元|元|艘|只|张|首|届|条|家|枚"
)
CHINESE_PATTERNS = (
    ("date", re.compile(r"\d{4}年\d{1,2}月\d{1,2}日"), "哪一天"),
    ("month", re.compile(r"\d{4}年\d{1,2}月(?!\d)"), "哪年哪月"),
    ("year", re.compile(r"(?<!\d)\d{4}年(?!\d|代|度)"), "哪一年"),
    ("share", re.compile(r"(?<![\w.])\d+(?:\.\d+)?%(?!\w)"), "百分之多少"),
    ("count", re.compile(rf"(?<![\d.,第～~－-])\d+(?:[,.]\d+)*[万亿]?({CHINESE_MEASURE})"), "多少"),
    ("title", re.compile(r"(?<=《)[^《》]{2,20}(?=》)"), "哪部作品"),
)


def find_chinese_instances(sentence: str) -> list[Instance]:
    """Every instance in a Chinese sentence that can be asked for: dates, counts, titles in 《》."""
    found: list[Instance] = []
    for kind, pattern, words in CHINESE_PATTERNS:
        for match in pattern.finditer(sentence):
            start, end = match.span()
            if kind == "title":
                start, end = start - 1, end + 1
            if all(end <= i.start or i.end <= start for i in found):
                # A count is asked for with its measure word.
                measure = match[1] if kind == "count" else ""
                found.append(Instance(kind, match[0], start, end, words + measure))
    return [instance for instance in found if sentence.count(instance.text) == 1]


# Questions name things more loosely than articles do: "1992 Summer Olympics", "Toy Story 3".
QUESTION_NAME = r"[A-Z][\w.&’'-]*"
QUESTION_PART = rf"(?:{QUESTION_NAME}|\d[\w.-]*|#\d+)"
QUESTION_LINK = r"(?:of the|of|the|de la|de|von|van der|van|du|del|in the|in|for the|for|on the|a)"
YEAR_OR_ORDINAL = r"(?:\d{4}|(?<!\d)\d++(?:st|nd|rd|th))"
NAME_RUN = re.compile(
    rf"(?:{YEAR_OR_ORDINAL} )?{QUESTION_NAME}"
    rf"(?:[,:]? {QUESTION_PART}| {QUESTION_LINK} {QUESTION_PART})*"
)
QUOTED_NAME = re.compile(r"“([^“”]+)”|\"([^\"]+)\"|`([^`]+)`|《([^《》]+)》")
# Words with a capital that ask or introduce, taken off the front of a name one by one.
ASKING_OPENER = re.compile(
    r"(?:What|Which|Who|Whom|Whose|Where|When|Why|How|In|On|At|Of|For|From|By|To|With|Is|Are|Was|"
    r"Were|Do|Does|Did|Has|Have|Had|Can|Could|Name|Give|List|Tell|Among|Given|Knowing|During|After|"
    r"Before|Under|Since|If|I|Please|That|This|These|Those|Find|State|And|Also|About|Considering|"
    r"Provided|Concerning)\b[ ,:]*"
)
ARTICLE = re.compile(r"(?:The|A|An)\b ")
# Looked for from a run's beginning only: what a run ends with is the same from each of its places.
TRAILING_MARKS = re.compile(r"(?<!['’.,?!;:])(?<!['’]s)(?:['’]s?|[.,?!;:])++$")
NOT_AN_ENTITY = re.compile(
    r"(?:(?:January|February|March|April|May|June|July|August|September|October|November|December)"
    r"[\d ,]*|American|English|British|French|German|Italian|Spanish|Chinese|Japanese|Russian|"
    r"Dutch|European|Indian|Greek|Roman|Actor|Actress|President|Governor|King|Queen)"
)


def question_entities(question: str) -> list[str]:
    """The names in a question, as they are written, in order; what stands in quotes is one."""
    found = [next(filter(None, match.groups())) for match in QUOTED_NAME.finditer(question)]
    plain = QUOTED_NAME.sub(" ", question)
    for match in NAME_RUN.finditer(plain):
        name = match[0]
        while asking := ASKING_OPENER.match(name):
            name = name[asking.end() :]
        if name != match[0] or match.start() == 0:
            name = ARTICLE.sub("", name, count=1)
        name = TRAILING_MARKS.sub("", name)
        if len(name) > 1 and not name[0].islower() and not NOT_AN_ENTITY.fullmatch(name):
            found.append(name)
    return list(dict.fromkeys(found))
