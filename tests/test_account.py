"""Mi cuenta corriente: the statement and what is open of it, as a page, a spreadsheet and paper."""

import csv
import io
import re
from datetime import datetime
from itertools import pairwise

import pytest
from conftest import CAST, cac, pdf_text, text_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from pypdf import PdfReader

DAY = "2026-11-28T12:00Z"


def centavos(text: str) -> int:
    """The amount that is read, wherever its points and commas are."""
    number = int(re.sub(r"\D", "", text))
    return -number if text[0] in "−-" else number


def rows(page) -> list[list[str]]:
    """The statement on a page, cell by cell but for the state; the ends are the carried rows."""
    return [[" ".join(cell.text.split()) for cell in row.select("th, td:not(.state)")]
            for row in page.select("table.movements tbody tr:not(.month)")]


def states(page) -> list[str]:
    """What each line of the statement says of its voucher."""
    return [" ".join(cell.text.split()) for cell in page.select("table.movements td.state")]


def open_amounts(page) -> list[int]:
    """What is left of each voucher of A pagar, in centavos."""
    return [int(data["value"]) for data in page.select("#a-pagar .open-item data[value]")]


def totals(table) -> tuple[int, int, int]:
    """(opening, movements, closing) of a statement's rows, whose last three are money."""
    (*_, opening), *lines, (*_, closing) = table
    moved = sum(centavos(debit or f"-{credit}") for *_, debit, credit, _ in lines)
    return centavos(opening), moved, centavos(closing)


def csv_rows(answer) -> list[list[str]]:
    """The spreadsheet, without its head."""
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig")), delimiter=";"))[1:]


def on_paper(answer) -> dict:
    """{words before it: amount} of the balances on a PDF, and its 'lines'."""
    text = pdf_text(answer)
    found = dict(re.findall(r"^(Saldo anterior|Saldo) (−?-?[\d.,]+)$", text, re.M))
    return {"lines": re.findall(r"^\d\d/\d\d/\d{4} .*$", text, re.M),
            **{words: centavos(amount) for words, amount in found.items()}}


@pytest.fixture
def ledger(db):
    """ledger(1008): the sum of a customer's movements, by SQL alone."""
    sql = "SELECT sum(amount) AS balance FROM movement WHERE customer = ?"
    return lambda number: db.execute(sql, (number,)).fetchone().balance


@pytest.fixture
def hugo(visit):
    """Hugo's browser."""
    return visit("Hugo")


@pytest.fixture
def pages(hugo):
    """Hugo's six pages, the oldest first."""
    return [rows(hugo.page(f"/cuenta?pagina={number}")) for number in range(1, 7)]


# Ana's: one page

def test_ana_reads_her_statement_line_by_line(visit):
    table = rows(visit("Ana").page("/cuenta"))
    assert table[0] == ["Saldo anterior", "0,00"]
    assert table[1:3] == [
        ["08/07/2026", "Factura B 00003-00012430", "Internet 50 Mbps, julio de 2026",
         "589,00", "", "589,00"],
        ["20/07/2026", "Recibo B 00001-00011544", "Transferencia bancaria", "", "589,00", "0,00"]]
    assert len(table) == 10 and table[-1] == ["Saldo", "1.250,40"]


@pytest.mark.parametrize(("who", "words", "amount"), [
    ("Ana", "Saldo a pagar", "1.250,40"), ("Caro", "Saldo a favor", "320,00"),
    ("Beto", "No tiene saldo pendiente", "0,00")])
def test_the_balance_is_told_in_words_and_can_be_paid_if_any_is_owed(visit, who, words, amount):
    page = visit(who).page("/cuenta")
    assert words in page.main.text and f"$\xa0{amount}" in page.main.text
    assert bool(page.main.find("a", string="Pagar")) is (who == "Ana")


