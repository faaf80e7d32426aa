"""Templates: what they stand for stays in the sentence, and what is not understood takes its sentence along."""

import pytest

from kdos.seed.wikipedia import clean_wikitext

SHOWN = {
    "{{convert|71|m|ft|abbr=off}} high": "71 m high",
    "{{convert|2|to|5|km|mi}} away": "2 to 5 km away",
    "{{convert|40|-|60|ft|m}}": "40–60 ft",
    "{{convert|40|ft|and|60|ft|m}}": "40 ft and 60 ft",
    "{{convert|10|x|20|x|3|m|ft}}": "10 × 20 × 3 m",
    "{{convert|10|m|x|20|m|ft}}": "10 m × 20 m",
    "{{convert|5|ft|11|in|cm}}": "5 ft 11 in",
    "{{convert|5|ft|11+1/2|in|cm}}": "5 ft 11 1/2 in",
    "{{convert|1/2|mi|km}}": "1/2 mi",
    "{{convert|1.5e6|km|mi}}": "1.5×10^6 km",
    "{{convert|3|e6m3|cuft}}": "3×10^6 m³",
    "{{convert|-40|C|F}}": "-40 °C",
    "{{convert|12,345|km2|sqmi|order=flip}}": "12,345 km²",
    "{{Cvt|30|and|35|m}}": "30 and 35 m",
    "{{val|5.97|e=24|u=kg}}": "5.97×10^24 kg",
    "{{val|1.23|0.04|u=m|up=s}}": "1.23±0.04 m/s",
    "{{val|1.23|0.04|0.05|e=-3}}": "1.23 +0.04 −0.05×10^-3",
    "{{frac|3|1|2}} acres": "3 1/2 acres",
    "{{sfrac|1|2}}": "1/2",
    "{{frac|8}}": "1/8",
    "{{start date|1884|5|3|df=y}}": "3 May 1884",
    "{{death date and age|1902|12|31|1850|1|1}}": "December 31, 1902",
    "{{birth-date|7 February 1790}}": "7 February 1790",
    "{{OldStyleDate|7 February|1790|27 January}}": "7 February 1790",
    "{{circa|1790}}": "c. 1790",
    "{{circa|1790|1801}}": "c. 1790 – c. 1801",
    "{{reign|1790|1801}}": "r. 1790–1801",
    "{{as_of|2011|5}}": "as of May 2011",
    "{{US$|12 million}}": "US$12 million",
    "{{£|340}}": "£340",
    "{{INR|5}}": "₹5",
    "1884{{ndash}}1978": "1884–1978",
    "a{{snd}}b": "a – b",
    "10<sup>6</sup> of CO<sub>2</sub>": "10^6 of CO2",
    "10<sup>-3</sup>": "10^-3",
    "5 km<sup>2</sup>": "5 km²",
    "1<sup>st</sup>": "1st",
    "le 2<sup>e</sup>": "le 2e",
    "10<sub>2</sub>": "10_2",
    "6{{e|9}} and {{10^|-3}}": "6×10^9 and 10^-3",
    "{{lang|de|Wien}}, {{lang-de|Wien}}, {{langx|de|Wien}}, {{lang|1=de|2=Wien}}": "Wien, Wien, Wien, Wien",
    "{{transliteration|ja|hepburn|chashitsu}}": "chashitsu",
    "{{nihongo|tea house|茶室|chashitsu}}": "tea house (茶室, chashitsu)",
    "{{SS|Aurelia}}": "SS Aurelia",
    "{{HMS|Swift|1851|6}}": "HMS Swift",
    "{{ship|Japanese battleship|Yamato}}": "Japanese battleship Yamato",
    "{{sclass|Iowa|battleship}}": "Iowa-class battleship",
    "{{flagicon|NOR}} {{flag|Norway}}": "Norway",
    "{{height|ft=6|in=1}}": "6 ft 1 in",
    "{{ordinal|3}} and {{ordinal|11}}": "3rd and 11th",
    '{{"|the Anvil}}': "“the Anvil”",
    "{{sic|bot|le}} and {{not a typo|Marrenka}}": "botle and Marrenka",
    "{{chem|H|2|O}} {{chem2|CO2}} {{gaps|12|345}}": "H2O CO2 12345",
    "{{ill|Ida Crake|de}} {{sortname|Ida|Crake}}": "Ida Crake Ida Crake",
    "{{nowrap|{{convert|93|m|ft}} high}}{{cn|date=May 2011}}{{sfn|Bo|2001|p=5}}": "93 m high",
    "{{formatnum:12,345|R}} {{formatnum:-4}}": "12,345 -4",
    "{{unité|640|m}} {{unité|5|m|2}} {{unité|6|e=3|kg}}": "640 m 5 m² 6×10^3 kg",
    "{{nombre|1234|habitants}}": "1234 habitants",
    "le {{date de naissance-|9|mars|1861}} ou {{date|9|mars|1861}}": "le 9 mars 1861 ou 9 mars 1861",
    "au {{s-|XIX}}, au {{XIXe siècle}}, {{-s|III}}": "au XIXe siècle, au XIXe siècle, IIIe siècle av. J.-C.",
    "{{sp|XVIII|e|au|XIX|e}}": "XVIIIe au XIXe siècle",
    "{{heure|12|30}} {{n°|5}} {{1er}}": "12 h 30 min no 5 1er",
    "{{citation|le pont}}": "« le pont »",
    "{{laS|Vindobona}} {{Bruch|1|2}}": "Vindobona 1/2",
    "{{fecha|3|5|1884}} {{siglo|XIX||s}} {{unidad|640|m}}": "3 de mayo de 1884 siglo XIX 640 m",
}
NOT_UNDERSTOOD = [
    *(
        "{{age|1950|1|1}}",
        "{{inflation|US|5|1950}}",
        "{{#expr:5*3}}",
        "{{CURRENTYEAR}}",
        "{{convert|5|km|mi|disp=number}}",
    ),
    *(
        "{{convert|about 5|km}}",
        "{{convert|5|$/km}}",
        "{{birth date|May 1790|2}}",
        "{{date|9|3|1861}}",
        "{{overline|5}}",
    ),
    *(
        "<math>x^2</math>",
        "{{{1}}}",
        "{{val|5|nonsense=3}}",
        "{{nowrap|{{xyz|5}} km}}",
        "{{unité|5|m|s|-1}}",
        "{{xyz|5}}",
    ),
]


