"""Concrete instances in a sentence: dates, numbers and names, and the words that ask for them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
DAY = r"\d{1,2}(?:st|nd|rd|th)?"
YEAR_NUMBER = r"(?:1[0-9]{3}|20[0-3][0-9])"
SMALL = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
)
NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
SCALE = r"(?: (?:hundred|thousand|million|billion|trillion))?"
CAPITAL = r"[A-Z](?:[\w-]|['’](?!s\b|\W))*"
LINK = r"(?:of the|of|de la|de|von|van der|van|du|del|al-|the|and the)"
NAME = re.compile(rf"{CAPITAL}(?:(?: {LINK})? {CAPITAL})*")

DATE = re.compile(rf"\b(?:{DAY} {MONTH},? {YEAR_NUMBER}|{MONTH} {DAY},? {YEAR_NUMBER})\b")
MONTH_YEAR = re.compile(rf"\b{MONTH},? {YEAR_NUMBER}\b")
YEAR = re.compile(
    rf"\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Ff]rom|[Bb]efore|[Aa]fter|[Aa]round|[Dd]uring|early|late|of)"
    rf" (?P<it>{YEAR_NUMBER}|\d{{3}}(?=[.,;)]| AD\b| BC))\b"
    r"(?![,.]?\d|[-–]\w| (?:[a-z]+s|people|km|m|ft|mi)\b)"
)
DECADE = re.compile(r"\b(?:the|early|late|mid) (?P<it>(?:1\d|20)\d0s)\b")
CENTURY = re.compile(r"\bthe (?P<it>\d{1,2}(?:st|nd|rd|th) century)\b")
PERCENT = re.compile(rf"(?<![\d.,–-])(?:{NUMBER})(?:%| ?per ?cent\b)")
MONEY = re.compile(rf"(?:US)?[$£€](?:{NUMBER}){SCALE}")
QUANTITY = re.compile(
    rf"(?<![\d.,$£€#–-])\b(?!{YEAR_NUMBER} )(?P<it>(?:{NUMBER}){SCALE}|(?:{SMALL}){SCALE}) "
    r"(?!of\b|and\b|or\b|to\b|in\b|on\b|at\b|by\b|for\b|from\b|with\b|is\b|was\b|were\b|are\b|per\b|"
    r"as\b|more\b|other\b|the\b|which\b|that\b|years?[- ]old|million|billion|thousand|century|"
    r"hundred|times\b|[a-z]+(?:ed|ing|ly)\b|after\b|before\b|when\b|until\b|but\b|than\b|has\b|"
    r"had\b|have\b|km/)(?=[a-z])"
)
UNCOUNTED = re.compile(
    r"(?:\b(?:the|these|those|his|her|its|their|our|this|all|first|last|next|other|number|no|No|"
    r"chapter|section|article|part|page|least|most|than|to|and|or|between|of|by|every|nearly|only|layer|"
    rf"group|level|type|grade|round|volume|verse|war|{MONTH})|[\d–(-])\s*$"
)

KIND_FIRST = {
    "University": "university", "College": "college", "Battle": "battle", "Lake": "lake",
    "Mount": "mountain", "Kingdom": "kingdom", "Republic": "republic", "Treaty": "treaty",
    "King": "king", "Queen": "queen", "Pope": "pope", "Emperor": "emperor", "Empress": "empress",
    "Prince": "prince", "Princess": "princess", "President": "president", "Duke": "duke",
    "Bishop": "bishop", "Archbishop": "archbishop", "Sir": "person",
    "Dr": "doctor", "Professor": "professor", "Saint": "saint", "Earl": "earl", "Count": "count",
    "House": "house", "Council": "council", "Ministry": "ministry", "Bank": "bank",
    "Museum": "museum", "Church": "church", "County": "county", "Duchy": "duchy", "Gulf": "gulf",
    "Bay": "bay", "Isle": "isle", "Fort": "fort", "Port": "port", "Statute": "statute",
}  # fmt: skip
KIND_LAST = {
    "University": "university", "College": "college", "School": "school", "River": "river",
    "Lake": "lake", "Sea": "sea", "Ocean": "ocean", "Island": "island", "Islands": "islands",
    "Mountains": "mountains", "Mountain": "mountain", "Valley": "valley", "Desert": "desert",
    "Street": "street", "Road": "road", "Avenue": "avenue", "Bridge": "bridge", "Park": "park",
    "County": "county", "City": "city", "Province": "province", "Empire": "empire",
    "Dynasty": "dynasty", "War": "war", "Wars": "wars", "Revolution": "revolution", "Act": "act",
    "Treaty": "treaty", "Party": "party", "Church": "church", "Cathedral": "cathedral",
    "Museum": "museum", "Library": "library", "Theatre": "theatre", "Theater": "theater",
    "Stadium": "stadium", "Company": "company", "Corporation": "corporation", "Inc": "company",
    "Bank": "bank", "Institute": "institute", "Society": "society", "Association": "association",
    "Award": "award", "Prize": "prize", "Medal": "medal", "Cup": "cup", "League": "league",
    "Committee": "committee", "Council": "council", "Court": "court", "Parliament": "parliament",
    "Airport": "airport", "Station": "station", "Railway": "railway", "Hospital": "hospital",
    "Abbey": "abbey", "Castle": "castle", "Palace": "palace", "Tower": "tower", "Bay": "bay",
    "Gulf": "gulf", "Strait": "strait", "Peninsula": "peninsula", "Canal": "canal",
    "Dam": "dam", "Foundation": "foundation", "Conference": "conference", "Agency": "agency",
    "Festival": "festival", "Army": "army", "Navy": "navy", "Orchestra": "orchestra",
    "Times": "newspaper", "Journal": "journal", "Union": "union", "Commission": "commission",
}  # fmt: skip
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
PLACE_BEFORE = re.compile(
    r"\b(?:in|near|throughout|across|outside|(?:moved|travell?ed|returned|migrated|emigrated|sailed|"
    r"exiled|relocated|fled) (?:from|to)) $"
)
BY_BEFORE = re.compile(r"\bby $")
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
NEXT_WORD = re.compile(r" [a-z]")
NO_NOUN = re.compile(
    r" (?:and|in|on|at|by|for|with|to|from|was|were|is|are|as|or|but|during|after|before|when|"
    r"where|which|who|that|until|since|had|has|have)\b"
)
NO_NAMES = re.compile(
    rf"(?:{MONTH}|I|II|III|IV|V|The|A|An|In|On|At|He|She|It|They|We|His|Her|This|That|These|Those|"
    r"There|But|And|Or|However|Although|While|When|After|Before|During|Since|As|By|For|From|With|"
    r"To|Of|Some|Many|Most|Such|One|Two|Three|Both|All|Each|If|Its|Their|Other|Another|According|"
    r"Despite|Under|Because|Until|Through|Between|Among|Also|Not|No|Monday|Tuesday|Wednesday|"
    r"Thursday|Friday|Saturday|Sunday|AD|BC|BCE|CE|Mr|Mrs|Dr|American|English|British|French|German|"
    r"Italian|Spanish|Roman|Greek|Latin|Chinese|Japanese|Russian|European|African|Asian|Indian|"
    r"Christian|Jewish|Muslim|Islamic|Catholic|Protestant|Arabic|Irish|Scottish|Dutch|Polish|"
    r"Norman|Victorian|God|Internet|Several|Today|Early|Later|Other|First|Second|What|Who|Which)"
)
LONGEST_ANSWER = 60  # characters


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
    for finder in (dates, numbers, names):
        for instance in finder(sentence):
            if all(instance.end <= a or b <= instance.start for a, b in taken):
                found.append(instance)
                taken.append((instance.start, instance.end))
    return [i for i in found if len(i.text) <= LONGEST_ANSWER and sentence.count(i.text) == 1]


def dates(sentence: str) -> Iterator[Instance]:
    """Full dates, months with their year, years, decades and centuries."""
    for kind, pattern, words in (
        ("date", DATE, "which date"),
        ("month", MONTH_YEAR, "which month of which year"),
        ("year", YEAR, "which year"),
        ("decade", DECADE, "which decade"),
        ("century", CENTURY, "which century"),
    ):
        for match in pattern.finditer(sentence):
            start, end = match.span("it") if "it" in pattern.groupindex else match.span()
            text = sentence[start:end]
            if kind in {"decade", "century"} and sentence[start - 4 : start].lower() == "the ":
                start -= 4
            yield Instance(kind, text, start, end, words)


def numbers(sentence: str) -> Iterator[Instance]:
    """Shares, sums of money and counted things."""
    for kind, pattern, words in (
        ("share", PERCENT, "what percentage"),
        ("money", MONEY, "how much money"),
        ("count", QUANTITY, "how many"),
    ):
        for match in pattern.finditer(sentence):
            start, end = match.span("it") if "it" in pattern.groupindex else match.span()
            if kind != "count" or not UNCOUNTED.search(sentence[:start]):
                yield Instance(kind, sentence[start:end], start, end, words)


def names(sentence: str) -> Iterator[Instance]:
    """Names whose kind their own words or those around them tell."""
    for match in NAME.finditer(sentence):
        text = match[0]
        if NO_NAMES.fullmatch(text) or len(text) < 3 or NO_NAMES.fullmatch(text.split()[0]):
            continue
        before, after = sentence[: match.start()], sentence[match.end() :]
        for tell in TELLS:
            if instance := tell(text, before, after):
                yield instance
                break


def by_own_words(text: str, before: str, _after: str) -> Instance | None:
    """University of Oxford, King Alfred, Colorado River."""
    parts = text.split()
    kind = KIND_LAST.get(parts[-1]) or KIND_FIRST.get(parts[0])
    if kind is None or len(parts) < 2:
        return None
    return _instance(kind, text, before, f"which {kind}")


def by_role(text: str, before: str, after: str) -> Instance | None:
    """The composer Alan Gilbert."""
    role = ROLE.search(before)
    if role is None or after[:1] in {"'", "’"}:
        return None
    words = ("Which " if not before[: role.start()].strip() else "which ") + role["role"]
    end = len(before) + len(text)
    return Instance(role["role"], text, role.start(), end, words)


def by_verb(text: str, before: str, after: str) -> Instance | None:
    """A subject at the beginning: "Chopin composed ...", "Paris is ..."."""
    if before.strip('"“ '):
        return None
    if PERSON_AFTER.match(after):
        return Instance("person", text, len(before), len(before) + len(text), "Who")
    if VERB_AFTER.match(after) and len(text.split()) > 1:
        return Instance("name", text, len(before), len(before) + len(text), "Who or what")
    return None


def by_preposition(text: str, before: str, after: str) -> Instance | None:
    """Born in Paris, painted by Vermeer."""
    if after[:1] in {"'", "’", "-"} or (NEXT_WORD.match(after) and not NO_NOUN.match(after)):
        return None
    if BY_BEFORE.search(before):
        return _instance("person", text, before, "whom or what")
    if PLACE_BEFORE.search(before):
        return _instance("place", text, before, "which place")
    return None


TELLS: tuple[Callable[[str, str, str], Instance | None], ...] = (
    by_own_words,
    by_role,
    by_verb,
    by_preposition,
)


def _instance(kind: str, text: str, before: str, words: str) -> Instance:
    """A name replaced with the article before it."""
    start, end = len(before), len(before) + len(text)
    if before.endswith(("the ", "The ")):
        start -= 4
    if not before[:start].strip():
        words = words[0].upper() + words[1:]
    return Instance(kind, text, start, end, words)


MEASURE = (
    "平方公里|平方千米|平方米|公里|千米|厘米|毫米|米|人|名|个|座|部|次|岁|公斤|克|吨|种|所|间|层|页|集|场|"
    "位|美元|元|艘|只|张|首|届|条|家|枚"
)
WIDE_INSTANCES = (
    ("date", re.compile(r"\d{4}年\d{1,2}月\d{1,2}日"), "哪一天"),
    ("month", re.compile(r"\d{4}年\d{1,2}月(?!\d)"), "哪年哪月"),
    ("year", re.compile(r"(?<!\d)\d{4}年(?!\d|代|度)"), "哪一年"),
    ("share", re.compile(r"(?<![\w.])\d+(?:\.\d+)?%(?!\w)"), "百分之多少"),
    ("count", re.compile(rf"(?<![\d.,第～~－-])\d+(?:[,.]\d+)*[万亿]?({MEASURE})"), "多少"),
    ("title", re.compile(r"(?<=《)[^《》]{2,20}(?=》)"), "哪部作品"),
)


def find_wide_instances(sentence: str) -> list[Instance]:
    """Every instance in a Chinese sentence that can be asked for."""
    found: list[Instance] = []
    for kind, pattern, words in WIDE_INSTANCES:
        for match in pattern.finditer(sentence):
            start, end = match.span()
            if kind == "title":
                start, end = start - 1, end + 1
            if all(end <= i.start or i.end <= start for i in found):
                measure = match[1] if kind == "count" else ""
                found.append(Instance(kind, match[0], start, end, words + measure))
    return [instance for instance in found if sentence.count(instance.text) == 1]