def test_movements_of_one_day_keep_the_order_in_which_they_came(visit, db, run):
    db.execute("UPDATE movement SET date = '2026-11-09' WHERE customer = 1001")
    run("set", "page_size", "3")
    browser = visit("Ana")
    found = [line[1] for number in (1, 2, 3)
             for line in rows(browser.page(f"/cuenta?pagina={number}"))[1:-1]]
    by_id = db.execute("SELECT number FROM movement WHERE customer = 1001 ORDER BY id").fetchall()
    assert [text[-8:] for text in found] == [f"{line.number:08}" for line in by_id]


# What is open

def test_each_invoice_says_whether_it_is_paid_and_else_when_it_is_due(visit, time_machine):
    time_machine.move_to(DAY)
    told = states(visit("Ana").page("/cuenta"))
    assert told[:6:2] == ["Pagada"] * 3 and told[1:6:2] == [""] * 3     # invoice, receipt, …
    assert re.match("Venció 10/11", told[6]) and re.match("Vence 10/12", told[7])


@pytest.mark.parametrize("address", ["/", "/cuenta", "/cuenta/saldo", "/pago"])
def test_what_is_to_be_paid_is_listed_with_its_due_date_and_pdf(visit, time_machine, address):
    time_machine.move_to(DAY)
    page = visit("Ana").page(address)
    older, newer = page.select("#a-pagar .open-item")
    assert "A pagar" in page.select_one("#a-pagar h2").text
    assert open_amounts(page) == [62520, 62520]
    assert "Factura B 00003-00012613" in older.text and "Vencida hace 18 días" in older.text
    assert "Factura B 00003-00012676" in newer.text and "Vence en 12 días" in newer.text


@pytest.mark.parametrize("who", [name for name in CAST if name not in ("Gloria", "Luis")])
def test_what_is_open_adds_up_to_what_is_owed(visit, ledger, who):
    browser, owed = visit(who), max(ledger(CAST[who]), 0)
    for address in ("/", "/cuenta", "/cuenta/saldo", "/pago"):
        listed = open_amounts(browser.page(address))
        assert sum(listed) == owed and min(listed, default=1) > 0


@pytest.mark.parametrize(("due", "words"), [
    ("2026-11-27", "Vencida"), ("2026-12-10", "Sin fecha de vencimiento")])
def test_what_is_older_than_the_window_is_added_up(visit, db, time_machine, due, words):
    time_machine.move_to(DAY)
    db.execute("UPDATE setting SET value = 1 WHERE name = 'statement_window'")
    db.execute("UPDATE movement SET due_date = ? WHERE customer = 1001", (due,))
    page = visit("Ana").page("/cuenta")
    older = page.select(".open-item")[0]
    assert open_amounts(page) == [62520, 62520]
    assert "Saldo anterior" in older.text and words in older.text and "Factura" not in older.text


