"""What imports do to the data: snapshots, parts, brakes, undoing; customers, invoices; changes out.

The files' dialects are the matter of test_import_files.py; here they are plain.
"""

import csv
import getpass
import io
import os
import random
import re
from datetime import UTC, datetime
from pathlib import Path

import cac
import pytest
from conftest import CAST, everything, link_in, text_of
from fpdf import FPDF
from test_import_files import (
    HEADER, ROWS, cells_of, file_of, ledger, load, newcomer, refused,
)
from test_import_files import text_of as csv_of
from test_profile import column, emails, phones, save

__all__ = ["load", "newcomer"]   # fixtures

CUSTOMERS = ("usuario", "nombre", "cuit", "condicion_iva", "domicilio", "localidad", "provincia",
             "codigo_postal", "emails", "telefonos", "marca", "activo")


def movements(rows):
    """These rows, as a file."""
    return csv_of([HEADER, *map(cells_of, rows)]).encode()


def contents(db):
    """Every table's rows, but for the log and the imports' own books."""
    tables = [row.name for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: sorted(db.execute(f"SELECT * FROM {table}"), key=repr)
            for table in tables if not table.startswith(("import", "sqlite", "event"))}


def total(db):
    """What all customers owe together."""
    return db.execute("SELECT sum(amount) AS n FROM movement").fetchone().n


def last_import(db):
    """The number of the newest import."""
    return db.execute("SELECT max(id) AS id FROM import").fetchone().id


# --- A snapshot, or a part ------------------------------------------------------------------------

REVISED = [ROWS[0], ROWS[1]._replace(amount=-99999), *ROWS[2:9],     # one changed, one gone
           ROWS[9]._replace(number=78)]                              # one new


def test_what_is_no_longer_in_the_file_vanishes(load, db):
    load(file_of())
    others = ledger(db, *(set(CAST.values()) - {1007}))
    answer = load(movements(REVISED))
    assert "10 lines: 1 new, 1 changed, 8 equal, 0 refused" in answer.output
    assert [row.number for row in ledger(db, 1007)] == [13001, 20001, 13002, 901, 78]
    assert next(row for row in ledger(db, 123) if row.number == 55).amount == -99999
    assert ledger(db, *(set(CAST.values()) - {1007})) == others


def test_a_part_only_adds_and_changes(load, db):
    load(file_of())
    load(movements(REVISED), "--partial")
    assert [row.number for row in ledger(db, 1007)] == [13001, 20001, 13002, 901, 77, 78]


def test_a_customer_who_is_not_in_the_file_keeps_everything(load, db):
    load(file_of())
    load(movements(ROWS[:5]))
    assert len(ledger(db, 1007)) == 5


def test_receipts_of_the_portal_never_vanish(load, db):
    load(file_of())
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount, origin)"
               " VALUES (1007, '2026-11-01', 900, 0, 1, -100, 'portal')")
    load(movements(ROWS[:9]))
    assert [row.number for row in ledger(db, 1007)] == [13001, 20001, 13002, 901, 1]


def test_a_file_cannot_touch_a_receipt_of_the_portal(load, db):
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount, origin)"
               " VALUES (1007, '2026-11-01', 900, 0, 1, -100, 'portal')")
    before = db.execute("SELECT * FROM movement WHERE origin = 'portal'").fetchall()
    row = ROWS[8]._replace(date="2026-11-01", type=900, point_of_sale=0, number=1, amount=-999)
    load(movements([row]))
    assert db.execute("SELECT * FROM movement WHERE origin = 'portal'").fetchall() == before


def test_a_file_of_a_customer_s_receipt_alone_is_their_whole_account_too(load, db):
    load(file_of())
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount, origin)"
               " VALUES (1007, '2026-11-01', 900, 0, 1, -100, 'portal')")
    receipt = ROWS[8]._replace(date="2026-11-02", type=900, point_of_sale=0, number=1, amount=-100)
    answer = load(movements([receipt]), "--force")
    assert "1 line: 0 new, 0 changed, 1 equal, 0 refused, 5 gone" in answer.output
    assert [(row.number, row.date) for row in ledger(db, 1007)] == [(1, "2026-11-01")]


def test_a_payment_that_may_count_twice_is_pointed_out(load, db):
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount, origin)"
               " VALUES (1007, '2026-09-14', 900, 0, 1, -123456, 'portal')")
    output = load(file_of()).output
    assert "line 9 may be the payment of receipt 900" in output     # the transfer of the 15th


