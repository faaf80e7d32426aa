import pytest

from kdos.documents import UnreadableError
from kdos.documents.encodings import decode_text

ENGLISH = "“It’s a naïve café,” he said – and it doesn’t cost more than 5 €."
GERMAN = "Die Universität Köln wurde im Jahr 1388 gegründet. Sie gehört zu den größten Hochschulen in Deutschland."
SPANISH = "El niño nació en España en el año 1920. Su madre era una famosa cantante de ópera en Málaga."
RUSSIAN = (
    "Москва является столицей Российской Федерации. Население города составляет более двенадцати миллионов человек."
)
CHINESE = "北京是中华人民共和国的首都，也是全国的政治和文化中心。故宫位于北京市中心，始建于明朝永乐年间。"
JAPANESE = "東京は日本の首都であり、世界最大級の都市である。人口はおよそ千四百万人で、多くの企業の本社がある。"
CZECH = "Praha je hlavní a současně největší město České republiky. Leží mírně na sever od středu Čech na řece Vltavě."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"), (GERMAN, "utf-8-sig"), (GERMAN, "utf-16"), (GERMAN, "utf-16-le"), (GERMAN, "utf-16-be"),
        (GERMAN, "utf-32"), (GERMAN, "latin-1"), (SPANISH, "latin-1"), (SPANISH, "cp1252"), (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"), (CHINESE, "gb18030"), (CHINESE, "utf-16"), (JAPANESE, "shift_jis"), (JAPANESE, "euc_jp"),
        (CZECH, "cp1250"), (CZECH, "iso8859-2"), (ENGLISH, "cp1252"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("times", [1, 30])
def test_a_text_is_read_in_its_encoding(text, encoding, times):
    whole = "\n".join([text] * times)
    assert decode_text(whole.encode(encoding))[0] == whole


@pytest.mark.parametrize(
    "data", [b"a\0b\1", bytes(range(256)) * 4, b"\x7fELF" + b"\0" * 64, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]
)
def test_data_are_no_text(data):
    with pytest.raises(UnreadableError) as caught:
        decode_text(data)
    assert caught.value.reason in {"binary", "unknown_encoding"}
