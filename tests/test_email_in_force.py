"""An e-mail stays in force until another one is confirmed; what is missing is said on each page."""

import re

import cac
import pytest
from conftest import PASSWORD, link_in, mail_text, text_of

OLD, NEW = "ana@example.com", "ana@exmaple.com"     # mistyped
PAGES = ["/", "/cuenta", "/pago", "/datos", "/preguntas"]


def save(browser, **changes):
    """Send Modificar Datos as it is shown, but for these."""
    form = browser.page("/datos").select_one("form.lists")
    fields = {field["name"]: field.get("value", "") for field in form.find_all("input")}
    fields["provincia"] = form.select_one("select option[selected]")["value"]
    changes = {re.sub(r"_(\d)$", r"-\1", name): value for name, value in changes.items()}
    return browser.post("/datos", data=fields | {"clave_actual": PASSWORD} | changes)


def emails(db, number=1001):
    """(address, whether it is confirmed, whether it is on the list) of each that is on file."""
    rows = db.execute("SELECT * FROM email WHERE customer = ? ORDER BY id", (number,))
    return [(row.address, bool(row.confirmed_at), not row.replaced_at) for row in rows]


@pytest.fixture
def ana(visit):
    """Ana, who has changed her only e-mail to a mistyped one."""
    browser = visit("Ana")
    assert save(browser, emails_0=NEW).status_code == 303
    return browser


@pytest.fixture
def confirm(app, mails):
    """confirm("a@b.com"): open the link that was mailed there, and confirm."""
    def confirmed(address):
        [*_, link] = [link_in(mail) for mail in mails()
                      if mail["To"] == address and "/confirmar/" in mail_text(mail)]
        return app.test_client().send(link)
    return confirmed


def recovered_at(app, mails, **asked) -> list[str]:
    """Where a forgotten password is recovered."""
    app.test_client().send("/olvido", **asked)
    return [mail["To"] for mail in mails() if "Cambie su clave" in mail["Subject"]]


# The address of before

def test_a_mistyped_address_leaves_the_one_of_before_in_force(app, ana, db, mails):
    assert emails(db) == [(OLD, True, False), (NEW, False, True)]
    assert recovered_at(app, mails, usuario="1001") == [OLD]


@pytest.mark.parametrize("email", [OLD, NEW])
def test_a_forgotten_password_is_recovered_at_the_confirmed_address_only(app, ana, mails, email):
    assert recovered_at(app, mails, email=email) == [OLD] * (email == OLD)


def test_it_still_signs_in(app, ana):
    assert app.test_client().sign_in(OLD).status_code == 303
    assert app.test_client().sign_in(NEW).status_code == 401


def test_it_is_a_line_of_modificar_datos_and_no_field(ana):
    page = ana.page("/datos")
    fields = [field.get("value", "") for field in page.select("input[type=email]")]
    assert fields == [NEW, ""]
    assert f"{OLD} sigue vigente hasta que confirme el nuevo." in text_of(ana.get("/datos"))


def test_it_goes_when_the_other_one_is_confirmed(app, ana, db, mails, confirm):
    assert confirm(NEW).status_code == 303
    assert emails(db) == [(NEW, True, True)]
    assert recovered_at(app, mails, usuario="1001") == [NEW]
    assert "sigue vigente" not in text_of(ana.get("/datos"))


def test_who_mistypes_twice_keeps_it(browser, ana, db, mails, confirm):
    [dead] = [link_in(mail) for mail in mails() if mail["To"] == NEW]
    assert save(ana, emails_0="ana@example.org").status_code == 303
    assert emails(db) == [(OLD, True, False), ("ana@example.org", False, True)]
    assert browser.get(dead).status_code == 410 and confirm("ana@example.org").status_code == 303
    assert emails(db) == [("ana@example.org", True, True)]


def test_who_writes_it_again_has_it_back_without_confirming_it(ana, db):
    assert save(ana, emails_0=OLD).status_code == 303
    assert emails(db) == [(OLD, True, True)]
    assert "Le enviamos un enlace" not in text_of(ana.get("/datos"))


def test_of_two_that_are_replaced_both_stay_in_force(visit, db, confirm):
    save(visit("Inés"), emails_0=NEW, emails_1="")
    assert [address for address, *_ in emails(db, 1009)] == [
        "ines@example.com", "estudio@example.com", NEW]
    confirm(NEW)
    assert emails(db, 1009) == [(NEW, True, True)]
    assert emails(db, 1010) == [("estudio@example.com", True, True)]    # another's stays his


def test_one_that_was_replaced_is_on_the_list_again_if_an_import_says_so(
        ana, db, run, tmp_path, wait):
    wait(minutes=1)
    file = tmp_path / "clientes.csv"
    file.write_text(f"usuario;nombre;emails\n1001;Ana Sosa;{OLD}\n")
    assert run("import", "customers", file, "--overwrite-edits").exit_code == 0
    assert emails(db) == [(OLD, True, True)]
    assert run("undo", db.execute("SELECT max(id) FROM import").fetchone()[0]).exit_code == 0
    assert sorted(emails(db)) == sorted([(OLD, True, False), (NEW, False, True)])


