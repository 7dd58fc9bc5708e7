"""Customers read Spanish, and are addressed as usted: what libraries say never shines through."""

import ast
import re
from pathlib import Path

import flask_login.config
import flask_wtf
import pytest
import werkzeug.exceptions
import wtforms
from bs4 import BeautifulSoup
from conftest import ROOT, cac
from test_pages import PAGES

LIBRARIES = [Path(flask_login.config.__file__), Path(flask_wtf.csrf.__file__),
             Path(werkzeug.exceptions.__file__), Path(wtforms.validators.__file__),
             *sorted(Path(wtforms.fields.__file__).parent.glob("*.py"))]
ENGLISH = re.compile(
    r"\b(the|and|your|you|please|password|invalid|required|login|logout|field|missing|request|"
    r"session|wrong|unknown|user|try|again|click|submit|not|with|must|been|value|choice)\b", re.I)
VOS = re.compile(
    r"\b(vos|tu|tus|podés|tenés|querés|sabés|debés|hacés|ingresá|escribí|elegí|revisá|fijate|hacé|"
    r"probá|esperá|mirá|llamá|llamanos|escribinos|contactanos|guardá|pedí|cambiá|descargá|usá|"
    r"confirmá|abrí|dejá|indicá|transferí)\b", re.I)
NEVER = re.compile(r"\bpor favor\b|inválid|\bups\b|\boops\b|este campo es", re.I)
WRONG = {  # address: what is sent there, to see what is said
    "/ingresar": [{}, {"usuario": "1001", "clave": "x"}, {"usuario": "x" * 99, "clave": "x" * 999}],
    "/olvido": [{}, {"usuario": "x" * 99}, {"email": "x" * 999}, {"usuario": "1001"}],
    "/clave": [{}, {"clave_actual": "x", "clave_nueva": "x"},
               {"clave_actual": "demo-2010", "clave_nueva": "demo-2010"},
               {"clave_actual": "demo-2010", "clave_nueva": "x" * 999}],
    "/datos": [{"emails-0": "x", "domicilio": "x" * 999, "provincia": "x"},
               {"emails-0": "", "telefonos-0": "x" * 99, "codigo_postal": "x" * 99},
               {"emails-0": "otra@example.com", "clave_actual": "x"}],
    "/pago": [{"concepto": "saldo"}, {"concepto": "x", "medio": "x"},
              {"concepto": "adelanto", "medio": "dineromail", "importe": "x"}],
    "/accesos": [{}], "/cuenta": [{}], "/nada": [{}],
}


def library_messages() -> set[str]:
    """The longest literal part of each English sentence in those libraries; no docstrings."""
    found = set()
    for file in LIBRARIES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found |= {" ".join(node.value.split()) for node in ast.walk(tree)
                  if isinstance(node, ast.Constant) and isinstance(node.value, str)
                  and id(node) not in docs}
    sentences = {text for text in found if re.match(r"[A-Z][a-z]* .*[a-z]\.?$", text)}
    return {max(re.split(r"%\(\w+\)[ds]|\{.*?\}|%[ds]", text), key=len) for text in sentences}


def words_on(answer) -> str:
    """All that is read, or read aloud, on a page; nobody reads the body of a redirect."""
    if 300 <= answer.status_code < 400:
        return ""
    page = BeautifulSoup(answer.data, "html.parser")
    aloud = [tag.get(name, "") for tag in page.find_all(True)
             for name in ("aria-label", "title", "placeholder", "alt")]
    return " ".join([*page.get_text(" ").split(), *aloud])


@pytest.fixture
def said(app, visit, addresses, mails):
    """{what it is: what is read} of every page, of what is said to mistakes, and of mails."""
    ana, found = visit("Ana"), {}
    for endpoint in (name for name, answers in PAGES.items() if answers and answers[1] == 200):
        rule = next(app.url_map.iter_rules(endpoint))
        answer = ana.get(addresses.get(endpoint, rule.rule), buffered=True)
        if answer.mimetype == "text/html":
            found[endpoint] = words_on(answer)
    for browser in (app.test_client(), visit("Beto")):
        for address, forms in WRONG.items():
            for form in forms:
                answer = browser.send(address, "/contacto" if address == "/nada" else None, **form)
                found[f"{address} {form}"[:60]] = words_on(answer)
            found[f"POST {address}"] = words_on(browser.post(address))
            found[f"PUT {address}"] = words_on(browser.put(address))
    for number, mail in enumerate(mails()):
        found[f"mail {number}"] = mail["Subject"] + " " + mail.get_body(["plain"]).get_content()
    return found


def test_there_are_english_messages_to_look_for():
    messages = library_messages()
    assert len(messages) > 50
    assert {"The CSRF token is missing.", "Not a valid choice.", "This field is required."} <= (
        messages)


def test_nothing_that_a_library_says_in_english_is_read_anywhere(said):
    assert len(said) > 50
    shown = [(where, message.strip()) for message in library_messages() if len(message) > 8
             for where, text in said.items() if message.strip() in text]
    assert shown == []


def test_no_page_and_no_mail_has_english_words(said):
    found = {where: sorted({word.lower() for word in ENGLISH.findall(text)})
             for where, text in said.items()}
    assert {where: words for where, words in found.items() if words} == {}


KINDS = re.findall(r'^  "([a-z -]+)": ', (ROOT / "templates" / "_errors.html").read_text(), re.M)


@pytest.mark.parametrize("what", [*KINDS, 400, 401, 403, 404, 405, 408, 410, 413, 414, 415, 418,
                                  422, 429, 431, 500, 501, 502, 503, 504])
def test_every_error_is_told_in_spanish_with_the_way_on_and_the_telephone(app, what):
    with app.test_request_context("/x"):
        page = app.make_response(cac.error_page(what, wait=90) if isinstance(what, int) else
                                 cac.error_page(429, what, wait=90))
    text = words_on(page)
    assert len(KINDS) > 5 and not ENGLISH.search(text) and "4460-1500" in text
    assert BeautifulSoup(page.data, "html.parser").select(".actions a.button")


@pytest.mark.parametrize("file", [
    *sorted((ROOT / "templates").rglob("*.*")), ROOT / "cac.py", ROOT / "static" / "cac.js"],
    ids=lambda file: file.name)
def test_customers_are_addressed_as_usted(file):
    text = file.read_text(encoding="utf-8")
    assert VOS.findall(text) == [] and NEVER.findall(text) == []
