"""Templates of wikitext as the words that they stand for: numbers, units, dates, money, names; never a changed fact.

Three kinds: those that show words (`SHOWN`), those that show none in the sentence (notes, pictures, boxes, upkeep:
`is_silent`), and all others, which nobody here understands: they become `UNKNOWN`, and the sentence goes with them.
English, French, German and Spanish Wikipedia; what each shows is after its documentation there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from kdos.documents import raised

UNKNOWN = "\x01"
"""Stands for what is not understood until the text is tidied; no XML text can hold it."""
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
MESES = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
    "octubre", "noviembre", "diciembre",
)  # fmt: skip
UNITS = {
    "km2": "km²", "m2": "m²", "cm2": "cm²", "mm2": "mm²", "mi2": "sq mi", "sqmi": "sq mi", "sqft": "sq ft",
    "sqkm": "km²", "sqm": "m²", "sqyd": "sq yd", "m3": "m³", "cm3": "cm³", "km3": "km³", "mm3": "mm³",
    "cuft": "cu ft", "cumi": "cu mi", "cuyd": "cu yd", "cuin": "cu in", "m3/s": "m³/s", "cuft/s": "cu ft/s",
    "C": "°C", "F": "°F", "K": "K", "kph": "km/h", "C-change": "°C", "F-change": "°F", "usgal": "US gal",
    "impgal": "imp gal", "LT": "long tons", "ST": "short tons", "t": "t", "smi": "mi", "foot": "ft", "ft2": "sq ft",
    "in2": "sq in", "sqin": "sq in", "/km2": "/km²", "/sqmi": "/sq mi", "PD/km2": "/km²", "PD/sqmi": "/sq mi",
    "lbf.ft": "lbf⋅ft", "Nm": "N⋅m", "longton": "long tons", "shortton": "short tons",
}  # fmt: skip
_UNIT = re.compile(r"[^\W\d_][\w ./*⋅°²³-]{0,14}|°[CF]|%|/\w+")
_UNIT_POWER = re.compile(r"e(\d{1,2})([^\W\d_]\w*)")
_RANGES = {
    "to": " to ", "-": "–", "–": "–", "—": "–", "and": " and ", "or": " or ", "x": " × ", "×": " × ", "by": " by ",
    "*": " × ", "xx": " × ", "to(-)": " to ", "to about": " to about ", "and(-)": " and ", "or(-)": " or ",
    "+/-": " ± ", "±": " ± ", "+": " + ", ",": ", ", ", and": ", and ", ", or": ", or ", "/": " / ", "bis": " bis ",
    "à": " à ", "et": " et ", "a": " a ", "y": " y ", "u": " u ", "o": " o ", "of": " of ",
}  # fmt: skip
_NUMBER = re.compile(
    r"[-−+]?(?:\d[\d,. \u00a0]*+|\.\d++)(?:e[-+]?\d++)?(?:\+\d++(?:/{1,2}|⁄)\d++)?"
    r"|[-−]?(?:\d++[ +])?\d++(?:/{1,2}|⁄)\d++"
)
_WITH_FRACTION = re.compile(r"(\d)\+(?=\d+/)")
# What a converter shows as well, or how; the fact that is given is the same.
_HARMLESS = {
    "abbr", "adj", "lk", "sp", "sigfig", "round", "order", "comma", "sortable", "debug", "spell", "sing", "us",
    "prefix", "warnings", "qid", "qual", "input", "frac", "disp",
}  # fmt: skip
_SHOWN_WITH_UNIT = {"", "or", "b", "br", "sqbr", "comma", "semicolon", "/", "out", "flip"}
_SMALLER_UNITS = {"ft": "in", "yd": "ft", "mi": "yd ft chain furlong", "lb": "oz", "st": "lb", "m": "cm"}
_SHIP_PREFIXES = frozenset(
    """
    ss rms hms uss hmcs hmas hmnzs mv ms uscgc usns rfa sms ins orp hnlms hnoms hdms roks jds js hswms ara bap rv
    ps ts mt gts hmt hmhs usat usrc my sy rrs css hmy hmsas hmis fs ns mts tss
    """.split()
)
_MONEY = {
    "us$": "US$", "usd": "US$", "$": "$", "£": "£", "gbp": "£", "€": "€", "euro": "€", "eur": "€", "¥": "¥",
    "jpy": "¥", "yen": "¥", "cny": "CN¥", "rmb": "CN¥", "inr": "₹", "₹": "₹", "indian rupee": "₹", "inrconvert": "₹",
    "a$": "A$", "aud": "A$", "au$": "A$", "c$": "C$", "cad": "C$", "ca$": "C$", "nz$": "NZ$", "nzd": "NZ$",
    "hk$": "HK$", "s$": "S$", "chf": "CHF ", "r$": "R$", "brl": "R$", "krw": "₩", "₩": "₩", "rub": "₽", "₽": "₽",
    "php": "₱", "₱": "₱", "sek": "SEK ", "nok": "NOK ", "dkk": "DKK ", "nis": "₪", "ils": "₪", "try": "₺",
    "thb": "฿", "zar": "R", "mxn": "MX$", "ngn": "₦",
}  # fmt: skip
_SILENT = frozenset((
    "cn", "fact", "citation needed", "citation", "cite", "efn", "efn-ua", "efn-lr", "sfn", "sfnp", "sfnm", "refn",
    "r", "rp", "ref", "harvnb", "harv", "notetag", "note", "ref label", "page needed", "when", "who", "which",
    "by whom", "where", "why", "how", "clarify", "dead link", "dubious", "vague", "update inline",
    "failed verification", "better source needed", "full citation needed", "according to whom", "weasel inline",
    "pov statement", "disputed inline", "needs update", "original research inline", "sps", "verify source",
    "verification needed", "primary source inline", "non-primary source needed", "peacock inline", "specify", "ipa",
    "ipac-en", "respell", "pronunciation", "pron", "audio", "listen", "anchor", "visible anchor", "vanchor",
    "flagicon", "flag icon", "flagdeco", "bandera", "clear", "-", "clr", "coord", "coordinate", "coordonnées",
    "nowrap begin", "nowrap end", "hidden ref", "webarchive", "isbn", "doi", "issn", "oclc", "pmid", "arxiv",
    "s2cid", "ntsh", "sort key", "hs", "0", "shy", "wbr", "zwsp", "toc", "toc left", "toc right", "toclimit",
    "reflist", "notelist", "stub", "main", "see", "see also", "further", "details", "about", "for", "other uses",
    "distinguish", "redirect", "hatnote", "short description", "good article", "featured article", "portal",
    "authority control", "commons category", "defaultsort", "displaytitle", "italic title", "multiple image",
    "image frame", "gallery", "expand section", "unreferenced", "more citations needed", "refimprove", "orphan",
    "infobox", "spoken wikipedia", "update", "sic!", "refnec", "cita requerida", "cr", "reference nécessaire",
    "référence nécessaire", "refnec", "réf", "note", "sfn", "voir", "article détaillé", "voir homonymes", "ébauche",
    "portail", "palette", "api", "api-fr", "belege", "belege fehlen", "siehe auch", "hauptartikel", "lückenhaft",
    "internetquelle", "literatur", "höhenquelle", "ap", "ver también", "véase", "otros usos", "ficha",
    "imagen múltiple", "lang-icon", "en", "fr", "de", "es", "en icon", "fr icon", "de icon", "es icon", "pdf",
    "inflation-fn", "inflation/fn",
))  # fmt: skip
_SILENT_NAME = re.compile(
    r"(?:defaultsort|displaytitle|cite|citation|cita|lien web|ouvrage|article|ipa[ -]|ipac-|infobox|ficha|use |pp-|"
    r"portal|commons|sister project|wiktionary|wikisource|wikiquote|navbox|sidebar|redirect|about|see |stub|sfn|refn|"
    r"harv|ref-|reflist|notelist|main |further|other |for )|.*(?:box|stub|-fn| sidebar| icon)$"
)
_LANGUAGE_TEMPLATE = re.compile(
    r"lang-[a-z-]+|(?:en|la|fr|it|es|de|ru|pl|cs|grc|el|ar|he|ja|zh|nl|sv|tr|hu|pt|da|no)s"
)
_CENTURY = re.compile(r"[ivxlc]+(?:e|er|ème)(?: siècle)?")


@dataclass(frozen=True, slots=True)
class Template:
    """A template with its arguments as text: those without a name in order, and the named ones that are not blank."""

    name: str
    given: tuple[str, ...]
    named: Mapping[str, str]

    def at(self, place: int) -> str:
        """An argument by its place from 1; empty where there is none."""
        return self.given[place - 1] if place <= len(self.given) else ""

    def knows_only(self, *names: str) -> bool:
        """Whether no other argument has a name."""
        return self.named.keys() <= {*names}


Show: TypeAlias = Callable[[Template], str]


def show_template(template: Template) -> str:
    """What a template shows in a sentence; `UNKNOWN` where that is not known."""
    if any(UNKNOWN in value for value in (*template.given, *template.named.values())):
        return "" if is_silent(template.name) else UNKNOWN
    show = SHOWN.get(template.name) or _shown_by_kind(template.name)
    shown = show(template) if show is not None else ""
    return shown or ("" if is_silent(template.name) else UNKNOWN)


def is_silent(name: str) -> bool:
    """Whether a template of this name shows nothing within a sentence."""
    return name in _SILENT or _SILENT_NAME.match(name) is not None


def _shown_by_kind(name: str) -> Show | None:
    if name in _SHIP_PREFIXES:
        return _show_ship_with_prefix
    if name in _MONEY:
        return _show_money
    if name.startswith("lang-") and _LANGUAGE_TEMPLATE.fullmatch(name):
        return _argument(1)
    if _LANGUAGE_TEMPLATE.fullmatch(name):
        return lambda template: template.at(1) or UNKNOWN
    return _show_century_name if _CENTURY.fullmatch(name) else None


def _show_century_name(template: Template) -> str:
    return re.sub(r"^[ivxlc]+", lambda number: number[0].upper(), template.name)


# -- texts


def _argument(*places: int) -> Show:
    """The first of these arguments that is there."""
    return lambda template: next((template.at(place) for place in places if template.at(place)), "")


def _text(said: str) -> Show:
    return lambda template: said  # noqa: ARG005


def _joined(by: str, before: str = "", after: str = "") -> Show:
    return lambda template: f"{before}{by.join(template.given)}{after}" if template.given else ""


def _last(template: Template) -> str:
    return template.given[-1] if template.given else ""


def _show_nihongo(template: Template) -> str:
    inside = ", ".join(filter(None, template.given[1:3]))
    first = template.at(1)
    return f"{first} ({inside})" if first and inside else first or inside


def _show_interwiki_link(template: Template) -> str:
    return template.named.get("lt") or template.named.get("texte") or template.at(1)


def _show_flag(template: Template) -> str:
    return template.named.get("name") or template.at(1)


def _show_ship_with_prefix(template: Template) -> str:
    return f"{template.name.upper()} {template.at(1)}" if template.at(1) else ""


def _show_ship(template: Template) -> str:
    kind, name = template.given[0] if template.given else "", template.at(2)
    return name if template.at(4) == "2" else f"{kind} {name}".strip() if name else ""


def _show_ship_class(template: Template) -> str:
    return f"{template.at(1)}-class {template.at(2)}".strip() if template.at(1) else ""


# -- numbers


def _number(text: str) -> str:
    """A number as prose has it; empty where the text is none."""
    plain = text.strip()
    if not _NUMBER.fullmatch(plain):
        return ""
    plain = _WITH_FRACTION.sub(r"\1 ", plain).replace("//", "/").replace("⁄", "/")
    mantissa, exponent, power = plain.partition("e")
    return f"{mantissa}×10^{power.lstrip('+')}" if exponent else mantissa.strip()


def _unit(text: str) -> str:
    """A unit as prose has it, with its power of ten (``e6m3``); empty where the text is none."""
    if power := _UNIT_POWER.fullmatch(text):
        return f"×10^{power[1]} {UNITS.get(power[2], power[2])}"
    return UNITS.get(text, text) if _UNIT.fullmatch(text) else ""


def _show_convert(template: Template) -> str:
    """What is converted, as it was given, without what it comes to: a number, a range or 5 ft 11 in, and its unit."""
    shown_otherwise = template.named.get("disp", "") not in {*_SHOWN_WITH_UNIT, "preunit"}
    if shown_otherwise or not template.knows_only(*_HARMLESS):
        return ""
    given, shown, at = template.given, "", 0
    first = True
    while at < len(given):
        number = _number(given[at])
        if not number:
            return shown if not first else ""
        shown += number
        at += 1
        if at < len(given) and given[at].strip() in _RANGES:
            shown += _RANGES[given[at].strip()]
            at += 1
            first = True
            continue
        unit = _unit(given[at].strip()) if at < len(given) else ""
        if not unit:
            return ""
        shown += unit if unit[0] in "/%×" else f" {unit}"
        first, at = False, at + 1
        if at < len(given) and given[at].strip() in _RANGES:
            shown += _RANGES[given[at].strip()]
            at, first = at + 1, True
        elif at + 1 < len(given) and _is_composite(unit, given[at : at + 2]):
            shown += " "
        else:
            return shown
    return "" if first else shown


def _is_composite(unit: str, following: Sequence[str]) -> bool:
    """Whether a smaller unit's number goes on: 5 ft 11 in; not the unit that is converted to, nor how exactly."""
    return bool(_number(following[0])) and following[1].strip() in _SMALLER_UNITS.get(unit, "").split()


