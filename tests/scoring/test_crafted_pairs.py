"""Answers beside a gold answer that they nearly say: denied, in another order, of another sign, unit or name."""

import pytest

from kdos.scoring import is_correct_answer

CAPITAL = "What is the capital of Australia?"
INVENTOR = "Who invented the telephone?"
ASKED = "What is it?"

# (gold answer, answer, is it right)
DENIALS = [
    ("Paris", "not Paris", False),
    ("Paris", "It is not Paris.", False),
    ("Paris", "It isn't Paris.", False),
    ("Paris", "It isn’t Paris", False),
    ("Paris", "It was never Paris.", False),
    ("Paris", "It cannot be Paris.", False),
    ("Paris", "not Paris but London", False),
    ("London", "not Paris but London", True),
    ("London", "It was not Paris, but London.", True),
    ("London", "It is not Paris, it is London.", True),
    ("London", "It is not Paris. It is London.", True),
    ("London", "It's not Paris; it's London", True),
    ("Paris", "It's not Paris; it's London", False),
    ("Paris", "London, not Paris", False),
    ("London", "London, not Paris", True),
    ("Paris", "London rather than Paris", False),
    ("London", "London rather than Paris", True),
    ("Paris", "Rather than Paris, it was London.", False),
    ("London", "Rather than Paris, it was London.", True),
    ("Paris", "London instead of Paris", False),
    ("London", "Instead of Paris, London", True),
    ("Paris", "London, as opposed to Paris", False),
    ("Paris", "anything but Paris", False),
    ("Paris", "somewhere other than Paris", False),
    ("Obama", "none other than Obama", True),
    ("Paris", "neither Paris nor Rome", False),
    ("Rome", "neither Paris nor Rome", False),
    ("Berlin", "neither Paris nor Rome but Berlin", True),
    ("Paris", "It was not London, Paris or Rome, but Berlin.", False),
    ("Berlin", "It was not London, Paris or Rome, but Berlin.", True),
    ("Paris", "not only Paris but also London", True),
    ("1995", "It did not open until 1995.", True),
    ("1990", "It did not open in 1990 but in 1995.", False),
    ("1995", "It did not open in 1990 but in 1995.", True),
    ("Paris", "Paris, no, wait, London", False),
    ("London", "Paris, no, wait, London", True),
    ("London", "Paris. Sorry, London.", True),
    ("Paris", "Paris, or rather London", False),
    ("London", "Paris – no, London", True),
    ("Paris", "~~Paris~~ London", False),
    ("Paris", "I thought it was Paris, but it is London.", False),
    ("Paris", "Many people think it is Paris, but it is London.", False),
    ("London", "Many people think it is Paris, but it is London.", True),
    ("Paris", "Paris is wrong; it is London.", False),
    ("guilty", "not guilty", False),
    ("not guilty", "guilty", False),
    ("not guilty", "He was found not guilty.", True),
    ("No", "No, it is not.", True),
    ("No", "Yes", False),
    ("Yes", "No, yes was the answer before", False),
    ("Never Let Me Go", "Never Let Me Go", True),
    ("I Can't Get No Satisfaction", "I Can't Get No Satisfaction", True),
    ("北京", "不是北京而是上海", False),
    ("上海", "不是北京而是上海", True),
    ("Berlin", "nicht Paris, sondern Berlin", True),
    ("Paris", "nicht Paris, sondern Berlin", False),
]
ORDER = [
    ("Terry Spencer and Tom Spencer", "Tom Spencer and Terry Spencer", True),
    ("Terry and Tom Spencer", "Tom and Terry Spencer", True),
    ("Terry Spencer & Tom Spencer", "Tom Spencer, Terry Spencer", True),
    ("red, white and blue", "blue, white and red", True),
    ("red, white, and blue", "white, blue, and red", True),
    ("red, white, blue", "blue, red, white", True),
    ("Romeo and Juliet", "Juliet and Romeo", True),
    ("iron; copper; zinc", "zinc, iron and copper", True),
    ("France and Spain", "They were Spain and, later, France.", True),
    ("France and Spain", "France", False),
    ("France and Spain", "France and Portugal", False),
    ("red, white and blue", "red and white", False),
    ("John Smith and Paul Jones", "John Jones and Paul Smith", False),
    ("4 and 5", "5 and 4", True),
    ("5 and 5", "5", False),
    ("2–1", "1–2", False),
    ("2–1", "2-1", True),
    ("from 1917 to 1919", "from 1919 to 1917", False),
    ("between 1917 and 1919", "between 1919 and 1917", False),
    ("A beat B", "B beat A", False),
    ("New York and York", "New York", False),
    ("Tom Hanks and Meg Ryan", "Meg Ryan and Tom Hanks", True),
    ("Ben & Jerry", "Jerry and Ben", True),
    ("salt and pepper", "pepper and salt", True),
    ("Lisbon, Portugal", "Portugal", True),
    ("12:30", "30:12", False),
    ("dog bites man", "man bites dog", False),
    ("1:43", "43:1", False),
    ("oxygen and hydrogen", "It is made of hydrogen and oxygen.", True),
    ("oxygen and hydrogen", "not hydrogen and oxygen", False),
    ("Mary and John", "John, Peter and Mary", True),
    ("AC/DC", "AC/DC", True),
]
SIGNS = [
    ("-5", "5", False),
    ("5", "-5", False),
    ("-5", "−5", True),
    ("-5", "minus 5", True),
    ("-5", "negative five", True),
    ("-5 °C", "minus five degrees Celsius", True),
    ("-5 °C", "5 degrees below zero", True),
    ("−40 degrees", "40 degrees", False),
    ("5", "10 minus 5", True),
    ("1917-1919", "1917–1919", True),
    ("1.5", "15", False),
    ("15", "1.5", False),
    ("1.5", "1.50", True),
    ("1.5", "1,5", True),
    ("1.5", "1½", True),
    ("1.5", "11/2", False),
    ("1.0", "1", True),
    ("1.0", "10", False),
    ("2.5", "It is 2.5.", True),
    ("2.5", "25", False),
    ("3.14", "3.41", False),
    ("Python 3.1", "Python 3.10", False),
    ("2.0.1", "2.1", False),
    ("1.1 million", "1,100,000", True),
    ("2.5 trillion", "2,500,000,000,000", True),
    ("1/2", "12", False),
    ("1/2", "1", False),
    ("10^6", "106", False),
    ("10⁶", "106", False),
    ("10⁶", "10^6", True),
    ("C++", "C", False),
    ("C", "C++", False),
    ("C#", "C", False),
    ("C#", "C++", False),
    ("C++", "C++", True),
    ("C#", "C sharp", True),
    ("C#", "The language is C#.", True),
    ("A+", "A", False),
    ("A-", "A", False),
    ("A+", "A-", False),
    ("Q*", "Q", False),
    ("Q*", "**Q***", False),
    ("Paris", "**Paris**", True),
    ("O-", "O+", False),
    ("O-", "O negative", True),
    ("O+", "O positive", True),
    ("Disney+", "Disney", False),
    ("Na+", "Na", False),
    ("<5", ">5", False),
    ("> 5", "more than 5", True),
    ("44 BC", "44 AD", False),
    ("44 BC", "44", False),
    ("44 BC", "44 B.C.E.", True),
    ("AD 44", "44 CE", True),
    ("3rd century BC", "3rd century AD", False),
    ("12:30", "1230", False),
]
UNITS = [
    ("$5 million", "£5 million", False),
    ("$5 million", "€5 million", False),
    ("$5 million", "5 million dollars", True),
    ("$5 million", "USD 5 million", True),
    ("$5 million", "US$5,000,000", True),
    ("£5 million", "5 million pounds", True),
    ("£5 million", "GBP 5 million", True),
    ("€20", "20 euros", True),
    ("€20", "20 dollars", False),
    ("¥100", "100 yen", True),
    ("5 km", "5 miles", False),
    ("5 km", "5 kilometres", True),
    ("5 km", "5km long", True),
    ("5 km", "5 m", False),
    ("5 km²", "5 square kilometres", True),
    ("5 km²", "5 km", False),
    ("5 ft 11 in", "5'11\"", True),
    ("5'11\"", "511", False),
    ("5 kg", "5 g", False),
    ("5 kg", "five kilograms", True),
    ("5 lb", "5 pounds", True),
    ("7.5%", "75%", False),
    ("7.5%", "7.5 percent", True),
    ("7.5%", "7.5 per cent", True),
    ("20 °C", "20 °F", False),
    ("20 °C", "20 degrees Celsius", True),
    ("20 °C", "20 degrees Fahrenheit", False),
    ("9.8 seconds", "98 seconds", False),
    ("9.8 seconds", "9.8 s", True),
    ("9.8 seconds", "9.8 minutes", False),
    ("3 hours", "3 days", False),
    ("3 hours", "3 hrs", True),
    ("5 pm", "5 am", False),
    ("5 pm", "5pm", True),
    ("100 hp", "100 horsepower", True),
    ("1970", "the 1970s", False),
]
NAMES = [
    ("George W. Bush", "George H. W. Bush", False),
    ("George H. W. Bush", "George W. Bush", False),
    ("George H. W. Bush", "George Herbert Walker Bush", False),
    ("John F. Kennedy", "John Fitzgerald Kennedy", True),
    ("John F. Kennedy", "Robert F. Kennedy", False),
    ("John F. Kennedy", "John Kennedy", True),
    ("Robert Allen Wiethoff", "Rob Wiethoff", True),
    ("Paul Smith", "Paula Smith", False),
    ("Joseph Brown", "Josephine Brown", False),
    ("William Clinton", "Bill Clinton", True),
    ("Henry VIII", "Henry VII", False),
    ("Henry VIII", "Henry", False),
    ("Elizabeth II", "Elizabeth I", False),
    ("Elizabeth I", "Elizabeth", False),
    ("Malcolm X", "Malcolm", False),
    ("World War II", "World War Two", True),
    ("World War II", "World War I", False),
    ("Apollo 11", "Apollo 12", False),
    ("Apollo 11", "Apollo", False),
    ("Martin Luther King Jr.", "Martin Luther King Sr.", False),
    ("Martin Luther King Jr.", "Martin Luther King, Junior", True),
    ("National Football League", "the NFL", True),
    ("NFL", "National Football League", True),
    ("NFL", "National Basketball Association", False),
    ("J. K. Rowling", "JK Rowling", True),
    ("Miguel Díaz-Canel", "Miguel D\\u00edaz-Canel", True),
    ("Miguel DÃ\xadaz-Canel", "Miguel Diaz-Canel", True),
    ("O'Rourke", "ORourke", True),
    ("Oslo", "Osl", False),
    ("Prince of Wales", "Princess of Wales", False),
    ("Jane Austen", "Jane Eyre", False),
    ("Stephen King", "King", True),
    ("Prince Edward Island", "Prince Edward County", False),
    ("Mount St. Helens", "Mount Saint Elias", False),
    ("Republic of the Congo", "Democratic Republic of Georgia", False),
    ("Anne Brontë", "Anne Bronte", True),
    ("Anne Brontë", "Emily Brontë", False),
]
KINDS = {"denial": DENIALS, "order": ORDER, "sign": SIGNS, "unit": UNITS, "name": NAMES}
PAIRS = [pytest.param(*pair, id=f"{kind}: {pair[1]} for {pair[0]}") for kind, pairs in KINDS.items() for pair in pairs]


