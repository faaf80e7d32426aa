"""The documentation's picture of a diagram: well-formed, escaped, complete."""

import xml.etree.ElementTree as ET

from logic_drawing import draw_logic_svg

from kdos.logic import parse

SVG = "{http://www.w3.org/2000/svg}"


def test_every_box_and_arrow_is_drawn(diagrams):
    for one in diagrams[::25]:
        picture = ET.fromstring(draw_logic_svg(parse(one.text)))
        assert len(picture.findall(f"{SVG}rect")) == len(one.meant.labels)
        assert len(picture.findall(f"{SVG}path")) == len(one.meant.edges)


def test_words_are_escaped():
    logic = parse('graph TD\nA["<script>alert(1)</script> & more"] -->|"</svg>"| B')
    picture = draw_logic_svg(logic)
    assert "<script" not in picture
    assert picture.count("</svg>") == 1
    assert "alert(1)" in "".join(ET.fromstring(picture).itertext())


def test_circles_and_lone_nodes_are_drawn():
    picture = ET.fromstring(draw_logic_svg(parse("graph TD\nA --> B --> C --> A\nA --> A\nD")))
    assert len(picture.findall(f"{SVG}rect")) == 4
    assert len(picture.findall(f"{SVG}path")) == 3