def _show_value(template: Template) -> str:
    """``{{val}}``: a number with its uncertainty, power of ten and unit."""
    if not template.knows_only("e", "u", "ul", "up", "upl", "fmt", "p", "s"):
        return ""
    number = template.at(1)
    upper, lower = template.at(2), template.at(3)
    if lower:
        number += f" +{upper.lstrip('+')} −{lower.lstrip('-−')}"
    elif upper:
        number += upper if upper.startswith("(") else f"±{upper.lstrip('±')}"
    if power := template.named.get("e"):
        number = (f"({number})" if "±" in number else number) + f"×10^{power.replace('−', '-')}"
    unit = template.named.get("u") or template.named.get("ul") or ""
    per = template.named.get("up") or template.named.get("upl") or ""
    tail = f" {_unit(unit) or unit}" if unit else ""
    before, after = template.named.get("p", ""), template.named.get("s", "")
    return f"{before}{number}{tail}{f'/{per}' if per else ''}{after}" if number else ""


def _show_fraction(template: Template) -> str:
    match [value.strip() for value in template.given]:
        case [whole, upper, lower]:
            return f"{whole} {upper}/{lower}"
        case [upper, lower]:
            return f"{upper}/{lower}"
        case [lower]:
            return f"1/{lower}"
        case _:
            return ""


