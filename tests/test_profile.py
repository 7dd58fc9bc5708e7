"""Modificar Datos, and the confirmation of a new address."""

import logging
import re

import cac
import pytest
from conftest import PASSWORD, everything, link_in, mail_text, text_of

NEW = "ana.nueva@example.com"


def fields_of(page) -> dict[str, str]:
    """The form as it is shown."""
    form = page.select_one("form.lists")
    fields = {field["name"]: field.get("value", "") for field in form.find_all("input")}
    chosen = form.select_one("select option[selected]")
    return fields | {"provincia": chosen["value"]}


def save(browser, **changes):
    """Send the form as it is shown, but for these."""
    changes = {re.sub(r"_(\d)$", r"-\1", name): value for name, value in changes.items()}
    return browser.post("/datos", data=fields_of(browser.page("/datos")) | changes)


def column(db, name, number=1001):
    """What is on file."""
    found = db.execute("SELECT * FROM customer WHERE number = ?", (number,)).fetchone()
    return getattr(found, name)


def emails(db, number=1001):
    """The addresses on file, and whether each is confirmed."""
    found = db.execute("SELECT * FROM email WHERE customer = ? ORDER BY id", (number,))
    return {email.address: bool(email.confirmed_at) for email in found}


def phones(db, number=1001):
    """The phones on file."""
    found = db.execute("SELECT number FROM phone WHERE customer = ? ORDER BY id", (number,))
    return [phone.number for phone in found]


def changes(db):
    """What the log says was changed: (field, old, new)."""
    found = db.execute("SELECT * FROM event WHERE kind = 'data' ORDER BY id")
    return [(event.field, event.old, event.new) for event in found]


@pytest.fixture
def ana(visit):
    """Ana's browser."""
    return visit("Ana")


# Columns

@pytest.mark.parametrize(("field", "name", "new"), [
    ("domicilio", "address", 'Calle "9 de Julio" <1> & 5ª'),
    ("localidad", "city", "Lanús"),
    ("provincia", "province", "Córdoba"),
    ("codigo_postal", "postal_code", "B1870ABC"),
    ("contacto", "contact", "Zoë Ñáñez")])
def test_each_field_is_saved_shown_and_logged(ana, db, field, name, new):
    old = column(db, name)
    answer = save(ana, **{field: new})
    assert (answer.status_code, answer.location) == (303, "/datos")
    assert column(db, name) == new
    assert fields_of(ana.page("/datos"))[field] == new
    assert changes(db) == [(name, old, new)]


def test_saving_what_is_there_already_changes_nothing(ana, db):
    before = everything(db)
    assert save(ana).status_code == 303
    assert everything(db) == before


def test_an_imported_province_that_is_not_on_the_list_stays(visit, db):
    assert save(visit("Dante"), contacto="Zoë").status_code == 303
    assert column(db, "province", 1004) == "CABA"


@pytest.mark.parametrize(("field", "typed", "said"), [
    ("domicilio", "x" * 121, "Escriba 120 caracteres o menos"),
    ("localidad", "x" * 81, "Escriba 80 caracteres o menos"),
    ("contacto", "x" * 81, "Escriba 80 caracteres o menos"),
    ("domicilio", "a\x1b[31mb", "Escriba el texto en una sola línea"),
    ("localidad", "a\nb", "Escriba el texto en una sola línea"),
    ("contacto", "a\u202eb", "Escriba el texto en una sola línea"),
    ("provincia", "Narnia", "Elija una provincia de la lista"),
    ("codigo_postal", "187", "Escriba el código postal como 1650 o B1650ABC"),
    ("codigo_postal", "B1870", "Escriba el código postal como 1650 o B1650ABC"),
    ("codigo_postal", "１８７０", "Escriba el código postal como 1650 o B1650ABC"),
    ("telefonos-0", "llámeme", "Escriba código de área y número, por ejemplo 11 4567-8901"),
    ("telefonos-0", "12345", "Escriba código de área y número, por ejemplo 11 4567-8901"),
    ("telefonos-1", "1" * 41, "Escriba"),
    ("emails-0", "ana@", "Escriba un correo con el formato nombre@ejemplo.com"),
    ("emails-0", "", "Deje al menos un correo")])
