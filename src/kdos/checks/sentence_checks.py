"""Which language a sentence is in, and whether it is about concrete instances (our design)."""

import re
from collections.abc import Sequence

from kdos.pool.wording import WIDE_LETTERS

_UNSPACED_LETTER = re.compile(f"[{WIDE_LETTERS}]")
_HAN = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
_SCRIPTS = {
    "ja": re.compile(r"[぀-ヿ]"),
    "ko": re.compile(r"[가-힯]"),
    "zh": _HAN,
    "cyrillic": re.compile(r"[Ѐ-ӿ]"),
    "el": re.compile(r"[Ͱ-Ͽ]"),
    "ar": re.compile(r"[؀-ۿ]"),
    "he": re.compile(r"[֐-׿]"),
    "hi": re.compile(r"[ऀ-ॿ]"),
    "th": re.compile(r"[฀-๿]"),
}
# Languages whose script is named after itself or after another language.
_SCRIPT_OF = {"ru": "cyrillic", "uk": "cyrillic", "bg": "cyrillic", "sr": "cyrillic", "fa": "ar"}
_CASED = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏͰ-ӿ]")
_NAME = re.compile(
    r"(?<=[^\s.!?:])(?:[ \t]++[(\"'“‘«-]?|[(\"'“‘«-])[A-ZÀ-ÖØ-ÞΑ-ΩЀ-Я]|\d|[A-Za-z]_[A-Za-z]|\w\.\w|[a-z][A-Z]|`|__"
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
_ESSAY = re.compile(
    r"^(?:explain|describe|discuss|define|compare|summari[sz]e|analy[sz]e|outline|elaborate|write about"
    r"|tell me about)\b"
    r"|\bwhat (?:is|are) (?:the )?(?:\w+ )?(?:importance|significance|essence|nature|advantages?|disadvantages?"
    r"|benefits?|drawbacks?|challenges?|implications?) of \w+(?: \w+)?\W*$"
    r"|^why (?:is|are) \w+(?: \w+)? important\b|\bin general\W*$|谈谈|论述|如何理解|意义是什么",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")
_SMALL_WORDS = {
    "en": """
        the of and in is was what which who to for on by with did how that from were are where when why
        whose whom does do has have had can be been it its at or not many much you your name called
        about into than as if this these an
    """,
    "de": """
        der die das und ist in welche welcher welches welchem wer von war den dem im wurde eine einem
        einer ein wie auf wo wann warum was hat für mit nicht zu des zum zur wird sich aus bei nach
        heißt viele wem wen woher jahr
    """,
    "fr": """
        le la les des du est et quel quelle quels quelles dans qui une un par été pour sur au aux où
        combien était que quand comment pourquoi a ont ce cette sont avec ne pas de en se son fut il
        elle année
    """,
    "es": """
        el la los las del en que qué cuál quién fue una un por es con para y año cómo al dónde cuándo
        cuántos cuántas de se su está son nació era cual quien donde cuando ha sus
    """,
    "it": """
        il lo gli del della dello dei delle è che quale chi nel nella fu una un per di con anno stato
        stata sono dove quando come quanti quante perché da si la le cosa ha qual al alla
    """,
    "pt": """
        o os as do da dos das em que qual quem foi uma um por é com para no na nos nas ano quando onde
        como quantos quantas de se são seu sua ao à está nasceu era
    """,
    "nl": """
        de het een van is in welke welk wie was en op dat door voor werd met hoe waar wanneer waarom wat
        zijn aan te bij naar uit heeft veel er niet om tot jaar
    """,
    "sv": """
        och är i som vem vad var när hur det den en ett på av till för med varför vilken vilket har inte
        många heter år
    """,
    "da": """
        og er i som hvem hvad hvor hvornår hvordan det den en et på af til for med hvorfor hvilken
        hvilket har ikke mange hedder blev år
    """,
    "no": """
        og er i som hvem hva hvor når hvordan det den en et på av til for med hvorfor hvilken hvilket
        har ikke mange heter ble år
    """,
    "fi": """
        ja on kuka mikä missä milloin miten että se oli kuinka miksi mitä minä vuonna joka ei monta
    """,
    "pl": """
        i jest w kto co gdzie kiedy jak że to był była na z do dla ile dlaczego który która którym się
        nie jaki jaka jakie roku
    """,
    "cs": """
        a je v kdo co kde kdy jak že to byl byla na z do pro kolik proč který která kterém se ne jaký
        jaká jaké roce rok
    """,
    "tr": """
        ve bir bu kim ne nerede zaman nasıl kaç hangi için ile mi mı midir nedir kimdir olan yılında
        neden
    """,
    "ro": """
        și este în cine ce unde când cum că a fost pe la din pentru câți câte care de nu un o anul
    """,
    "hu": """
        és a az egy ki mi hol mikor hogyan hogy volt melyik hány miért nem van mennyi évben
    """,
    "vi": """
        là ai gì ở đâu khi nào như thế của và có được trong năm cho những các bao nhiêu
    """,
    "id": """
        dan di yang siapa apa mana kapan bagaimana adalah ini itu dari untuk dengan berapa pada tahun
        mengapa
    """,
}
_LANGUAGES = {name: frozenset(words.split()) for name, words in _SMALL_WORDS.items()}
# What a question begins with and no English one does.
_QUESTION_WORDS = {
    "de": "wo wer wie wann warum wem wen woher wohin welche welcher welches welchen",
    "fr": "où qui quel quelle quels quelles combien quand comment pourquoi",
    "es": "dónde quién quiénes cuándo cuántos cuántas cómo qué cuál",
    "it": "chi dove quando quanti quante perché quale quali",
    "pt": "onde quem quantos quantas quando qual quais",
    "nl": "waar wie wanneer hoe welke welk waarom wat",
    "sv": "var vem vilken vilket varför hur",
    "da": "hvem hvor hvornår hvordan hvorfor hvad hvilken hvilket",
    "no": "hvem hvor hvordan hvorfor hva hvilken hvilket",
    "fi": "kuka mikä missä milloin miksi mitä minä kuinka monta",
    "pl": "kto gdzie kiedy dlaczego która który jaki jaka ile",
    "cs": "kdo kde kdy proč která který jaký jaká kolik",
    "tr": "kim nerede kaç hangi neden",
    "ro": "cine unde când câți câte",
    "hu": "ki hol mikor melyik hány miért mennyi",
    "vi": "ai",
    "id": "siapa apa mana kapan bagaimana berapa mengapa",
}
_ASKED_IN = {name: frozenset(words.split()) for name, words in _QUESTION_WORDS.items()}
MIN_LETTERS = 12
"""A shorter text is not told apart (our design)."""
MIN_WORDS = 3
"""Words of the shortest text in Latin letters that is told apart."""
# Names of several words: the small ones among them are of any language.
_TITLE = re.compile(r"(?<![\w'.-])[A-Z][\w'.-]*+(?:(?: [a-z]{1,3}){0,2} [A-Z][\w'.-]*+)+")
_PUNCTUATION = str.maketrans("", "", "¿¡?!,.;:")
MIN_SCRIPT_LETTERS = 4
"""Letters of another script that count where the small words of the own language are missing."""
MIN_SMALL_WORDS = 2
"""Different small words that show a text to be in a language."""
SCRIPT_SHARE = 0.3
"""Share of letters that makes a text one of that script: names in Latin letters are common."""


def has_unspaced_letter(text: str) -> bool:
    """Is any of it in a script that puts no spaces between words?"""
    return not text.isascii() and _UNSPACED_LETTER.search(text) is not None


def is_in_language(text: str, lang: str) -> bool:
    """Do its small words show that the text is in a language in Latin letters?"""
    small = _LANGUAGES.get(lang)
    return small is not None and len(small.intersection(text.casefold().split())) >= MIN_SMALL_WORDS


def detect_other_language(text: str, lang: str) -> str:
    """The language the text is plainly in, if that is not `lang`; else the empty string."""
    if lang == "en" and text.isascii():
        return _other_latin_language(text, lang)
    letters = len(_LETTER.findall(text))
    if letters < MIN_LETTERS and not (lang == "en" and _HAN.search(text)):
        return ""
    script = _foreign_script(text, lang, letters)
    wanted = _SCRIPT_OF.get(lang, lang)
    if script:
        return "" if script == wanted or (script, wanted) == ("zh", "ja") else script
    if wanted in _SCRIPTS:
        return "" if is_in_language(text, lang) else "latin"
    return _other_latin_language(text, lang)


def _foreign_script(text: str, lang: str, letters: int) -> str:
    """The script other than Latin that the text is in, whatever names in Latin letters it holds, or none."""
    if lang not in _LANGUAGES:
        return _dominant_script(text, letters)
    if len(_LANGUAGES[lang].intersection(text.casefold().split())) > MIN_SMALL_WORDS:
        return ""
    found = (name for name, letter in _SCRIPTS.items() if len(letter.findall(text)) >= MIN_SCRIPT_LETTERS)
    return next(found, "")


def _dominant_script(text: str, letters: int) -> str:
    """The script other than Latin that holds a good share of the letters, or the empty string."""
    if text.isascii():
        return ""
    least = SCRIPT_SHARE * letters
    found = (name for name, letter in _SCRIPTS.items() if len(letter.findall(text)) >= least)
    return next(found, "")


def _other_latin_language(text: str, lang: str) -> str:
    """Another language in Latin letters whose small words are plainly in the lead."""
    if lang not in _LANGUAGES:
        return ""
    first, _, rest = text.strip().partition(" ")
    plain = _TITLE.sub(" ", rest).translate(_PUNCTUATION).split()
    words = [first.translate(_PUNCTUATION).casefold(), *map(str.casefold, plain)]
    if len(text.split()) < MIN_WORDS:
        return ""
    # Names and titles bring in a few foreign words ("Who wrote Der Zauberberg?"): two will do only where there is none
    # of the own language or the first one asks, else it takes three times as many.
    # A word of both tells nothing.
    own_words, held = _LANGUAGES[lang], set(words)
    others = {name: held & small for name, small in _LANGUAGES.items() if name != lang}
    asked = next((name for name in others if words[0] in _ASKED_IN.get(name, ()) and words[0] not in own_words), "")
    best = asked or max(others, key=lambda name: len(others[name] - own_words))
    foreign, own = len(others[best] - own_words), len(held & own_words - _LANGUAGES[best])
    if asked and foreign >= own:
        return asked
    marked = any(word[0].islower() and not word.isascii() for word in plain)
    return best if foreign and foreign + marked >= (3 * own if own else MIN_SMALL_WORDS) else ""


def is_essay_question(question: str, answer: str) -> bool:
    """Does the question, by its wording, want an essay and name no instance, as neither does its answer?

    Capitals speak for an instance here; that there are none speaks for nothing.
    """
    if not _ESSAY.search(question) or _USUAL_NAME.search(question) or _NAME.search(question):
        return False
    return not _names_instance(answer)


def is_abstract_sentence(sentence: str, entities: Sequence[str], *, asked_for: str) -> bool:
    """Does nothing in the sentence pin it to an instance? Only a plain case counts (our design).

    A name, number, title or identifier pins it; so does a topic entity that is a name, and, for a
    question, asking for an instance (who, when, which year) or being answered by one. Of a sentence
    in small letters only, which shows no names, the wording must be abstract as well.
    """
    named = _USUAL_NAME.search(sentence) or _names_entity(sentence, entities)
    if named or _NAME.search(sentence):
        return False
    answered = asked_for != "" and _names_instance(asked_for)
    if sentence.islower() or not _CASED.search(sentence):
        return not answered and _ABSTRACT.search(sentence) is not None
    # From here on the sentence has capitals and none of them inside it: no name, unless it begins with one.
    if _ABSTRACT.search(sentence):
        return True
    if answered or (asked_for and _ASKS_FOR_INSTANCE.search(sentence)):
        return False
    return not _begins_with_name(sentence, entities)


def _names_instance(text: str) -> bool:
    """Does a short text name something: has it a capital, a digit, an identifier, or no case?"""
    return text[:1].isupper() or not _CASED.search(text) or _NAME.search(f"x {text}") is not None


def _names_entity(sentence: str, entities: Sequence[str]) -> bool:
    """Does the sentence hold a topic entity that is a name?"""
    lowered = sentence.casefold()
    return any(entity.casefold() in lowered and _names_instance(entity) for entity in entities)


def _begins_with_name(sentence: str, entities: Sequence[str]) -> bool:
    """Does the sentence begin with a topic entity, as a statement about it does?"""
    lowered, names = sentence.casefold(), [each.casefold() for each in entities if each]
    return any(lowered.startswith((name, f"the {name}")) for name in names)