def _show_money(template: Template) -> str:
    is_plain = template.knows_only("link", "long", "year", "round", "first", "about", "abbr", "lk")
    return f"{_MONEY[template.name]}{template.at(1)}" if is_plain else ""


def _show_height(template: Template) -> str:
    units = [(template.named[unit], unit) for unit in ("m", "cm", "ft", "in") if unit in template.named]
    return " ".join(f"{number} {unit}" for number, unit in units if _number(number))


def _show_ordinal(template: Template) -> str:
    number = template.at(1).replace(",", "")
    if not number.isdigit():
        return ""
    ending = "th" if number[-2:-1] == "1" else {"1": "st", "2": "nd", "3": "rd"}.get(number[-1], "th")
    return f"{template.at(1)}{ending}"


def _with_unit(template: Template) -> str:
    """A number and what follows it: ``{{unité|640|m}}``, with powers of ten and of units where they are plain."""
    if template.name in {"unité", "unite", "unidad"} and template.named.keys() - {"e"}:
        return ""
    parts = [part.strip() for part in template.given if part.strip()]
    if not parts or not _number(parts[0]):
        return ""
    power = f"×10^{template.named['e']}" if "e" in template.named else ""
    if len(parts) == 3 and parts[2].isdigit():  # {{unité|5|m|2}}: m²
        raised_to = {"2": "²", "3": "³"}.get(parts[2], f"^{parts[2]}")
        return f"{parts[0]}{power} {parts[1]}{raised_to}"
    if any(part.lstrip("-−").isdigit() for part in parts[1:]):
        return ""
    return " ".join([f"{parts[0]}{power}", *parts[1:]])