def test_the_operator_sees_which_one_it_is(ana, run):
    assert f"{OLD} (being replaced), {NEW} (not confirmed)" in run("list", "customers").output


# The mails about it

def test_a_change_of_password_is_told_to_the_one_in_force(ana, mails):
    ana.send("/clave", clave_actual=PASSWORD, clave_nueva="caballo verde 47")
    assert OLD in [mail["To"] for mail in mails() if "Cambió la clave" in mail["Subject"]]


# What is missing, on each page

@pytest.mark.parametrize("address", PAGES)
def test_each_page_says_that_it_is_to_be_confirmed_with_the_way_on(ana, address):
    answer = ana.get(address)
    assert f"Falta confirmar {NEW}. Reenviar Corregir" in text_of(answer)
    assert b'href="/datos">Corregir' in answer.data


@pytest.mark.parametrize("address", PAGES)
def test_each_page_of_who_has_none_says_so(visit, address):
    assert "No tenemos un correo suyo" in text_of(visit("Karina").get(address))
    assert "No tenemos un correo suyo" not in text_of(visit("Beto").get(address))


# Reenviar

def send_again(browser, correo=NEW, page="/cuenta"):
    """Press Reenviar on a page."""
    token = browser.page("/datos").find(attrs={"name": "csrf_token"})["value"]
    return browser.post("/datos/reenviar", data={"csrf_token": token, "correo": correo},
                        headers={"Referer": f"http://localhost{page}"})


def test_another_link_is_sent_to_it_and_one_is_where_one_was(ana, mails, confirm):
    answer = send_again(ana)
    assert (answer.status_code, answer.location) == (303, "/cuenta")
    assert f"Enviamos otro enlace a {NEW}." in text_of(ana.get("/cuenta"))
    assert [mail["To"] for mail in mails() if "Confirme" in mail["Subject"]] == [NEW] * 2
    assert confirm(NEW).status_code == 303


def test_five_in_an_hour_are_enough(ana, mails, wait):
    assert [send_again(ana).status_code for _ in range(6)] == [303] * 5 + [429]
    assert "Pidió demasiados enlaces" in text_of(send_again(ana))
    assert len([mail for mail in mails() if mail["To"] == NEW]) == 6
    for _ in range(3):
        wait(minutes=21)
        ana.get("/")
    assert send_again(ana).status_code == 303


@pytest.mark.parametrize("correo", [OLD, "beto@example.com", "estudio@example.com", "x", "", "ñ@@"])
def test_nothing_is_sent_to_what_is_not_to_be_confirmed(ana, db, correo):
    before = db.execute("SELECT count(*) FROM outbox").fetchone()[0]
    assert send_again(ana, correo).status_code == 400
    assert db.execute("SELECT count(*) FROM outbox").fetchone()[0] == before


# Accesos

@pytest.fixture
def log(ana):
    """log(): (what, detail) of each line of Accesos, the newest first."""
    def read():
        rows = ana.page("/accesos").select("table.log tbody tr")
        return [tuple(cell.text for cell in row.select("td")[1:3]) for row in rows]
    return read


def test_changes_are_told_in_words(ana, log, db):
    assert ("Cambio de correo", f"agregó {NEW}") in log()
    assert ("Cambio de correo", f"quitó {OLD}") in log()
    save(ana, localidad="Lanús")
    assert ("Cambio de localidad", "cambió Avellaneda por Lanús") in log()
    ana.post("/datos", data={"csrf_token": ana.page("/datos").find(
        attrs={"name": "csrf_token"})["value"], "avisos_visto": "1"})
    assert ("Cambio de avisos", "pidió no recibirlos") in log()


def test_a_payment_is_told_with_its_currency(log, db):
    db.execute("INSERT INTO event (at, customer, kind, actor, field, new) VALUES"
               " (?, 1001, 'payment', 'service', 'CAC1', '1.250,40')", (cac.now(),))
    assert ("Pago acreditado", "$\N{NO-BREAK SPACE}1.250,40") in log()


def test_many_equal_lines_of_the_same_minutes_are_one(log, db):
    db.executemany("INSERT INTO event (at, customer, kind, actor, address, new) VALUES"
                   " (?, 1001, 'sign-in', 'customer', ?, 'Firefox en Linux')",
                   [(f"2026-11-20T12:0{n % 10}:00Z", "203.0.113.9") for n in range(15)]
                   + [("2026-11-20T12:05:00Z", "203.0.113.7"),
                      ("2026-11-20T14:05:00Z", "203.0.113.9")])
    found = [line for line in log() if line[1] == "Firefox en Linux"]
    assert sorted(what for what, _ in found) == ["Ingreso", "Ingreso", "Ingreso (15 veces)"]