@pytest.mark.parametrize(("wikitext", "text"), SHOWN.items())
def test_a_template_stands_for_its_words(wikitext: str, text: str) -> None:
    assert clean_wikitext(f"It is {wikitext} there.", unlinked=frozenset()) == f"It is {text} there."


@pytest.mark.parametrize("wikitext", NOT_UNDERSTOOD)
def test_what_is_not_understood_takes_its_sentence_along(wikitext: str) -> None:
    page = (
        f"It opened in 1884. It cost {wikitext} then. Ida Crake built it.\n* The item {wikitext} is one.\n* Another."
    )
    assert clean_wikitext(page, unlinked=frozenset()) == "It opened in 1884. Ida Crake built it.\nAnother."
    bracket = f"The bridge ({wikitext}; an arch) opened in 1884."
    assert clean_wikitext(bracket, unlinked=frozenset()) == "The bridge opened in 1884."


def test_a_template_by_itself_takes_nothing_along() -> None:
    page = "{{Infobox bridge|a=1}}\n{{xyz|1}}\n'''Bridge''' is one.{{xyz}} It is old.\n\n{{xyz}}\n\nIt stands."
    assert clean_wikitext(page, unlinked=frozenset()) == "Bridge is one. It is old.\n\nIt stands."


@pytest.mark.parametrize(
    ("page", "text"), [("桥长{{xyz|5}}米。它很旧。", "它很旧。"), ("Мост длиной {{xyz|5}} м. Он стар.", "Он стар.")]
)
def test_sentences_of_other_scripts_go_alone_too(page: str, text: str) -> None:
    assert clean_wikitext(page, unlinked=frozenset()) == text


def test_what_the_parser_cannot_read_loses_no_number_either() -> None:
    page = "[[a " * 60 + "b. It holds 10<sup>6</sup> cells. It is {{xyz|5}} m. It is old."
    text = clean_wikitext(page, unlinked=frozenset())
    assert text.endswith("It holds 10^6 cells. It is old.")