@given(amounts=some.lists(some.integers(-9999, 9999), max_size=30), window=some.integers(1, 12))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_of_any_ledger_what_is_open_is_what_the_payments_leave(app, db, amounts, window):
    db.execute("DELETE FROM movement WHERE customer = 1002")
    db.executemany("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
                   " VALUES (1002, date('2026-01-01', ? || ' days'), 6, 3, ?, ?)",
                   [(n // 2, n, amount) for n, amount in enumerate(amounts)])
    db.execute("UPDATE setting SET value = ? WHERE name = 'statement_window'", (window,))
    older = max(len(amounts) - window, 0)
    rest = [sum(amounts[:older]), *amounts[older:]]
    for payment, debt, amount in cac.cancellations(list(rest)):
        rest[payment], rest[debt] = rest[payment] + amount, rest[debt] - amount
    with app.app_context():
        found, items = cac.statement(1002), cac.open_items(1002, sum(amounts))
        reasons = cac.explanation(found)
    left = [amount for amount in rest if amount > 0]
    assert [item.rest for item in items] == [item.rest for item in found.open_items] == left
    assert sum(left) == max(sum(amounts), 0)
    assert [line.rest for line in reasons if line.amount > 0 and line.rest] == left
    assert [line.rest for line in found.lines] == [max(amount, 0) for amount in rest[1:]]


# Hugo's: 400 movements, of which 120 are shown

def test_hugos_pages_run_from_the_oldest_to_the_newest_of_his_last_120_movements(pages, db):
    assert [len(page) - 2 for page in pages] == [20] * 6
    days = [datetime.strptime(line[0], "%d/%m/%Y").date().isoformat()  # noqa: DTZ007 - no hour
            for page in pages for line in page[1:-1]]
    assert days == [row.date for row in db.execute(
        "SELECT date FROM movement WHERE customer = 1008 ORDER BY date, id LIMIT -1 OFFSET 280")]


def test_each_balance_is_the_one_before_and_the_movement(pages, db):
    assert centavos(pages[0][0][-1]) == db.execute(
        "SELECT sum(amount) AS n FROM (SELECT amount FROM movement WHERE customer = 1008"
        " ORDER BY date, id LIMIT 280)").fetchone().n
    for before, page in pairwise(pages):
        assert page[0] == ["Saldo anterior", before[-1][-1]]
    for page in pages:
        opening, moved, closing = totals(page)
        assert opening + moved == closing == centavos(page[-2][-1])


def test_paper_and_spreadsheet_hold_the_same_lines_as_the_pages(hugo, pages, ledger):
    lines = [line for page in pages for line in page[1:-1]]
    sheet, paper = csv_rows(hugo.get("/cuenta.csv")), on_paper(hugo.get("/cuenta.pdf"))
    assert [[day, f"{kind} {number}", *rest[:1], *map(centavos, filter(None, rest[1:]))]
            for day, kind, number, *rest in sheet[1:-1]] == [
        [*line[:3], *map(centavos, filter(None, line[3:]))] for line in lines]
    assert paper["lines"] == [" ".join(filter(None, line)) for line in lines]
    opening, _, closing = totals([pages[0][0], *lines, pages[-1][-1]])
    assert totals(sheet)[::2] == (opening, closing) == (opening, ledger(1008))
    assert (paper["Saldo anterior"], paper["Saldo"]) == (opening, closing)


# Finding one's way


@pytest.mark.parametrize("asked", ["7", "0", "-1", "9" * 30, "x", ""])
def test_a_page_that_does_not_exist_leads_to_the_last(hugo, asked):
    answer = hugo.get("/cuenta", query_string={"pagina": asked})
    assert (answer.status_code, answer.location) == (302, "/cuenta")


@pytest.mark.parametrize(("number", "older", "newer"), [(1, None, 2), (3, 2, 4), (6, 5, None)])
def test_pages_lead_to_their_neighbours(hugo, visit, number, older, newer):
    nav = hugo.page(f"/cuenta?pagina={number}").select_one("nav.pages")
    found = [nav.find("a", rel=rel) for rel in ("prev", "next")]
    assert [link and link["href"] for link in found] == [
        page and f"/cuenta?pagina={page}" for page in (older, newer)]
    assert nav.select_one("[aria-current=page]").text == str(number)
    assert not visit("Ana").page("/cuenta").select_one("nav.pages")


def test_the_operator_decides_how_much_is_shown(hugo, run):
    assert run("set", "statement_window", "50").exit_code == 0
    assert run("set", "page_size", "15").exit_code == 0
    tables = [rows(hugo.page(f"/cuenta?pagina={number}")) for number in range(1, 5)]
    assert [len(table) - 2 for table in tables] == [15, 15, 15, 5]
    assert len(csv_rows(hugo.get("/cuenta.csv"))) == 52
    assert "últimos 50 movimientos" in text_of(hugo.get("/cuenta"))


# The spreadsheet

def test_the_spreadsheet_opens_as_argentine_programs_expect(visit):
    answer = visit("Ana").get("/cuenta.csv")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].endswith(      # whose it is, and of which days
        "filename=cuenta-corriente-1001-2026-07-08-al-2026-11-09.csv")
    assert answer.data.startswith(b"\xef\xbb\xbfFecha;Comprobante;N\xc3\xbamero;Detalle;Debe;")
    assert b"08/07/2026;Factura B;00003-00012430;" in answer.data
    assert answer.data.endswith(b";Saldo;;;;;1250,40\r\n")
    assert visit("Caro").get("/cuenta.csv").data.endswith(b";Saldo;;;;;-320,00\r\n")


@pytest.mark.parametrize(("detail", "mark"), [
    ('=HYPERLINK("http://evil.example";"x")', "'"), ("+1+1", "'"), ("-2+3", "'"), ("@SUM(A1)", "'"),
    ("\t=1+1", "'"), ("\r=1+1", "'"), ("\n=1+1", "'"), ('Diseño "a medida"; <tienda>, 2-1', "")])
def test_a_formula_in_a_detail_is_a_text_and_all_else_as_it_was_written(visit, db, detail, mark):
    db.execute("UPDATE movement SET detail = ? WHERE id = 100101", (detail,))
    cell = csv_rows(visit("Ana").get("/cuenta.csv"))[1][3]
    assert cell.split() == f"{mark}{detail}".split()


# On paper

def test_each_page_of_the_paper_says_whose_it_is_of_which_days_and_which_of_how_many(hugo):
    answer = hugo.get("/cuenta.pdf")
    texts = [page.extract_text() for page in PdfReader(io.BytesIO(answer.data)).pages]
    assert answer.mimetype == "application/pdf" and len(texts) > 1
    for number, text in enumerate(texts, 1):
        assert re.search(r"Hugo .*usuario 1008 · CUIT 20-99001008-1 · Movimientos del", text)
        assert f"Página {number} de {len(texts)}" in text and "Fecha Comprobante" in text


@pytest.mark.parametrize(("who", "words"), [("Ana", "a pagar al 28/11/2026\n$ 1.250,40\n"),
                                            ("Caro", "a favor al 28/11/2026\n$ 320,00\n")])
def test_the_paper_begins_with_the_balance(visit, time_machine, who, words):
    time_machine.move_to(DAY)
    paper = pdf_text(visit(who).get("/cuenta.pdf")).replace("\xa0", " ")
    assert f"Saldo {words}" in paper.partition("Fecha Comprobante")[0]


def test_names_are_printed_as_they_are_or_with_the_nearest_letters(visit, db):
    paper = pdf_text(visit("Ñandú").get("/cuenta.pdf"))
    assert 'Ñandú "D\'Ángelo" <b>& Cía.' in paper and "Usuario 1013" in paper
    words = ["Łódź,", "Dvořák", "’", "Ćosić", "€", "中😀", *(f"palabra{n}" for n in range(40))]
    db.execute("UPDATE movement SET detail = ? WHERE id = 100101", (" ".join(words),))
    paper = " ".join(pdf_text(visit("Ana").get("/cuenta.pdf")).split())
    assert "Lódz, Dvorák ’ Cosic €" in paper and "?" not in paper
    assert all(word in paper for word in words[6:])     # a long detail takes more lines


# Gloria's: no movements

def test_an_empty_account_totals_nothing_everywhere_and_says_what_will_be_there(visit, db):
    db.execute("UPDATE customer SET password = (SELECT password FROM customer WHERE number = 1001)"
               " WHERE number = 1007")
    gloria = visit("Gloria")
    page = gloria.page("/cuenta")
    assert "Todavía no tiene movimientos en su cuenta." in page.main.text
    assert rows(page) == [] and not page.find("a", href=re.compile(r"\.(csv|pdf)$"))
    assert totals(csv_rows(gloria.get("/cuenta.csv"))) == (0, 0, 0)
    assert on_paper(gloria.get("/cuenta.pdf")) == {"lines": [], "Saldo anterior": 0, "Saldo": 0}