# -- dates


def _show_date(template: Template) -> str:
    """Year, month and day by number, or a date that is written out."""
    year, month, day = (template.at(place).strip() for place in (1, 2, 3))
    if not month:
        return year
    if not (year.isdigit() and month.isdigit() and 1 <= int(month) <= 12):
        return ""
    name = MONTHS[int(month) - 1]
    if not day:
        return f"{name} {year}"
    if not (day.isdigit() and 1 <= int(day) <= 31):
        return ""
    is_day_first = template.named.get("df", "").lower() in {"y", "yes", "1", "true"}
    return f"{int(day)} {name} {year}" if is_day_first else f"{name} {int(day)}, {year}"


def _show_any_date(template: Template) -> str:
    """``{{date}}``: the parts of a date in words, as French has them, or by number, as English."""
    in_words = any(part.strip().isalpha() for part in template.given[1:2])
    return _show_french_date(template) if in_words else _show_date(template)


def _show_old_style_date(template: Template) -> str:
    return f"{template.at(1)} {template.at(2)}".strip()


def _show_as_of(template: Template) -> str:
    date = _show_date(template)
    return f"{'since' if template.named.get('since') else 'as of'} {date}" if date else ""


def _show_circa(template: Template) -> str:
    years = [year for year in template.given[:2] if year]
    return " – ".join(f"c. {year}" for year in years) or "c."


