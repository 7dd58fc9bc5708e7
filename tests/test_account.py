"""Mi cuenta corriente: the statement, as a page, for a spreadsheet and on paper."""

import csv
import io
import re
from datetime import datetime
from itertools import pairwise

import pytest
from conftest import pdf_text, text_of


def centavos(text: str) -> int:
    """The amount that is read, wherever its points and commas are."""
    number = int(re.sub(r"\D", "", text))
    return -number if text[0] in "−-" else number


def rows(page) -> list[list[str]]:
    """The statement on a page, cell by cell; the first and the last row are the carried ones."""
    return [[" ".join(cell.text.split()) for cell in row.select("th, td:not(.state)")]
            for row in page.select("table.movements tbody tr:not(.month)")]


def totals(table) -> tuple[int, int, int]:
    """(opening, movements, closing) of a statement's rows, whose last three are money."""
    (*_, opening), *lines, (*_, closing) = table
    moved = sum(centavos(debit or f"-{credit}") for *_, debit, credit, _ in lines)
    return centavos(opening), moved, centavos(closing)


def csv_rows(answer) -> list[list[str]]:
    """The spreadsheet, without its head."""
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig")), delimiter=";"))[1:]


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


def test_ana_reads_what_she_owes_and_can_pay_it(visit):
    page = visit("Ana").page("/cuenta")
    assert "Saldo a pagar" in page.main.text and "$\xa01.250,40" in page.main.text
    assert page.find("a", string="Pagar")["href"] == "/pago"


def test_caro_reads_what_is_in_her_favour(visit):
    page = visit("Caro").page("/cuenta")
    assert "Saldo a favor" in page.main.text and "$\xa0320,00" in page.main.text
    assert rows(page)[-1] == ["Saldo", "−320,00"] and not page.find("a", string="Pagar")


def test_beto_owes_nothing(visit):
    assert "No tiene saldo pendiente" in text_of(visit("Beto").get("/cuenta"))


def test_movements_of_one_day_keep_the_order_in_which_they_came(visit, db, run):
    db.execute("UPDATE movement SET date = '2026-11-09' WHERE customer = 1001")
    run("set", "page_size", "3")
    browser = visit("Ana")
    found = [line[1] for number in (1, 2, 3)
             for line in rows(browser.page(f"/cuenta?pagina={number}"))[1:-1]]
    by_id = db.execute("SELECT number FROM movement WHERE customer = 1001 ORDER BY id").fetchall()
    assert [text[-8:] for text in found] == [f"{line.number:08}" for line in by_id]


# Hugo's: 400 movements, of which 120 are shown

def test_hugo_has_six_full_pages_of_his_last_120_movements(pages, db):
    count = db.execute("SELECT count(*) AS n FROM movement WHERE customer = 1008").fetchone().n
    assert count == 400
    assert [len(page) - 2 for page in pages] == [20] * 6


def test_they_run_from_the_oldest_to_the_newest(pages, db):
    days = [datetime.strptime(line[0], "%d/%m/%Y").date().isoformat()  # noqa: DTZ007 - no hour
            for page in pages for line in page[1:-1]]
    assert days == sorted(days)
    assert days[-1] == db.execute("SELECT max(date) AS day FROM movement WHERE customer = 1008"
                                  ).fetchone().day


def test_each_page_opens_with_the_last_balance_of_the_page_before(pages):
    for before, page in pairwise(pages):
        assert page[0] == ["Saldo anterior", before[-2][-1]]
        assert before[-1][0].startswith("Saldo al ") and before[-1][1] == before[-2][-1]


def test_each_balance_is_the_one_before_and_the_movement(pages):
    for page in pages:
        balance = centavos(page[0][-1])
        for *_, debit, credit, read in page[1:-1]:
            balance += centavos(debit or f"-{credit}")
            assert centavos(read) == balance