def test_a_mistake_is_told_and_nothing_is_saved(ana, db, field, typed, said):
    before = everything(db)
    answer = save(ana, **{"domicilio": "Otra 1"} | {field: typed})
    assert answer.status_code == 422 and said in text_of(answer)
    assert everything(db) == before


def test_what_was_typed_is_kept_for_the_correction_but_no_password(ana):
    answer = save(ana, codigo_postal="<b>", localidad="Lanús", clave_actual="sesame")
    assert b'value="Lan\xc3\xbas"' in answer.data and b'value="&lt;b&gt;"' in answer.data
    assert b"sesame" not in answer.data


# Phones

@pytest.mark.parametrize(("typed", "kept"), [
    ({"telefonos_2": "+54 9 11 4444-5555"},
     ["11 4567-8901", "11 15-2345-6789", "+54 9 11 4444-5555"]),             # one more
    ({"telefonos_0": ""}, ["11 15-2345-6789"]),                              # one less
    ({"telefonos_0": "", "telefonos_1": ""}, []),                            # none
    ({"telefonos_0": "(011) 4444.5555"}, ["11 15-2345-6789", "(011) 4444.5555"]),  # another
    ({"telefonos_2": "11 4567-8901"}, ["11 4567-8901", "11 15-2345-6789"])])  # the same twice
def test_phones_are_added_and_removed_without_a_password(ana, db, typed, kept):
    assert save(ana, **typed).status_code == 303
    assert phones(db) == kept


def test_a_phone_as_it_was_imported_does_not_stand_in_the_way(visit, db):
    assert save(visit("Ñandú"), contacto="Zoë").status_code == 303
    assert phones(db, 1013) == ["299 456-7897 (int. 5)"]


@pytest.mark.parametrize("name", ["contacto", "telefonos", "telefonos-x", "emails", "emails-x"])
def test_a_list_or_the_box_that_is_not_sent_stays_as_it_is(ana, db, name):
    token = fields_of(ana.page("/datos"))["csrf_token"]
    assert ana.post("/datos", data={"csrf_token": token, name: ""}).status_code == 303
    assert (len(phones(db)), len(emails(db)), column(db, "wants_reminders")) == (2, 1, 1)
    assert column(db, "city") == "Avellaneda"


def test_a_box_that_was_there_and_is_off_ends_the_reminders(ana, db):
    token = fields_of(ana.page("/datos"))["csrf_token"]
    fields = {"csrf_token": token, "avisos_visto": "1"}
    assert ana.post("/datos", data=fields).status_code == 303
    assert column(db, "wants_reminders") == 0
    assert changes(db) == [("wants_reminders", "sí", "no")]
    assert ana.post("/datos", data=fields | {"avisos": "y"}).status_code == 303
    assert column(db, "wants_reminders") == 1


# Addresses

def test_a_new_address_is_on_file_but_not_confirmed(ana, db):
    save(ana, emails_1=NEW, clave_actual=PASSWORD)
    assert emails(db) == {"ana@example.com": True, NEW: False}
    assert changes(db) == [("email", None, NEW)]
    page = text_of(ana.get("/datos"))
    assert "Le enviamos un enlace al correo nuevo." in page and "Falta confirmarlo" in page


def test_an_address_that_mail_programs_read_otherwise_is_none(ana, db):
    answer = save(ana, emails_1="=?utf-8?q?=5C=40=5B?=x@a.com", clave_actual=PASSWORD)
    assert answer.status_code == 422 and "Escriba un correo" in text_of(answer)
    assert emails(db) == {"ana@example.com": True}


@pytest.mark.parametrize(("typed", "said"), [
    ("", "Para cambiar sus correos, escriba su clave actual"),
    ("demo-2011", "La clave actual no coincide")])
@pytest.mark.parametrize("change", [{"emails_1": NEW}, {"emails_0": NEW}])
def test_changing_addresses_takes_the_password_in_use(ana, db, change, typed, said):
    answer = save(ana, **change, clave_actual=typed)
    assert answer.status_code == 422 and said in text_of(answer)
    assert emails(db) == {"ana@example.com": True}
    assert db.execute("SELECT count(*) AS n FROM outbox").fetchone().n == 0


def test_guessing_the_password_there_is_throttled(ana):
    statuses = [save(ana, emails_1=NEW, clave_actual="wrong").status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]


