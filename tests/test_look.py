"""What the style sheet promises: contrast of any brand in both schemes, and small files."""

import re
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

STATIC = ROOT / "static"
BRANDS = re.findall("#[0-9a-f]{6}", (ROOT / "seed_data.sql").read_text(encoding="utf-8"))
COLOURS = ["#ffffff", "#ffee00", "#000000", "#00ff00"]  # what an operator may type
SHEET = (STATIC / "cac.css").read_text(encoding="utf-8")
TONES = ("info", "ok", "attention", "error")
TEXT = [  # (of, on): text that has to be read
    *((of, on) for of in ("ink", "muted", "accent") for on in ("ground", "surface", "wash")),
    *((tone, on) for tone in TONES for on in ("surface", f"{tone}-wash")),
    *(("ink", f"{tone}-wash") for tone in TONES),
    ("on-solid", "solid"), ("on-solid", "solid-strong"),
    ("white", "panel")]                                 # the balance
EDGES = [("edge", "surface"), ("accent", "surface"), ("accent", "ground")]  # of fields, of a line
RESOLVE = """names => {
    const pen = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true})
    const box = document.body.appendChild(document.createElement('i'))
    return Object.fromEntries(names.map(name => {
        box.style.color = name == 'white' ? 'white' : `var(--${name})`
        pen.fillStyle = getComputedStyle(box).color
        pen.fillRect(0, 0, 1, 1)
        return [name, [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)]]
    }))}"""


def luminance(colour: list[int]) -> float:
    """WCAG's relative luminance of [red, green, blue]."""
    parts = [part / 255 for part in colour]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: list[int], other: list[int]) -> float:
    """WCAG's contrast ratio of two colours."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def weak_pairs(page, brand: str) -> list[tuple]:
    """What is hard to read with this brand, in the scheme of the page, as the browser paints it."""
    page.set_content(f"<style>{SHEET}{brand}</style>")
    colours = page.evaluate(RESOLVE, sorted({name for pair in TEXT + EDGES for name in pair}))
    return [(of, on, round(contrast(colours[of], colours[on]), 2))
            for pairs, least in ((TEXT, 4.5), (EDGES, 3)) for of, on in pairs
            if contrast(colours[of], colours[on]) < least]


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("brand", [f":root {{ --brand: {colour}; }}"
                                   for colour in (*BRANDS, *COLOURS)])
def test_every_brand_can_be_read_in_both_schemes(chromium, brand, scheme):
    page = chromium.new_page(color_scheme=scheme)
    weak = weak_pairs(page, brand)
    page.close()
    assert weak == []


def test_every_brand_of_the_cast_has_its_mark(db):
    codes = {row.code for row in db.execute("SELECT code FROM brand")}
    assert codes == {file.stem for file in (STATIC / "brands").glob("*.svg")}


def test_each_sign_that_a_template_names_is_drawn():
    drawn = set(re.findall(r'symbol id="(\w+)"', (STATIC / "signs.svg").read_text()))
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "templates").glob("*.html")]
    assert set(re.findall(r'(?:sign\("|signs }}#)(\w+)', "".join(texts))) | set(TONES) <= drawn


def drawn(app, macro, *values):
    """What a macro of _open.html draws."""
    source = f'{{% from "_open.html" import {macro} %}}{{{{ {macro}(*values) }}}}'
    with app.test_request_context():
        page = app.jinja_env.from_string(source).render(values=values)
    return BeautifulSoup(page, "html.parser")


def open_item(rest, days, **movement):
    """An open item; without an own movement it is what is older than the statement's window."""
    own = {"id": 7, "date": "2026-11-01", "type_name": "Factura B", "point_of_sale": 3, "number": 9,
           "detail": "Abono", "amount": 500, "due_date": "2026-11-10", "cae": "1", "origin": "erp",
           "document": None} | movement
    return SimpleNamespace(movement=SimpleNamespace(**own) if movement else None, rest=rest,
                           days=days)


def test_each_open_item_has_its_centavos_once_and_says_when_it_is_due(app):
    items = [open_item(100, None), *(open_item(n, n - 203, id=n) for n in (200, 202, 203, 204, 206,
                                                                           250))]
    found = drawn(app, "to_pay", items).select("#a-pagar .open-item")
    assert [[tag["value"] for tag in item.select("data")] for item in found] == [
        [str(item.rest)] for item in items]
    assert [item.select_one(".pill").text for item in found] == [
        "Sin fecha de vencimiento", "Vencida hace 3 días", "Vencida hace un día", "Vence hoy",
        "Vence mañana", "Vence en 3 días", "Vence en 47 días"]
    assert [item.a is None for item in found] == [True] + 6 * [False]


@pytest.mark.parametrize(("days", "tone", "words"), [
    (-1, "error", "Venció 10/11"), (0, "attention", "Vence 10/11"), (4, "info", "Vence 10/11"),
    (-300, "error", "Venció 10/11/2026"), (None, "info", "A pagar")])
def test_an_open_line_of_the_statement_says_when_it_is_due_and_what_is_left(app, days, tone, words):
    line = SimpleNamespace(days=days, due_date="2026-11-10", rest=30000, amount=50000)
    pill = drawn(app, "state_of", line).select_one(".pill")
    assert tone in pill["class"] and pill.text.strip() == words
    assert "faltan 300,00" in drawn(app, "state_of", line).text



@pytest.mark.parametrize(("name", "lines", "size"), [
    ("cac.css", 450, 26_000),
    ("cac.js", 65, 3_500),
    ("signs.svg", 15, 2_000)])
def test_what_every_page_loads_is_small(name, lines, size):
    content = (STATIC / name).read_bytes()
    assert content.count(b"\n") <= lines and len(content) <= size


def test_the_pictures_of_the_readme_are_there_and_small():
    pictures = re.findall(r'<img src="(\S+)"', (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(pictures) == 2
    assert all((ROOT / name).stat().st_size <= 100_000 for name in pictures)