def test_the_first_page_opens_with_the_sum_of_what_is_not_shown(pages, db):
    older = db.execute("SELECT sum(amount) AS balance FROM (SELECT amount FROM movement WHERE"
                       " customer = 1008 ORDER BY date, id LIMIT 280)").fetchone().balance
    assert centavos(pages[0][0][-1]) == older


def test_page_spreadsheet_and_paper_total_what_the_ledger_does(hugo, pages, ledger):
    whole = [pages[0][0], *(line for page in pages for line in page[1:-1]), pages[-1][-1]]
    opening, moved, closing = totals(whole)
    assert totals(csv_rows(hugo.get("/cuenta.csv"))) == (opening, moved, closing)
    paper = pdf_text(hugo.get("/cuenta.pdf"))
    assert centavos(re.search(r"Saldo anterior (\S+)", paper)[1]) == opening
    assert centavos(re.search(r"Saldo (\S+)\s*$", paper)[1]) == closing
    assert opening + moved == closing == ledger(1008) == 499999


def test_paper_and_spreadsheet_hold_the_same_lines_as_the_pages(hugo, pages):
    lines = [line for page in pages for line in page[1:-1]]
    sheet = csv_rows(hugo.get("/cuenta.csv"))[1:-1]
    assert [[day, f"{kind} {number}", *rest[:1], *map(centavos, filter(None, rest[1:]))]
            for day, kind, number, *rest in sheet] == [
        [*line[:3], *map(centavos, filter(None, line[3:]))] for line in lines]
    on_paper = re.findall(r"^\d\d/\d\d/\d{4} .*$", pdf_text(hugo.get("/cuenta.pdf")), re.M)
    assert on_paper == [" ".join(filter(None, line)) for line in lines]


@pytest.mark.parametrize("who", [1001, 1002, 1003, 1004, 1005, 1006, 1008, 1009, 1010, 1011, 1013])
def test_everybodys_balance_is_the_ledgers(visit, ledger, who):
    browser = visit(who)
    closings = [rows(browser.page("/cuenta"))[-1][-1],
                csv_rows(browser.get("/cuenta.csv"))[-1][-1],
                pdf_text(browser.get("/cuenta.pdf")).split()[-1]]
    assert {centavos(closing) for closing in closings} == {ledger(who)}


# Finding one's way

def test_the_statement_opens_at_the_newest_page(hugo, pages):
    page = hugo.page("/cuenta")
    assert rows(page) == pages[-1]
    assert page.title.text.startswith("Mi cuenta corriente (página 6 de 6) – CAC")


@pytest.mark.parametrize("asked", ["7", "0", "-1", "999999999", "9" * 30, "x", "", "1.5", "٣"])
def test_a_page_that_does_not_exist_leads_to_the_last(hugo, pages, asked):
    answer = hugo.get("/cuenta", query_string={"pagina": asked})
    assert (answer.status_code, answer.location) == (302, "/cuenta")


@pytest.mark.parametrize(("number", "older", "newer"), [
    (1, None, 2),                                       # the oldest
    (3, 2, 4),                                          # in between
    (6, 5, None)])                                      # the newest
def test_pages_lead_to_their_neighbours(hugo, number, older, newer):
    nav = hugo.page(f"/cuenta?pagina={number}").select_one("nav.pages")
    found = [nav.find("a", rel=rel) for rel in ("prev", "next")]
    assert [link and link["href"] for link in found] == [
        page and f"/cuenta?pagina={page}" for page in (older, newer)]
    assert nav.select_one("[aria-current=page]").text == str(number)


def test_one_page_needs_no_way_to_others(visit):
    assert not visit("Ana").page("/cuenta").select_one("nav.pages")