def test_the_same_address_written_otherwise_takes_no_password(ana, db):
    assert save(ana, emails_0="ANA@example.com").status_code == 303
    assert list(emails(db).values()) == [True]


def test_a_password_link_dies_when_the_addresses_change(app, ana, mails):
    app.test_client().send("/olvido", usuario="1001")
    link = link_in(mails()[0])
    assert ana.get(link).status_code == 200
    save(ana, emails_1=NEW, clave_actual=PASSWORD)
    assert ana.get(link).status_code == 410


def test_a_change_that_is_one_too_many_is_not_in_the_log_either(ana, db, caplog):
    caplog.set_level(logging.INFO)
    db.execute("INSERT INTO throttle VALUES ('emails:1001', ?, 30)", (cac.now(),))
    answer = save(ana, domicilio="Otra 1", emails_1=NEW, clave_actual=PASSWORD)
    assert (answer.status_code, changes(db)) == (429, [])
    assert "event=denied" in caplog.text and "event=data" not in caplog.text


# Confirming one

@pytest.fixture
def link(ana, mails):
    """The link that confirms Ana's new address."""
    save(ana, emails_1=NEW, clave_actual=PASSWORD)
    return next(link_in(mail) for mail in mails() if "/confirmar/" in mail_text(mail))


def recovers(app, mails, address) -> bool:
    """Whether a forgotten password can be recovered by this address."""
    already = len(mails())
    app.test_client().send("/olvido", email=address)
    return len(mails()) > already


def test_an_address_counts_for_recovery_only_when_confirmed(app, browser, link, mails, db):
    assert not recovers(app, mails, NEW)
    assert "El correo ana.nueva@example.com servirá" in text_of(browser.get(link))
    assert browser.send(link).status_code == 303
    assert emails(db)[NEW] and recovers(app, mails, NEW)


def test_confirming_says_so_and_is_logged(ana, link, db):
    ana.send(link)
    assert "Confirmó su correo." in text_of(ana.get("/"))
    assert db.execute("SELECT new FROM event WHERE kind = 'email-confirmed'").fetchone().new == NEW


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_link_confirms_nothing(browser, link, db, method):
    before = everything(db)
    assert {browser.open(link, method=method).status_code for _ in range(10)} == {200}
    assert everything(db) == before


def test_the_link_is_dead_once_the_address_was_removed(ana, browser, link):
    save(ana, emails_1="", clave_actual=PASSWORD)
    assert browser.get(link).status_code == 410


def test_the_link_is_used_up_and_says_how_to_get_another(browser, link):
    browser.send(link)
    answer = browser.get(link)
    assert (answer.status_code, "pida otro con «Reenviar»" in text_of(answer)) == (410, True)


def test_a_postal_code_that_was_imported_may_stay(visit, db):
    db.execute("UPDATE customer SET postal_code = 'XX' WHERE number = 1002")
    assert save(visit("Beto"), contacto="Zoë").status_code == 303
    assert save(visit("Beto"), codigo_postal="YY").status_code == 422


def test_the_link_lasts_three_days(browser, link, wait):
    wait(days=2, hours=23)
    assert browser.get(link).status_code == 200
    wait(hours=2)
    assert browser.get(link).status_code == 410


def test_a_password_link_confirms_nothing(app, browser, mails):
    app.test_client().send("/olvido", usuario="1001")
    token = link_in(mails()[0]).rsplit("/", 1)[1]
    assert browser.get(f"/confirmar/{token}").status_code == 410
    assert browser.get("/confirmar/x").status_code == 410


# Many of them

def test_eight_phones_are_enough(ana, db):
    phones_typed = {f"telefonos_{n}": f"11 4000-000{n}" for n in range(9)}
    assert "Deje 8 o menos" in text_of(save(ana, **phones_typed))
    assert len(phones(db, 1001)) == 2


def test_more_than_eight_that_were_imported_may_stay(visit, db):
    db.executemany("INSERT INTO phone (customer, number) VALUES (1002, ?)",
                   [(f"351 400-000{n}",) for n in range(9)])
    assert save(visit("Beto"), contacto="Zoë").status_code == 303
    assert len(phones(db, 1002)) == 10