def test_an_opening_balance_that_may_hold_a_payment_is_pointed_out(load, db):
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount, origin)"
               " VALUES (1007, '2026-09-14', 900, 0, 1, -123456, 'portal')")
    row = cells_of(ROWS[5]._replace(type="Saldo anterior", number="", date="2026-10-01"))
    output = load(csv_of([HEADER, row]).encode()).output
    assert "line 2 may hold the payment of receipt 900" in output


def test_a_movement_that_changes_keeps_its_place_and_its_pdf(load, db):
    load(file_of())
    db.execute("UPDATE movement SET document = 'x.pdf' WHERE number = 13001")
    load(movements([*ROWS[:5], ROWS[5]._replace(detail="Internet 100 Mbps"), *ROWS[6:]]))
    found = db.execute("SELECT * FROM movement WHERE number = 13001").fetchone()
    assert (found.detail, found.document) == ("Internet 100 Mbps", "x.pdf")


def test_the_customer_sees_at_once_what_was_imported(load, visit):
    hugo = visit("Hugo")
    row = ROWS[2]._replace(customer=CAST["Hugo"], number=99999, detail="Alta de fibra")
    load(movements([row]), "--partial")
    assert "Alta de fibra" in text_of(hugo.get("/cuenta"))


def test_the_summary_has_the_total_balance_before_and_after(load, db):
    before = total(db)
    output = load(file_of()).output
    after = before + sum(row.amount for row in ROWS)
    assert "10 lines: 10 new, 0 changed, 0 equal, 0 refused" in output
    assert f"total balance {cac.plain_money(after)} (before {cac.plain_money(before)})" in output
    assert total(db) == after


def test_a_dry_run_says_the_same_and_changes_nothing(load, db):
    load(file_of())
    before = everything(db)
    trial = load(movements(REVISED), "--dry-run")
    assert everything(db) == before
    real = load(movements(REVISED))
    assert set(summary(trial)) == set(summary(real)) and len(summary(real)) == 2


def summary(answer):
    """The lines that count."""
    return re.findall(r"\d+ lines: .*|total balance.*", answer.output)


def test_the_same_file_again_says_so_and_does_nothing(load, db):
    load(file_of())
    before = everything(db)
    again = load(file_of())
    assert again.exit_code == 0
    assert re.search("same|again|already", again.output)
    assert everything(db) == before


def test_the_same_file_mends_what_was_spoilt_since(load, db):
    load(file_of())
    db.execute("DELETE FROM movement WHERE number = 13001")
    assert "1 new" in load(file_of()).output
    assert len(ledger(db, 123, 1007)) == 10


def test_the_same_file_works_again_once_it_was_undone(load, db, run):
    load(file_of())
    run("undo", last_import(db))
    assert "10 new" in load(file_of()).output
    assert len(ledger(db, 123, 1007)) == 10


# --- Brakes ---------------------------------------------------------------------------------------

def hugo_alone(db):
    """A file with one movement of Hugo that leaves his balance as it is: 399 would vanish."""
    return movements([ROWS[2]._replace(customer=CAST["Hugo"], amount=499999)])