def _show_years(before: str) -> Show:
    return lambda template: f"{before} {'–'.join(filter(None, template.given[:2]))}".strip() if template.given else ""


def _show_french_date(template: Template) -> str:
    return " ".join(part.strip() for part in template.given[:3] if part.strip())


def _show_spanish_date(template: Template) -> str:
    day, month, year = (template.at(place).strip() for place in (1, 2, 3))
    if month.isdigit() and 1 <= int(month) <= 12:
        month = MESES[int(month) - 1]
    return " de ".join(filter(None, (day, month, year)))


def _show_french_century(template: Template) -> str:
    before_christ = " av. J.-C." if template.name.startswith("-") else ""
    ending = template.at(2) or ("er" if template.at(1).strip().upper() == "I" else "e")
    return f"{template.at(1).strip()}{ending} siècle{before_christ}" if template.at(1) else ""


def _show_french_centuries(template: Template) -> str:
    match template.given:
        case (one, one_ending, between, other, other_ending):
            return f"{one}{one_ending} {between} {other}{other_ending} siècle"
        case (one, one_ending, between, other, other_ending, _):
            return f"{one}{one_ending} {between} {other}{other_ending} siècle"
        case _:
            return ""


def _show_spanish_century(template: Template) -> str:
    century, era, form = template.at(1), template.at(2), template.at(3)
    before = {"s": "siglo ", "S": "Siglo ", "": ""}.get(form)
    return f"{before}{century}{f' {era}' if era else ''}" if century and before is not None else ""


def _show_hour(template: Template) -> str:
    return " ".join(f"{value} {unit}" for value, unit in zip(template.given, ("h", "min", "s"), strict=False) if value)


def _all(show: Show, *names: str) -> dict[str, Show]:
    return dict.fromkeys(names, show)


