"""What style sheets promise: contrast of every brand in both schemes, and small files."""

import re

import pytest
from conftest import ROOT

STATIC = ROOT / "static"
BRANDS = sorted((STATIC / "brands").glob("*.css"))
TEXT = [  # (of, on): text that has to be read
    ("ink", "ground"), ("ink", "surface"), ("ink", "wash"),
    ("muted", "ground"), ("muted", "surface"), ("muted", "wash"),
    ("accent", "ground"), ("accent", "surface"), ("accent", "wash"),
    ("on-accent", "accent"), ("on-accent", "accent-strong"),
    ("danger", "surface"), ("danger", "danger-wash"), ("ok", "ok-wash"),
    ("white", "brand"),                                 # the balance, and the bar of the brands
    ("dark", "white")]                                  # the button on the balance
EDGES = [("edge", "surface"), ("accent", "surface"), ("accent", "ground")]  # of fields, of a line


def variables(css: str, *, is_dark: bool) -> dict[str, str]:
    """{name: #colour} of a style sheet in a scheme."""
    light, _, dark = css.partition("@media screen and (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+): (#\w+)", light))
    return found | dict(re.findall(r"--([\w-]+): (#\w+)", dark.partition("\n}")[0] * is_dark))


def luminance(colour: str) -> float:
    """WCAG's relative luminance of #abc or #aabbcc."""
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("brand", BRANDS, ids=lambda file: file.stem)
def test_every_brand_can_be_read_in_both_schemes(brand, is_dark):
    colours = {"white": "#fff", "dark": "#1a2330"}
    for file in (STATIC / "cac.css", brand):
        colours |= variables(file.read_text(encoding="utf-8"), is_dark=is_dark)
    weak = [(of, on, round(contrast(colours[of], colours[on]), 2))
            for pairs, least in ((TEXT, 4.5), (EDGES, 3)) for of, on in pairs
            if contrast(colours[of], colours[on]) < least]
    assert weak == []


def test_every_brand_has_its_colours_and_its_mark(db):
    codes = {row.code for row in db.execute("SELECT code FROM brand")}
    assert codes == {file.stem for file in BRANDS}
    assert codes == {file.stem for file in (STATIC / "brands").glob("*.svg")}


@pytest.mark.parametrize(("name", "lines", "size"), [
    ("cac.css", 400, 12_000),
    ("cac.js", 60, 3_000)])
def test_what_every_page_loads_is_small(name, lines, size):
    content = (STATIC / name).read_bytes()
    assert content.count(b"\n") <= lines and len(content) <= size


def test_the_pictures_of_the_readme_are_there_and_small():
    pictures = re.findall(r'<img src="(\S+)"', (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(pictures) == 2
    assert all((ROOT / name).stat().st_size <= 100_000 for name in pictures)
