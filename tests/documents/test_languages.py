import pytest

from kdos.documents import detect_language

TEXTS = {
    "en": "The bridge was opened in the summer of 1867 and carried carts until the flood of 1910 took an arch. ",
    "de": "Die Brücke wurde im Sommer 1867 eröffnet und trug Fuhrwerke, bis das Hochwasser von 1910 ihn mitnahm. ",
    "fr": "Le pont fut ouvert pendant l'été de 1867 et porta des charrettes jusqu'à la grande crue de 1910. ",
    "es": "El puente se abrió en el verano de 1867 y llevó carros hasta que la crecida de 1910 se llevó el arco. ",
    "ru": "Мост был открыт летом 1867 года и служил для повозок, пока наводнение 1910 года не унесло среднюю арку. ",
    "ar": "افتتح الجسر في صيف عام 1867 وظل يحمل العربات حتى جرف فيضان عام 1910 قوسه الأوسط. ",
    "ja": "橋は1867年の夏に開通し、1910年の洪水で中央のアーチが流されるまで荷車が通っていた。",
    "zh": "这座桥于1867年夏天通车，直到1910年的洪水冲走中间的桥拱之前，一直供马车通行。",
}


@pytest.mark.parametrize("lang", TEXTS)
def test_the_language_of_a_document_is_found(lang):
    assert detect_language(TEXTS[lang] * 4, default="xx") == lang


def test_a_short_text_is_in_the_default_unless_its_letters_tell():
    assert detect_language("Die Brücke von Arles", default="en") == "en"
    assert detect_language("", default="en") == "en"
    assert detect_language(TEXTS["zh"], default="en") == "zh"
    assert detect_language("The Chinese for bridge is 橋.", default="en") == "en"