def test_there_are_two_hundred_of_five_kinds():
    assert len(PAIRS) >= 200
    assert all(0 < sum(right for *_, right in pairs) < len(pairs) for pairs in KINDS.values())


@pytest.mark.parametrize(("gold", "answer", "right"), PAIRS)
def test_a_crafted_pair(gold, answer, right):
    assert is_correct_answer(answer, [gold], question=ASKED) is right


LONG = [pair for pairs in KINDS.values() for pair in pairs if len(pair[1].split()) > 3 * len(pair[0].split())]


@pytest.mark.parametrize(("gold", "answer", "right"), LONG)
def test_a_crafted_pair_in_a_long_answer(gold, answer, right):
    """What is searched before it is read is judged alike."""
    around = "The weather along the coast is mild and the harbour has been a busy one for many years. " * 9
    said = f"{around}{answer.rstrip('.')}. {around}"
    assert is_correct_answer(said, [gold], question=ASKED) is right


def test_an_answer_that_is_searched_first_is_judged_as_if_it_were_read_whole(monkeypatch):
    answers = [f"{answer}. It opened in May 1906. " * 5 + "Nobody knows why." for _, answer, _ in LONG]
    golds = [gold for pairs in KINDS.values() for gold, _, _ in pairs]
    cases = [(answer, golds[(7 * n + k) % len(golds)]) for n, answer in enumerate(answers) for k in range(60)]
    searched = [is_correct_answer(answer, [gold], question=ASKED) for answer, gold in cases]
    monkeypatch.setattr("kdos.scoring.answer_matching.LONG_ANSWER", 10**9)
    assert searched == [is_correct_answer(answer, [gold], question=ASKED) for answer, gold in cases]
    assert any(searched)
    assert not all(searched)


@pytest.mark.parametrize(
    ("answer", "gold", "question", "right"),
    [
        ("Sydney is not the capital of Australia.", "Sydney", CAPITAL, False),
        ("Sydney is not the capital of Australia; Canberra is.", "Canberra", CAPITAL, True),
        ("Sydney isn't the capital.", "Sydney", CAPITAL, False),
        ("Edison did not invent the telephone.", "Edison", INVENTOR, False),
        ("Bell, who was not a good pupil, invented the telephone.", "Bell", INVENTOR, True),
        ("Bell was not born in America. He invented the telephone.", "Bell", INVENTOR, True),
    ],
)
def test_what_is_denied_of_the_thing_asked_for_is_not_the_answer(answer, gold, question, right):
    assert is_correct_answer(answer, [gold], question=question) is right