def test_the_operator_decides_how_much_is_shown(hugo, run):
    assert run("set", "statement_window", "50").exit_code == 0
    assert run("set", "page_size", "15").exit_code == 0
    tables = [rows(hugo.page(f"/cuenta?pagina={number}")) for number in range(1, 5)]
    assert [len(table) - 2 for table in tables] == [15, 15, 15, 5]
    assert len(csv_rows(hugo.get("/cuenta.csv"))) == 52
    assert "Los últimos 50 movimientos; los anteriores" in text_of(hugo.get("/cuenta"))


# The spreadsheet

def test_the_spreadsheet_opens_as_argentine_programs_expect(visit):
    answer = visit("Ana").get("/cuenta.csv")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].endswith("filename=cuenta-corriente-1001.csv")
    assert answer.data.startswith(b"\xef\xbb\xbfFecha;Comprobante;N\xc3\xbamero;Detalle;Debe;")
    assert b"08/07/2026;Factura B;00003-00012430;" in answer.data
    assert answer.data.endswith(b";Saldo;;;;;1250,40\r\n")


def test_a_balance_in_favour_is_still_a_number(visit):
    assert csv_rows(visit("Caro").get("/cuenta.csv"))[-1][-1] == "-320,00"


@pytest.mark.parametrize("detail", [
    '=HYPERLINK("http://evil.example";"x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1",
    "\n=1+1", "=cmd|' /C calc'!A0"])
def test_a_formula_in_a_detail_is_a_text(visit, db, detail):
    db.execute("UPDATE movement SET detail = ? WHERE id = 100101", (detail,))
    cell = csv_rows(visit("Ana").get("/cuenta.csv"))[1][3]
    assert cell.startswith("'") and cell.split() == f"'{detail}".split()


@pytest.mark.parametrize("detail", [
    'Diseño "a medida"; <tienda>', "dos\nrenglones", "Plan 2-1", "ñandú, 5 = 3 + 2"])
def test_any_other_detail_is_as_it_was_written(visit, db, detail):
    db.execute("UPDATE movement SET detail = ? WHERE id = 100101", (detail,))
    assert csv_rows(visit("Ana").get("/cuenta.csv"))[1][3] == detail


# On paper

def test_the_paper_says_whose_it_is(visit):
    answer = visit("Ñandú").get("/cuenta.pdf")
    assert (answer.mimetype, answer.data[:5]) == ("application/pdf", b"%PDF-")
    paper = pdf_text(answer)
    assert 'Ñandú "D\'Ángelo" <b>& Cía.' in paper and "Usuario 1013" in paper
    assert "importes en pesos" in paper


def test_what_the_font_lacks_does_not_stop_the_paper(visit, db):
    db.execute("UPDATE movement SET detail = 'Łódź 😀 中' WHERE id = 100101")
    assert "1.250,40" in pdf_text(visit("Ana").get("/cuenta.pdf"))


def test_a_long_detail_takes_more_lines_and_loses_nothing(visit, db):
    words = [f"palabra{number}" for number in range(40)]
    db.execute("UPDATE movement SET detail = ? WHERE id = 100101", (" ".join(words),))
    paper = pdf_text(visit("Ana").get("/cuenta.pdf"))
    assert all(word in paper for word in words)


# Gloria's: no movements

@pytest.fixture
def gloria(visit, db):
    """Gloria's browser, once she has chosen a password."""
    db.execute("UPDATE customer SET password = (SELECT password FROM customer WHERE number = 1001)"
               " WHERE number = 1007")
    return visit("Gloria")


def test_an_empty_account_says_what_will_be_there(gloria):
    page = gloria.page("/cuenta")
    assert "Todavía no tiene movimientos en su cuenta." in page.main.text
    assert rows(page) == [] and not page.find("a", href=re.compile(r"\.(csv|pdf)$"))


def test_an_empty_account_totals_nothing_everywhere(gloria):
    assert totals(csv_rows(gloria.get("/cuenta.csv"))) == (0, 0, 0)
    assert pdf_text(gloria.get("/cuenta.pdf")).endswith("Saldo anterior 0,00\nSaldo 0,00")
