"""¿Por qué este saldo?, the balance of the last 12 months, and the year as a ZIP."""

import io
import re
import zipfile

import pypdf
import pytest
from conftest import CAST
from test_account import centavos, open_amounts, rows

DAY = "2026-11-23T12:00Z"


@pytest.fixture
def why(visit, time_machine):
    """why("Ana"): the page on a fixed day."""
    time_machine.move_to(DAY)
    return lambda who: visit(who).page("/cuenta/saldo")


def text_like(page) -> str:
    """What is read on a page, spaces folded."""
    return " ".join(page.main.text.split()) + " "


def amounts(page) -> list[int]:
    """The amounts of the page's table, the closing line last."""
    return [centavos(row[-1]) for row in rows(page)]


# The arithmetic

@pytest.mark.parametrize("who", [name for name in CAST if name not in ("Gloria", "Luis")])
def test_the_lines_add_up_to_the_balance_and_the_debts_to_what_is_open(why, db, who):
    page = why(who)
    *lines, closing = amounts(page)
    sql = "SELECT sum(amount) AS balance FROM movement WHERE customer = ?"
    assert sum(lines) == closing == db.execute(sql, (CAST[who],)).fetchone().balance
    assert [centavos(debt) for debt in re.findall(r"Debe ([\d.,]+\d)", page.main.text)] == (
        open_amounts(page))


def test_ana_reads_what_is_open_what_is_overdue_and_what_she_paid_with_what(why):
    page = why("Ana")
    assert "Vencido $ 625,20 Vence el 10/12/2026 $ 625,20" in text_like(page)
    assert "todavía no está pago: 2 comprobantes." in text_like(page)
    table = rows(page)
    assert table[0] == ["08/07/2026", "Factura B 00003-00012430",
                        "Pagado con Recibo B 00001-00011544.", "+589,00"]
    assert table[1][2] == "Canceló Factura B 00003-00012430."
    assert [row[2] for row in table[-3:-1]] == ["Debe 625,20; venció el 10/11/2026.",
                                                "Debe 625,20; vence el 10/12/2026."]
    assert table[-1] == ["Saldo", "1.250,40"]


def test_caro_reads_what_is_in_her_favour(why):
    page = why("Caro")
    assert "Todo lo facturado está pago, y además pagó $ 320,00 de más." in text_like(page)
    assert rows(page)[-2][2] == ("Canceló Factura B 00003-00012611 (330,00). "
                                 "Quedan 320,00 a su favor.")
    assert rows(page)[2][2] == ("Pagado con Nota de crédito B 00003-00000820 (120,00), "
                                "Recibo B 00001-00011715 (330,00).")


def test_of_hugos_many_movements_the_open_and_the_last_are_explained(why):
    table = rows(why("Hugo"))
    assert table[0] == ["Otros movimientos anteriores, sumados", "4.745,44"]
    assert len(table) == 14 and table[-1] == ["Saldo", "4.999,99"]


def test_an_old_open_invoice_is_explained_however_old(why, db):
    db.execute("UPDATE movement SET amount = amount + 2000000 WHERE id = 100800290")
    db.execute("UPDATE movement SET amount = 1 WHERE customer = 1008 AND amount < 0")
    found = [row for row in rows(why("Hugo")) if "Debe" in row[-2]]
    assert len(found) > 12


# The chart

@pytest.fixture
def bars(why):
    """bars("Ana"): (month, balance, where its bar begins, how long it is) of the chart."""
    def read(who):
        return [(row.dt.text, int(row.data["value"]), int(row.rect["x"]), int(row.rect["width"]))
                for row in why(who).select("dl.chart > div")]
    return read


def test_the_chart_has_the_balance_at_the_end_of_each_of_12_months(bars):
    assert [month for month, *_ in bars("Ana")] == [
        "dic 2025", *(f"{month} 2026" for month in
                      "ene feb mar abr may jun jul ago sep oct nov".split())]
    assert [balance for _, balance, *_ in bars("Ana")] == [0] * 10 + [62520, 125040]


def test_it_begins_with_all_that_came_before_and_ends_with_the_balance(bars, db):
    db.execute("UPDATE movement SET date = '2027-01-05' WHERE id = 100800400")  # dated ahead
    values = [balance for _, balance, *_ in bars("Hugo")]
    sql = "SELECT sum(amount) AS n FROM movement WHERE customer = 1008 AND date < ?"
    assert values[0] == db.execute(sql, ("2026-01-01",)).fetchone().n
    assert values[6] == db.execute(sql, ("2026-07-01",)).fetchone().n and values[-1] == 499999


def test_what_is_in_favour_is_drawn_to_the_left_of_zero(bars, db):
    db.execute("UPDATE movement SET date = '2026-09-01' WHERE id = 100305")
    drawn = bars("Caro")
    least = min(balance for _, balance, *_ in drawn)
    assert least < 0
    assert [row[2:] for row in drawn] == [
        (min(balance, 0) - least, abs(balance)) for _, balance, *_ in drawn]


@pytest.mark.parametrize(("who", "is_shown"), [
    ("Karina", False), ("Beto", False), ("Ana", True), ("Elena", True)])
def test_it_is_there_if_the_balance_had_three_heights(why, who, is_shown):
    assert bool(why(who).select_one(".chart")) is is_shown


# The year

def archive(browser, year):
    """{name: content} of a year's ZIP."""
    answer = browser.get(f"/cuenta/{year}.zip", buffered=True)
    assert answer.status_code == 200 and answer.mimetype == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}


def test_anas_year_has_her_invoices_and_her_statement(visit, db):
    db.execute("UPDATE movement SET document = 'lost.pdf' WHERE id = 100103")
    found = archive(visit("Ana"), 2026)
    assert {name for name in found if name.startswith("Factura")} == {
        f"Factura-B-00003-000{n}.pdf" for n in (12430, 12552, 12613, 12676)}
    text = pypdf.PdfReader(io.BytesIO(found["cuenta-corriente-2026.pdf"])).pages[0].extract_text()
    assert "Cuenta corriente 2026" in text and "1.250,40" in text
    assert found["cuenta-corriente-2026.csv"].decode("utf-8-sig").endswith("1250,40\r\n")
    assert {"Recibo-B-00001-00011544.pdf", "Factura-B-00003-00012495.pdf"} <= set(
        found["LEAME.txt"].decode().splitlines())


def test_a_year_of_hugo_opens_with_the_balance_of_the_year_before(visit):
    old, new = (archive(visit("Hugo"), year)[f"cuenta-corriente-{year}.csv"].decode("utf-8-sig")
                for year in (2024, 2025))
    assert new.splitlines()[1].split(";")[-1] == old.splitlines()[-1].split(";")[-1]
    assert len(new.splitlines()) == 24 + 3


@pytest.mark.parametrize("year", ["2025", "0000", "26", "x"])
def test_a_year_without_movements_is_404(visit, year):
    assert visit("Ana").get(f"/cuenta/{year}.zip").status_code == 404


def test_the_statement_leads_to_the_years_that_have_movements(visit):
    links = [link["href"] for link in visit("Beto").page("/cuenta").select("a[href$=zip]")]
    assert links == ["/cuenta/2026.zip", "/cuenta/2010.zip"]
    assert len(visit("Hugo").page("/cuenta").select("a[href$=zip]")) == 17