SHOWN: dict[str, Show] = {
    **_all(_show_convert, "convert", "cvt", "convertir", "conversion"),
    **_all(_show_value, "val"),
    **_all(_show_fraction, "frac", "fraction", "fract", "sfrac", "mfrac", "bruch"),
    **_all(_show_height, "height"),
    **_all(_show_ordinal, "ordinal"),
    **_all(_with_unit, "unité", "unite", "unidad", "nombre", "nb", "num"),
    **_all(_show_date, "start date", "end date", "start date and age", "end date and age", "birth date",
           "birth date and age",
           "death date", "death date and age", "dob", "bda", "birth-date", "death-date", "start-date", "end-date",
           "birth-date and age",
           "death-date and age", "birth year", "birth year and age", "film date", "release date", "dts",
          ),
    **_all(_show_any_date, "date"),
    **_all(_show_old_style_date, "oldstyledate"),
    **_all(_show_as_of, "as of"),
    **_all(_show_circa, "circa", "c.", "ca.", "c"),
    **_all(_show_years("r."), "reign", "r."),
    **_all(_show_years("fl."), "floruit", "fl."),
    **_all(_show_french_date, "date-", "date de naissance", "date de naissance-", "date de décès", "date de décès-",
           "date de mort",
           "date rapide", "date républicaine"),
    **_all(_show_spanish_date, "fecha", "fecha de nacimiento", "fecha de inicio", "fecha de fallecimiento"),
    **_all(_show_french_century, "s", "s-", "-s", "-s-"),
    **_all(_show_french_centuries, "sp", "sp-"),
    **_all(_show_spanish_century, "siglo"),
    **_all(_show_hour, "heure", "heures"),
    **_all(_argument(2), "lang", "langx", "sort", "sortname/2"),
    **_all(_last, "transl", "transliteration", "script", "translit"),
    **_all(_show_nihongo, "nihongo", "nihongo3", "nihongo foot"),
    **_all(_argument(1), "nihongo2", "nowrap", "nobr", "no wrap", "nobold", "noitalic", "small", "smaller", "big",
           "em", "strong",
           "smallcaps", "sc", "sc1", "sc2", "versalita", "tooltip", "abbr", "mono", "tt", "code", "kbd", "var",
           "mvar", "math", "underline",
           "zh-hans", "zh-hant", "ruby", "nts", "nb5", "esd", "h0", "color", "chem2", "wrap", "spellnum",
           "number to word", "ordinal to word",
           "numero", "lk", "as written", "typo", "proper name", "nq", "bo", "graisse", "petites capitales", "pc",
           "langue"),
    **_all(_argument(2), "langue", "color", "colour", "font color"),
    **_all(_joined(""), "sic", "not a typo", "notatypo", "linktext", "chem", "gaps", "lang-mul"),
    **_all(_joined(" "), "sortname"),
    **_all(_joined("", "“", "”"), '"', "qi", "tq", "quote inline"),
    **_all(_joined("", "« ", " »"), "guil", "citation", "citation étrangère"),
    **_all(_argument(1), "quote", "blockquote", "cquote", "zitat", "cita", "quotation", "bq"),
    **_all(_show_interwiki_link, "ill", "interlanguage link", "lien", "enlace", "lk-ill"),
    **_all(_show_flag, "flag", "flagcountry", "flagu", "country", "pays", "geodata"),
    **_all(_show_ship, "ship"),
    **_all(_show_ship_class, "sclass", "sclass2"),
    **_all(_text("–"), "ndash", "en dash", "endash", "–", "dash", "nsndns"),
    **_all(_text("—"), "mdash", "em dash", "emdash", "—"),
    **_all(_text(" – "), "snd", "spnd", "spaced ndash", "spaced en dash", "snds", "sndash", "spndsp", "--"),
    **_all(_text(" — "), "smd", "spaced mdash", "spaced em dash"),
    **_all(_text(" "), "nbsp", "space", "spaces", "thinsp", "thin space", "hair space", "hsp", "sp0", "spc"),
    **_all(_text("-"), "hyphen", "nbhyph", "nbh", "non breaking hyphen"),
    **_all(_text("−"), "minus", "mn"),
    **_all(_text("×"), "times"),
    **_all(_text("±"), "pm", "+-"),
    **_all(_text("·"), "middot", "·", "dot", "interpunct"),
    **_all(_text("•"), "bull", "bullet", "•"),
    **_all(_text("|"), "!", "pipe"),
    **_all(_text("="), "="),
    **_all(_text("'"), "'", "apostrophe", "apos"),
    **_all(_text("'s"), "'s"),
    **_all(_text("°"), "degree", "deg"),
    **_all(_text("No. "), "numero sign"),
    **_all(_text("av. J.-C."), "av jc", "av. j.-c.", "avjc", "-jc", "av j-c", "avant jc"),
    **_all(_text("apr. J.-C."), "ap jc", "apr. j.-c.", "apjc"),
    **_all(_text("a. C."), "ac", "a. c.", "a.c."),
    **_all(_text("d. C."), "dc", "d. c.", "d.c."),
    **_all(_text("m s. n. m."), "msnm", "m.s.n.m.", "m s. n. m."),
    **_all(lambda template: f"no {template.at(1)}".strip(), "n°", "no", "numéro", "nº"),
    **_all(lambda template: f"×10^{template.at(1)}" if template.at(1) else "e", "e"),
    **_all(lambda template: f"10^{template.at(1)}" if template.at(1) else "", "10^", "10power"),
    **_all(lambda template: raised(template.at(1), "1"), "sup", "^", "exp"),
    **_all(_argument(1), "sub"),
    **_all(lambda template: template.name, "er", "ère", "re", "ème", "1er", "1re", "2e", "mme", "m."),
}  # fmt: skip
"""By name in small letters, spaces for underscores: what a template shows; empty where its arguments are not known."""