def fortune(db):
    """A file after which all owe more than half as much again."""
    return movements([*ROWS, ROWS[2]._replace(number=1, amount=total(db) * 2 // 3)])


def halved(db):
    """A file after which all owe less than half."""
    return movements([*ROWS, ROWS[2]._replace(number=1, amount=-total(db) * 2 // 3)])


@pytest.mark.parametrize(("content", "said"), [
    (hugo_alone, "would vanish"), (fortune, "more than half"), (halved, "more than half")])
def test_an_unlikely_file_is_refused_unless_forced(load, db, content, said):
    load(file_of())
    before, content = everything(db), content(db)
    output = refused(load(content), db, before)
    assert said in output and "--force" in output
    assert load(content, "--force").exit_code == 0
    assert everything(db) != before


@pytest.mark.parametrize(("kind", "header"), [
    ("movements", HEADER), ("customers", CUSTOMERS), ("services", ["usuario", "servicio"])])
def test_no_rows_are_refused_unless_forced_and_then_change_nothing(load, db, kind, header):
    before, empty = contents(db), csv_of([header]).encode()
    assert "--force" in load(empty, kind=kind).output
    assert load(empty, "--force", kind=kind).exit_code == 0
    assert contents(db) == before


def test_a_brake_holds_a_dry_run_too(load, db):
    load(file_of())
    answer = load(fortune(db), "--dry-run")
    assert "--force" in answer.output


# --- Undoing --------------------------------------------------------------------------------------

def test_undo_restores_every_table(load, db, run):
    load(file_of())
    before = contents(db)
    load(movements(REVISED))
    assert contents(db) != before
    answer = run("undo", last_import(db))
    assert answer.exit_code == 0, answer.output
    assert contents(db) == before


def test_undo_of_the_first_import_leaves_what_was_there_before(load, db, run):
    before = contents(db)
    load(file_of())
    run("undo", last_import(db))
    assert contents(db) == before


def test_two_imports_are_undone_one_after_the_other(load, db, run):
    before = contents(db)
    load(file_of())
    load(movements(REVISED))
    assert [run("undo", number).exit_code for number in (2, 1)] == [0, 0]
    assert contents(db) == before


@pytest.mark.parametrize("seed", range(4))
def test_any_imports_are_undone_in_reverse_order(load, db, run, seed):
    lottery, states = random.Random(seed), []    # noqa: S311 - nothing secret
    for _ in range(5):
        states.append(contents(db))
        rows = [row._replace(amount=row.amount + lottery.choice([0, 0, 100]))
                for row in lottery.sample(ROWS, lottery.randint(1, 10))]
        load(movements(rows), "--force", *lottery.choice([[], ["--partial"]]))
    for number in (5, 4, 3, 2, 1):
        assert run("undo", number).exit_code == 0
        assert contents(db) == states.pop()


def test_an_older_import_is_undone_or_refused_whole(load, db, run):
    load(file_of())
    load(movements(REVISED))
    before = contents(db)
    answer = run("undo", 1)
    assert answer.exit_code == 1
    assert "2" in answer.output     # which one has to be undone first
    assert contents(db) == before


@pytest.mark.parametrize("kind", ["news", "services", "movements"])
def test_of_three_imports_the_last_is_undone_first(load, db, run, kind):
    files = {"news": [NEWS, NEWS[:NEWS.index(b"2026-11-21")], NEWS],
             "services": [SERVICES, SERVICES.replace(b"Fibra 300", b"Fibra 100"), SERVICES],
             "movements": [file_of(), movements(REVISED), file_of()]}[kind]
    assert [load(content, kind=kind).exit_code for content in files] == [0, 0, 0]
    before = contents(db)
    answer = run("undo", 2)
    assert (answer.exit_code, contents(db)) == (1, before)
    assert f"Import 3 came later, {kind} from {kind}.csv: undo that one first." in answer.output
    assert [run("undo", number).exit_code for number in (3, 2, 1)] == [0, 0, 0]


def test_an_import_of_another_kind_keeps_none_from_being_undone(load, db, run):
    before = contents(db)
    load(NEWS, kind="news")
    load(SERVICES, kind="services")
    assert [run("undo", number).exit_code for number in (1, 2)] == [0, 0]
    assert contents(db) == before


def test_nothing_is_undone_twice(load, db, run):
    load(file_of())
    run("undo", last_import(db))
    before = everything(db)
    answer = run("undo", last_import(db))
    assert answer.exit_code == 1
    assert everything(db) == before


@pytest.mark.parametrize("number", [0, 9999, -1, "x"])
def test_what_was_never_imported_cannot_be_undone(run, db, number):
    before = everything(db)
    assert run("undo", "--", number).exit_code in (1, 2)
    assert everything(db) == before


def test_imports_that_changed_something_are_listed(load, run, db):
    load(file_of())
    load(movements(REVISED))
    run("undo", 2)
    load(movements(ROWS[::-1]))     # the same in another order
    rows = db.execute("SELECT * FROM list_imports").fetchall()
    changes = [(row.id, row.new, row.changed, row.gone) for row in rows]
    assert changes == [(2, 1, 1, 1), (1, 10, 0, 0)]
    assert rows[0].undone.startswith("undone 20") and not rows[1].undone
    assert rows[0].who == getpass.getuser()


def test_an_import_that_changed_nothing_keeps_none_from_being_undone(load, run, db):
    before = contents(db)
    load(file_of())
    load(movements(ROWS[::-1]))
    assert run("undo", 1).exit_code == 0
    assert contents(db) == before


def test_a_payment_after_the_import_outlives_its_undoing(load, db, run):
    load(file_of())
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount, origin)"
               " VALUES (1007, '2026-11-01', 900, 0, 1, -100, 'portal')")
    run("undo", last_import(db))
    assert [(row.type, row.amount) for row in ledger(db, 1007)] == [(900, -100)]


def test_a_payment_never_takes_the_place_of_a_movement_that_went(load, db, run):
    load(file_of())
    load(movements(ROWS[:9]))               # the last row goes
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount, origin)"
               " VALUES (1001, '2026-11-01', 900, 0, 1, -100, 'portal')")
    assert run("undo", last_import(db)).exit_code == 0
    assert [row.number for row in ledger(db, 1007)] == [13001, 20001, 13002, 901, 77]
    assert ledger(db, 1001)[-2].amount == -100


# --- Customers ------------------------------------------------------------------------------------

def customers(*rows):
    """A file of customers: dicts by column; the columns are those that any of them has."""
    header = [name for name in CUSTOMERS if any(name in row for row in rows)]
    return csv_of([header, *([row.get(name, "") for name in header] for row in rows)]).encode()


NEW = {"usuario": "002001", "nombre": "Olga Núñez", "cuit": "27-12345678-0",
       "condicion_iva": "Consumidor Final", "domicilio": "Alem 12", "localidad": "Luján",
       "provincia": "Buenos Aires", "codigo_postal": "6700",
       "emails": "Olga@Example.com|olga.nunez@example.com",
       "telefonos": "2323 42-0001 | 2323 420002", "marca": "tornadostore", "activo": "sí"}


def test_a_new_customer_arrives_whole_and_without_password(load, db):
    answer = load(customers(NEW), kind="customers")
    assert answer.exit_code == 0, answer.output
    found = db.execute("SELECT * FROM customer WHERE number = 2001").fetchone()
    assert (found.name, found.cuit, found.tax_condition, found.address, found.city, found.province,
            found.postal_code, found.brand, found.password, found.active) == (
        "Olga Núñez", "27123456780", "Consumidor Final", "Alem 12", "Luján", "Buenos Aires",
        "6700", "tornadostore", None, 1)
    assert list(emails(db, 2001)) == ["Olga@Example.com", "olga.nunez@example.com"]
    assert phones(db, 2001) == ["2323 42-0001", "2323 420002"]


def test_a_new_customer_gets_in_by_asking_for_a_password(load, browser, mails):
    load(customers(NEW), kind="customers")
    browser.send("/olvido", usuario="2001")
    assert {message["To"] for message in mails()} == {"Olga@Example.com", "olga.nunez@example.com"}
    choose = browser.send(link_in(mails()[0]), clave_nueva="la clave de Olga")
    assert choose.status_code in (200, 303)
    assert browser.sign_in(2001, "la clave de Olga").status_code == 303


@pytest.mark.parametrize("typed", [
    "a@example.com|b@example.com", "a@example.com, b@example.com", "a@example.com b@example.com",
    " a@example.com ,, b@example.com | ", "a@example.com|b@example.com|A@EXAMPLE.com"])
def test_emails_are_separated_by_bars_commas_or_spaces(load, db, typed):
    answer = load(customers(NEW | {"emails": typed}), kind="customers")
    assert answer.exit_code == 0, answer.output
    assert [address.lower() for address in emails(db, 2001)] == ["a@example.com", "b@example.com"]


def test_only_number_and_name_are_needed(load, db):
    load(customers({"usuario": "2001", "nombre": "Olga"}), kind="customers")
    assert (column(db, "name", 2001), column(db, "brand", 2001)) == ("Olga", "netone")
    assert emails(db, 2001) == {}


def test_who_is_not_in_the_file_stays(load, db):
    load(customers(NEW), kind="customers")
    assert db.execute("SELECT count(*) AS n FROM customer WHERE active = 1").fetchone().n == 14
    assert emails(db) == {"ana@example.com": True}


def test_a_column_that_is_not_in_the_file_stays(load, db):
    load(customers({"usuario": "1001", "nombre": "Ana Sosa de Gil"}), kind="customers")
    assert column(db, "name") == "Ana Sosa de Gil"
    assert column(db, "address") == "Av. Mitre 1250, piso 2"
    assert emails(db) == {"ana@example.com": True}
    assert len(phones(db)) == 2


def test_a_password_is_never_touched(load, db):
    before = column(db, "password")
    load(customers(NEW, {"usuario": "1001", "nombre": "Ana", "activo": "si"}), kind="customers")
    assert column(db, "password") == before


IMPORTED = {"usuario": "1001", "nombre": "Ana Sosa", "domicilio": "Lavalle 1", "localidad": "Lanús",
            "provincia": "Córdoba", "codigo_postal": "1824", "emails": "contable@example.com",
            "telefonos": "11 1111-1111"}


def test_what_the_customer_edited_on_the_site_is_not_overwritten(load, db, visit):
    save(visit("Ana"), domicilio="San Martín 55", telefonos_0="11 9999-9999")
    load(customers(IMPORTED), kind="customers")
    assert column(db, "address") == "San Martín 55"
    assert column(db, "city") == "Lanús"            # she did not touch it
    assert "11 9999-9999" in phones(db)


def test_unless_it_is_asked_for(load, db, visit):
    save(visit("Ana"), domicilio="San Martín 55")
    load(customers(IMPORTED), "--overwrite-edits", kind="customers")
    assert column(db, "address") == "Lavalle 1"


def test_an_email_that_the_customer_added_stays(load, db, visit):
    save(visit("Ana"), emails_1="ana.nueva@example.com", clave_actual="demo-2010")
    load(customers(IMPORTED), kind="customers")
    assert "ana.nueva@example.com" in emails(db)


@pytest.mark.parametrize("no", ["no", "NO", "0", "N"])
def test_a_customer_who_is_no_longer_active_is_signed_out_and_stays_out(load, visit, browser, no):
    ana = visit("Ana")
    load(customers({"usuario": "1001", "nombre": "Ana Sosa", "activo": no}), kind="customers")
    assert ana.get("/cuenta").status_code == 302
    assert browser.sign_in("Ana").status_code == 401


def test_who_was_blocked_stays_blocked_where_the_file_does_not_tell(load, db):
    load(customers({"usuario": "1012", "nombre": "Luis Ocampo"}), kind="customers")
    assert column(db, "active", 1012) == 0


@pytest.mark.parametrize(("name", "cell"), [
    ("marca", "netuno"),                    # unknown
    ("activo", "quizás"),
    ("nombre", ""),
    ("usuario", "0"),
    ("usuario", "1234567890"),
    ("usuario", ""),
], ids=lambda part: part or "-")
def test_a_wrong_customer_is_told_with_the_line(load, db, name, cell):
    before = everything(db)
    wrong = customers({"usuario": "2000", "nombre": "Nora"}, NEW | {name: cell})
    output = refused(load(wrong, kind="customers"), db, before)
    assert f"customers.csv, line 3: {name}" in output


def test_one_number_twice_is_refused(load, db):
    wrong = customers(NEW, {"usuario": "2001", "nombre": "Otro"})
    assert "line 3" in refused(load(wrong, kind="customers"), db, everything(db))


def test_undo_of_customers_restores_their_data(load, db, run, visit, wait):
    save(visit("Ana"), domicilio="San Martín 55")
    wait(minutes=1)
    before = contents(db)
    load(customers(IMPORTED, NEW), "--overwrite-edits", kind="customers")
    assert contents(db) != before
    assert run("undo", last_import(db)).exit_code == 0
    assert contents(db) == before


def test_a_new_customer_who_already_came_is_not_undone(load, db, run, browser, mails):
    load(customers(NEW), kind="customers")
    browser.send("/olvido", usuario="2001")
    browser.send(link_in(mails()[0]), clave_nueva="la clave de Olga")
    before = everything(db)
    answer = run("undo", last_import(db))
    assert answer.exit_code == 1 and isinstance(answer.exception, SystemExit)
    assert answer.output == (
        "Error: Customer 2001 came with this import, and is in use: has signed in, or has movements"
        " or services. Nothing was changed.\n")
    assert everything(db) == before


RENAMED = customers(IMPORTED | {"nombre": "Ana María Sosa"})


def test_undo_brings_neither_an_old_password_nor_a_used_link_back(load, db, run, browser):
    link = "/" + run("password", 1001).output.strip().partition("/clientes/")[2]
    load(RENAMED, kind="customers")
    browser.send(link, clave_nueva="otra clave de Ana")
    assert run("undo", last_import(db)).exit_code == 0
    assert column(db, "name") == "Ana Sosa"
    assert browser.get(link).status_code == 410
    assert browser.sign_in("Ana", "otra clave de Ana").status_code == 303


def test_undo_takes_no_email_away_that_was_added_since(load, db, run, visit):
    load(customers({"usuario": "1013", "nombre": "Ñandú", "emails": ""}), kind="customers")
    save(visit("Ana"), emails_1="ana.nueva@example.com", clave_actual="demo-2010")
    assert run("undo", last_import(db)).exit_code == 0
    assert "ana.nueva@example.com" in emails(db) and "nandu@example.com" in emails(db, 1013)


def test_undo_does_not_let_in_who_was_blocked_since(load, db, run):
    load(RENAMED, kind="customers")
    run("block", 1001)
    run("undo", last_import(db))
    assert column(db, "active") == 0


def test_undo_does_not_take_back_what_the_customer_edited_since(load, db, run, visit):
    load(RENAMED, kind="customers")
    save(visit("Ana"), domicilio="San Martín 55")
    answer = run("undo", last_import(db))
    assert answer.exit_code == 1 and "1001" in answer.output
    assert column(db, "address") == "San Martín 55"


def test_an_import_does_not_let_in_who_was_blocked_here(load, db, run):
    run("block", 1001)
    load(customers(IMPORTED | {"activo": "si"}), kind="customers")
    assert column(db, "active") == 0


# --- News and services ----------------------------------------------------------------------------

NEWS = csv_of([["Fecha", "Título", "Texto"],
               ["20/11/2026", "Fibra en Luján", "Desde diciembre.\n\n<b>Consulte</b> & elija."],
               ["2026-11-21", "Feriado", "El lunes no se atiende."]]).encode("cp1252")


def test_news_are_what_the_file_says(load, visit, db, run):
    ana, before = visit("Ana"), contents(db)
    answer = load(NEWS, kind="news")
    assert answer.exit_code == 0, answer.output
    shown = text_of(ana.get("/noticias"))
    assert "Fibra en Luján" in shown and "<b>Consulte</b> & elija." in shown
    assert "Mantenimiento programado" not in shown
    run("undo", last_import(db))
    assert contents(db) == before


def test_news_may_be_added(load, visit):
    load(NEWS, "--partial", kind="news")
    shown = text_of(visit("Ana").get("/noticias"))
    assert "Feriado" in shown and "Mantenimiento programado" in shown


SERVICES = csv_of([["usuario", "servicio", "detalle", "desde", "importe"],
                   ["001001", "Fibra 300 Mbps", "Domicilio: Lavalle 1", "1/11/26", "$ 1.250,40"],
                   ["1007", "Hosting", "", "", ""]]).encode("utf-8-sig")


def test_services_are_what_the_file_says_of_its_customers(load, visit, db):
    answer = load(SERVICES, kind="services")
    assert answer.exit_code == 0, answer.output
    shown = text_of(visit("Ana").get("/servicios"))
    assert "Fibra 300 Mbps" in shown and "1.250,40" in shown and "Internet 50 Mbps" not in shown
    assert db.execute("SELECT count(*) AS n FROM service WHERE customer = 1008").fetchone().n == 2


@pytest.mark.parametrize(("kind", "content", "column_told"), [
    ("news", NEWS.replace(b"20/11", b"31/11"), "fecha"),
    ("news", NEWS.replace(b"Fibra en Luj\xe1n", b""), "titulo"),
    ("services", SERVICES.replace(b"001001", b"009999"), "usuario"),
    ("services", SERVICES.replace(b"1/11/26", b"hoy"), "desde"),
    ("services", SERVICES.replace(b"Fibra 300 Mbps", b""), "servicio")])
def test_wrong_news_and_services_are_told(load, db, kind, content, column_told):
    before = everything(db)
    output = refused(load(content, kind=kind), db, before)
    assert f"{kind}.csv, line 2: {column_told}" in output


# --- Vouchers' PDFs -------------------------------------------------------------------------------

def pdf(text="Factura", extra=b""):
    """A small PDF."""
    made = FPDF()
    made.set_creation_date(datetime(2026, 11, 9, tzinfo=UTC))
    made.add_page()
    made.set_font("helvetica", size=12)
    made.cell(text=text)
    return bytes(made.output()) + extra


@pytest.fixture
def folder(tmp_path):
    """Where the accounting program leaves the PDFs."""
    path = tmp_path / "pdfs"
    path.mkdir()
    return path


def document_of(db, number):
    """The stored file of a voucher of point of sale 3; None = none."""
    return db.execute("SELECT document FROM movement WHERE point_of_sale = 3 AND number = ?",
                      (number,)).fetchone().document


@pytest.mark.parametrize("name", [
    "FAC B 0003-00012676.pdf", "30712345671_006_00003_00012676.pdf", "0003-00012676.pdf",
    "00003-00012676.PDF", "FC B 00003 00012676.pdf", "Factura 006 0003-00012676 Ana Sosa.pdf",
    "000300012676.pdf"])
def test_a_pdf_is_known_by_its_name(run, db, folder, visit, name):
    content = pdf()
    (folder / name).write_bytes(content)
    answer = run("import", "invoices", folder)
    assert answer.exit_code == 0, answer.output
    assert document_of(db, 12676)
    assert visit("Ana").get("/comprobantes/100108.pdf").data == content


@pytest.mark.parametrize("name", [b"0003-00012676 \xf1.pdf", b"0003-00012676 \x1b[2J.pdf"])
def test_a_pdf_whose_name_cannot_be_shown_is_a_problem_like_others(run, db, folder, name):
    before = everything(db)
    Path(folder, os.fsdecode(name)).write_bytes(pdf())
    answer = run("import", "invoices", folder)
    assert answer.exit_code == 1 and "its name is no UTF-8, or has control" in answer.output
    assert re.search(r"0003-00012676 \\(udcf1|x1b\[2J)\.pdf: ", answer.output)
    assert everything(db) == before


def test_a_folder_and_a_file_may_have_any_name(run, db, folder, tmp_path):
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/\xf1"))
    folder.rename(odd)
    (odd / "0003-00012676.pdf").write_bytes(pdf())
    news = odd / os.fsdecode(b"noticias \xf1.csv")
    news.write_bytes(NEWS)
    assert run("import", "invoices", odd).exit_code == run("import", "news", news).exit_code == 0
    listed = db.execute("SELECT file FROM list_imports").fetchall()
    assert r"noticias \udcf1.csv" in [row.file for row in listed]


def test_a_stored_pdf_has_a_name_that_nobody_guesses(run, db, folder):
    (folder / "0003-00012676.pdf").write_bytes(pdf())
    run("import", "invoices", folder)
    assert re.match("[0-9a-f]{64}", document_of(db, 12676))


def test_what_does_not_match_is_listed_both_ways(run, folder):
    (folder / "0003-00012676.pdf").write_bytes(pdf())
    (folder / "0003-99999999.pdf").write_bytes(pdf())
    (folder / "listado.pdf").write_bytes(pdf())
    (folder / "leame.txt").write_text("no es una factura")
    output = run("import", "invoices", folder).output
    assert "0003-99999999.pdf: no voucher has that number" in output
    assert "listado.pdf: its name tells no voucher's number" in output
    assert "12613" in output    # a voucher without a PDF


def test_a_pdf_that_came_before_its_voucher_is_found_the_next_time(run, load, db, folder):
    (folder / "0003-00013001.pdf").write_bytes(pdf())
    run("import", "invoices", folder)
    load(file_of())
    assert "1 changed" in run("import", "invoices", folder).output
    assert document_of(db, 13001)


def test_the_same_folder_again_does_nothing(run, db, folder):
    (folder / "0003-00012676.pdf").write_bytes(pdf())
    run("import", "invoices", folder)
    before = everything(db)
    assert "nothing to do" in run("import", "invoices", folder).output
    assert everything(db) == before


def test_a_stored_pdf_that_was_lost_comes_back(run, db, folder, tmp_path, visit):
    (folder / "0003-00012676.pdf").write_bytes(pdf())
    run("import", "invoices", folder)
    (tmp_path / document_of(db, 12676)).unlink()
    run("import", "invoices", folder)
    assert visit("Ana").get("/comprobantes/100108.pdf").data == pdf()


def test_two_vouchers_of_one_number_need_the_type_in_the_name(run, db, folder):
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
               " VALUES (1004, '2026-11-09', 1, 3, 12676, 100)")
    (folder / "0003-00012676.pdf").write_bytes(pdf())
    assert "0003-00012676.pdf" in run("import", "invoices", folder).output
    assert not db.execute("SELECT 1 FROM movement WHERE document IS NOT NULL").fetchall()
    (folder / "0003-00012676.pdf").rename(folder / "FAC A 0003-00012676.pdf")
    run("import", "invoices", folder)
    found = db.execute("SELECT type FROM movement WHERE document IS NOT NULL").fetchall()
    assert [row.type for row in found] == [1]


BAD_PDFS = {    # what it is: its bytes
    "no PDF": b"MZ this is a program",
    "an HTML page": b"<!DOCTYPE html><script>alert(1)</script>",
    "empty": b"",
    "5 MB and a byte": b"%PDF-1.4\n" + bytes(5 * 1024 * 1024 - 8),
}


@pytest.mark.parametrize("what", BAD_PDFS)
def test_what_is_no_pdf_is_not_stored(run, db, folder, what):
    (folder / "0003-00012676.pdf").write_bytes(BAD_PDFS[what])
    answer = run("import", "invoices", folder)
    assert answer.exit_code == 1
    assert "0003-00012676.pdf: it is" in answer.output
    assert document_of(db, 12676) is None


def test_a_symbolic_link_is_not_followed(run, db, folder, tmp_path):
    (tmp_path / "secret.pdf").write_bytes(pdf("secret"))
    (folder / "0003-00012676.pdf").symlink_to(tmp_path / "secret.pdf")
    assert "0003-00012676.pdf" in run("import", "invoices", folder).output
    assert document_of(db, 12676) is None


def test_a_pdf_that_is_exchanged_once_it_was_looked_at_is_not_stored(app, folder, tmp_path):
    path = folder / "0003-00012676.pdf"
    path.write_bytes(pdf())
    looked_at = cac.read_pdf(path)
    path.write_bytes(pdf("another"))
    with app.app_context(), pytest.raises(cac.Refused, match=r"changed.* Nothing was saved\.$"):
        cac.store_pdf(looked_at, tmp_path)
    assert list(tmp_path.glob("*.pdf*")) == []


def test_undo_of_invoices_takes_the_pdf_away(run, db, folder, visit):
    before = visit("Ana").get("/comprobantes/100108.pdf").data
    (folder / "0003-00012676.pdf").write_bytes(pdf())
    run("import", "invoices", folder)
    run("undo", last_import(db))
    assert document_of(db, 12676) is None
    assert visit("Ana").get("/comprobantes/100108.pdf").data[:500] == before[:500]


def test_a_dry_run_of_invoices_stores_nothing(run, db, folder, tmp_path):
    (folder / "0003-00012676.pdf").write_bytes(pdf())
    before = everything(db)
    assert run("import", "invoices", folder, "--dry-run").exit_code == 0
    assert everything(db) == before
    assert list(tmp_path.glob("*.pdf*")) == []


@pytest.mark.parametrize("path", ["nowhere", "cac.db"])
def test_invoices_come_in_a_folder(run, db, tmp_path, path):
    before = everything(db)
    answer = run("import", "invoices", tmp_path / path)
    assert answer.exit_code in (1, 2)
    assert path in answer.output
    assert everything(db) == before


# --- What customers edited ------------------------------------------------------------------------

def exported(run, *options):
    """The rows of `export changes`."""
    answer = run("export", "changes", *options)
    assert answer.exit_code == 0, answer.output
    return list(csv.reader(io.StringIO(answer.stdout.lstrip("\ufeff")), delimiter=";"))


def test_changes_are_exported_with_old_and_new_value(run, visit):
    save(visit("Ana"), domicilio="San Martín 55", localidad="Lanús")
    rows = [row for row in exported(run) if "1001" in row]
    assert len(rows) == 2
    assert {"Av. Mitre 1250, piso 2", "San Martín 55"} <= set(rows[0] + rows[1])


def test_a_formula_is_neutralised_on_its_way_out(run, visit, db):
    save(visit("Ana"), domicilio='=HYPERLINK("http://evil.example";"x")', contacto="@SUM(1)")
    cells = [cell for row in exported(run) for cell in row]
    assert '\'=HYPERLINK("http://evil.example";"x")' in cells
    assert "'@SUM(1)" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert column(db, "address").startswith("=HYPERLINK")   # stored as typed


def test_since_a_day(run, visit, time_machine):
    time_machine.move_to("2026-11-10T02:59:00Z")    # still the 9th in Argentina
    save(visit("Ana"), domicilio="San Martín 55")
    time_machine.move_to("2026-11-20T12:00:00Z")
    save(visit("Ana"), domicilio="San Martín 56")
    assert sum("1001" in row for row in exported(run, "--since", "2026-11-10")) == 1
    assert sum("1001" in row for row in exported(run, "--since", "2026-11-09")) == 2


@pytest.mark.parametrize("since", ["ayer", "2026-13-01", "31/02/2026"])
def test_a_day_that_is_none_is_wrong_usage(run, since):
    assert run("export", "changes", "--since", since).exit_code in (1, 2)


def test_nothing_changed_is_a_header_alone(run):
    assert len(exported(run)) == 1
