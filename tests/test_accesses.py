"""Accesos a su cuenta: the account's log as its customer reads it, and the open sessions."""

import re

import cac
import pytest
from conftest import ROOT, everything, text_of

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36"


@pytest.fixture
def ana(visit):
    """Ana's browser."""
    return visit("Ana")


@pytest.fixture
def log(ana):
    """log(): what Ana reads of each event, newest first: what, detail, from where."""
    def read(address="/accesos"):
        rows = ana.page(address).select("table.log tbody tr")
        return [tuple(cell.text for cell in row.select("td")[1:]) for row in rows]
    return read


def sessions(browser) -> list[str]:
    """What is read of each open session."""
    return [" ".join(item.text.split()) for item in browser.page("/accesos").select(".rows li")]


# The log

def test_signing_in_is_told_with_browser_and_place(app, visit):
    other = app.test_client()
    other.environ_base |= {"HTTP_USER_AGENT": CHROME, "REMOTE_ADDR": "203.0.113.9"}
    other.sign_in("Ana")
    rows = visit("Ana").page("/accesos").select("table.log tbody tr")
    assert "Ingreso Chrome en Windows 203.0.113.9" in " ".join(rows[1].stripped_strings)


def test_hours_are_those_of_argentina(visit, time_machine):
    time_machine.move_to("2026-11-23T02:30Z", tick=False)
    assert "22/11/2026 23:30" in text_of(visit("Ana").get("/accesos"))


def test_a_refused_try_is_told_to_its_customer_and_to_nobody_else(browser, log, visit):
    browser.sign_in("Ana", "otra clave")
    assert ("Intento de ingreso rechazado", "Otro navegador", "127.0.0.1") in log()
    assert "rechazado" not in text_of(visit("Beto").get("/accesos"))


def test_of_a_flood_of_tries_one_in_a_quarter_of_an_hour_is_kept(app, db, wait):
    for minute in range(1, 40):
        wait(minutes=1)
        app.test_client().sign_in("Ana", f"otra {minute}")
    found = db.execute("SELECT count(*) AS n FROM event WHERE kind = 'refused'").fetchone().n
    assert found == 3


@pytest.mark.parametrize("who", ["Ana", "Luis", "Gloria", "9999", "nadie"])
def test_a_refused_try_writes_as_often_whoever_it_was(browser, db, who):
    writes = []
    with browser.application.app_context():
        cac.get_db().set_trace_callback(lambda sql: writes.append(sql.split()[0]))
        browser.sign_in(who, "otra clave")
    assert writes.count("COMMIT") == 2 and writes.count("BEGIN") == 2


@pytest.mark.parametrize("address", ["/cuenta.csv", "/cuenta.pdf", "/comprobantes/100108.pdf"])
def test_a_download_is_told_once_in_ten_minutes(ana, log, wait, address):
    for _ in range(3):
        name = ana.get(address).headers["Content-Disposition"].partition("filename=")[2]
    assert log().count(("Descarga", name.strip('"'), "127.0.0.1")) == 1
    wait(minutes=11)
    ana.get(address)
    assert len([row for row in log() if row[0] == "Descarga"]) == 2


def test_what_the_company_did_is_told_as_its_own(log, run):
    run("unlock", "1001")
    assert log()[0] == ("Fin de la espera", "", "la empresa")


def test_what_is_older_than_a_year_is_not_shown(ana, log, db):
    for at in ("2025-11-01T12:00:00Z", cac.now(-364 * 86400)):
        db.execute("INSERT INTO event (at, customer, kind, actor, new) VALUES"
                   " (?, 1001, 'download', 'customer', ?)", (at, at[:4]))
    assert len(log()) == 2


def test_the_log_has_pages_the_newest_first(ana, log, db):
    db.executemany("INSERT INTO event (at, customer, kind, actor, new) VALUES"
                   " (?, 1001, 'download', 'customer', ?)",
                   [(cac.now(-60 * n), f"{n}.pdf") for n in range(1, 45)])
    assert [len(log(f"/accesos?pagina={page}")) for page in (1, 2, 3, 9)] == [20, 20, 5, 5]
    assert log()[0][0] == "Ingreso" and log("/accesos?pagina=3")[-1][1] == "44.pdf"


def test_every_kind_of_event_has_its_words(log, db):
    source = (ROOT / "cac.py").read_text(encoding="utf-8")
    kinds = {*re.findall(r'log_event\(\s*db, [\w.]+,\s+"([\w-]+)"', source), "reset", "invite"}
    assert len(kinds) > 10
    db.executemany("INSERT INTO event (at, customer, kind, actor) VALUES (?, 1001, ?, 'operator')",
                   [(cac.now(), kind) for kind in kinds])
    assert "Otro cambio" not in [what for what, *_ in log()]


# The sessions

def test_the_open_sessions_are_listed_and_this_one_is_marked(visit):
    visit("Beto"), visit("Ana")
    found = sessions(visit("Ana"))
    assert len(found) == 2 and [("Esta sesión" in text) for text in found].count(True) == 1


def test_another_session_is_closed_by_its_button(visit):
    other, third, ana = visit("Ana"), visit("Ana"), visit("Ana")
    button = ana.page("/accesos").select_one(".rows button")
    answer = ana.send("/accesos", sesion=button["value"])
    assert answer.status_code == 303 and "Sesiones cerradas: 1." in text_of(ana.get("/accesos"))
    found = [browser.get("/").status_code for browser in (other, third, ana)]
    assert sorted(found) == [200, 200, 302] and found[2] == 200


def test_all_others_are_closed_at_once_and_this_one_goes_on(visit):
    others, ana = [visit("Ana"), visit("Ana"), visit("Beto")], visit("Ana")
    ana.send("/accesos", sesion="otras")
    assert [browser.get("/").status_code for browser in (*others, ana)] == [302, 302, 200, 200]


@pytest.mark.parametrize("chosen", ["own", "somebody's", "", "x", "%"])
def test_nothing_else_can_be_closed(visit, db, chosen):
    beto, ana = visit("Beto"), visit("Ana")
    ids = {row.customer: row.token_hash for row in db.execute("SELECT * FROM session")}
    before = everything(db)
    theirs = {"own": ids[1001], "somebody's": ids[1002]}
    ana.send("/accesos", sesion=theirs.get(chosen, chosen)[:16])
    assert everything(db) == before and beto.get("/").status_code == 200

