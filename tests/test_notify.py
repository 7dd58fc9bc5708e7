"""What customers are told of by mail: new, due and overdue vouchers, each thing once."""

import re
from datetime import date, timedelta

import cac
import pytest
from conftest import CAST, html_of, link_in, mail_text, running, serving, text_of, wait_for

TODAY = cac.today()     # so that the processes started here agree


@pytest.fixture(autouse=True)
def _noon(time_machine, db):
    """It is noon in Argentina, and what the cast has is years old."""
    time_machine.move_to(f"{TODAY}T15:00:00Z")
    db.execute("UPDATE movement SET date = date(date, '-9 years'),"
               " due_date = date(due_date, '-9 years')")


@pytest.fixture
def add(db):
    """add("Ana", dated=0, due=3): a voucher, dates in days from today; its number."""
    def added(who, dated=-30, due=None, amount=10000, **columns):
        count = db.execute("SELECT count(*) AS n FROM movement").fetchone().n
        row = {"customer": CAST[who], "type": 6, "point_of_sale": 3, "number": 90000 + count,
               "amount": amount, "date": day(dated),
               "due_date": None if due is None else day(due)} | columns
        names = ", ".join(row)
        db.execute(f"INSERT INTO movement ({names}) VALUES ({', '.join('?' * len(row))})",
                   list(row.values()))
        return row["number"]
    return added


def day(days):
    """A date, so many days from today."""
    return (date.fromisoformat(TODAY) + timedelta(days=days)).isoformat()


def mailed(db):
    """How many mails each of the customers got who got any."""
    return [row.n for row in db.execute("SELECT count(*) AS n FROM outbox GROUP BY recipient")]


@pytest.fixture
def told(run, app, db):
    """told(): after another `notify`, the mails that it made, as (to, subject)."""
    def notified():
        before = sum(mailed(db))
        assert run("notify").exit_code == 0
        with app.app_context():
            mails = map(cac.write_mail, db.execute("SELECT * FROM outbox WHERE id > ?", (before,)))
            return [(mail["To"], mail["Subject"]) for mail in mails]
    return notified


@pytest.fixture
def link(add, told, mails):
    """The link at the end of a reminder to Beto."""
    add("Beto", dated=0)
    told()
    return "/avisos/" + re.search(r"/avisos/(\S+)", mail_text(mails()[0]))[1]


NEW = "Comprobante nuevo de NetOne: Factura B, $ 100,00"
DUE, OVERDUE, SECOND, THIRD = (f"{words} en su cuenta de NetOne: $ 100,00" for words in (
    "Próximo vencimiento", "Comprobante vencido", "Comprobante vencido hace más de 15 días",
    "Comprobante vencido hace más de 30 días"))


# --- What is told, and to whom --------------------------------------------------------------------


@pytest.mark.parametrize(("voucher", "subjects"), [
    ({"dated": -7}, [NEW]), ({"dated": -8}, []),            # older than a week
    ({"dated": 0, "type": 8, "amount": -500, "detail": "Ajuste"},
     ["Comprobante nuevo de NetOne: Ajuste, $ 5,00"]),
    ({"dated": 0, "type": 7, "detail": "Abono"}, ["Comprobante nuevo de NetOne: Abono, $ 100,00"]),
    ({"dated": 0, "type": 9, "amount": -500}, []),          # a receipt
    ({"due": 4}, []), ({"due": 3}, [DUE]), ({"due": 0}, [DUE]), ({"due": -1}, [OVERDUE]),
    ({"due": -8}, []), ({"due": -15}, [SECOND]), ({"due": -22}, []),    # no news any more
    ({"due": -29}, []), ({"due": -36}, [THIRD]), ({"due": -37}, []),
    ({"dated": -1, "due": 2}, [DUE, NEW]),
])
def test_a_voucher_is_told_when_it_is_news(add, told, voucher, subjects):
    add("Beto", **voucher)
    assert told() == [("beto@example.com", subject) for subject in subjects]


def test_an_overdue_voucher_is_told_four_times_at_most_and_no_more_once_it_is_paid(add, told, wait):
    add("Beto", due=1)
    subjects = []
    for _ in range(60):
        subjects += [subject for _, subject in told()]
        wait(days=1)
    assert subjects == [DUE, OVERDUE, SECOND, THIRD]


def test_a_new_voucher_is_told_with_concept_amount_and_its_pdf(add, mails, run, browser, visit):
    number = add("Beto", dated=0, detail="Abono de noviembre", document="x.pdf", due=9)
    run("notify")
    words = mail_text(mails()[0])
    assert f"Factura B 00003-{number:08} del" in words
    assert "Abono de noviembre, $\xa0100,00, vence el" in words
    assert f"Descargar Factura B 00003-{number:08}:\nhttp://cac.example.com/clientes/com" in words
    assert link_in(mails()[0]).endswith(".pdf")
    assert f'href="http://cac.example.com/clientes{link_in(mails()[0])}"' in html_of(mails()[0])


def test_several_vouchers_of_a_customer_are_one_mail(add, told, mails):
    numbers = [add("Beto", dated=-1) for _ in range(3)]
    assert told() == [("beto@example.com", "3 comprobantes nuevos de NetOne, por $ 300,00")]
    assert all(f"00003-{number:08}" in mail_text(mails()[0]) for number in numbers)


def test_each_thing_is_told_once_though_an_import_took_it_away_and_brought_it_back(add, told, db):
    number = add("Beto", dated=0)
    assert len(told()) == 1
    db.execute("DELETE FROM movement WHERE number = ?", (number,))
    add("Beto", dated=0, number=number)
    assert told() == []


@pytest.mark.parametrize("change", [
    "UPDATE customer SET active = 0", "UPDATE customer SET wants_reminders = 0",
    "UPDATE email SET confirmed_at = NULL", "DELETE FROM email"])
def test_only_active_customers_who_want_it_are_told_at_confirmed_addresses(add, told, db, change):
    add("Beto", dated=0, due=3)
    db.execute(change)
    assert told() == []


def test_it_goes_to_each_confirmed_address(add, told):
    add("Inés", dated=0)
    assert [to for to, _ in told()] == ["ines@example.com", "estudio@example.com"]


# --- The command ----------------------------------------------------------------------------------

def test_notify_says_how_many_were_told_of_what(add, run):
    add("Beto", dated=0, due=3)
    add("Elena", due=-2)
    assert run("notify").output == (
        "Customers told: new 1, due 1, overdue 1, overdue-15 0, overdue-30 0\n")


def test_notify_dry_run_lists_whom_and_what_and_changes_nothing(add, run, db):
    number = add("Beto", due=3, amount=123456)
    before = list(db.iterdump())
    shown = run("notify", "--dry-run").output
    assert re.search(rf"due +1002 +{day(3)} +Factura B 00003-{number:08} +1.234,56\n", shown)
    assert "Customers that would be told: new 0, due 1, overdue 0" in shown
    assert list(db.iterdump()) == before


@pytest.fixture
def crowd(db):
    """A hundred and twenty more customers, each with a new voucher that falls due tomorrow."""
    numbers = [(number,) for number in range(2001, 2121)]
    for sql in ("customer (number, name) VALUES (?, 'Otra')",
                "email (customer, address, canonical, confirmed_at)"
                " VALUES (?1, ?1 || '@example.com', ?1 || '@example.com', '2020')",
                "movement (customer, date, type, point_of_sale, number, amount, due_date)"
                f" VALUES (?, '{day(0)}', 6, 3, 1, 900, '{day(1)}')"):
        db.executemany(f"INSERT INTO {sql}", numbers)
    return [2] * len(numbers)   # mails that each gets


def test_two_at_once_tell_each_thing_once(crowd, database, db):
    both = [running("cac.py", "notify", database=database) for _ in range(2)]
    with both[0] as one, both[1] as other:
        output = one.stdout.read(), other.stdout.read()
    assert sum(int(count) for told in output for count in re.findall(r" (\d+)", told)) == sum(crowd)
    assert mailed(db) == crowd


# --- By the service itself ------------------------------------------------------------------------

@pytest.fixture
def at(app, db, time_machine):
    """at(9, day=1): what the service does at this hour in Argentina; the mails so far."""
    def o_clock(hour, days=0):
        time_machine.move_to(f"{day(days)}T{hour:02}:30:00-03:00")
        with app.app_context():
            cac.remind_daily()
        return sum(mailed(db))
    return o_clock


def test_it_tells_once_a_day_from_the_hour_on_that_it_was_told(add, at, run):
    add("Beto", dated=0)
    assert at(23) == 0      # it was told no hour
    run("set", "notify_hour", "9")
    assert [at(hour) for hour in (8, 9)] == [0, 1]
    add("Elena", dated=0)
    assert [at(23), at(8, 1), at(11, 1)] == [1, 1, 2]


def test_two_workers_tell_once(add, run, database, office, smtp_port):
    run("set", "notify_hour", "0")
    add("Beto", dated=0)
    with serving(database, smtp_url=f"smtp://127.0.0.1:{smtp_port}"):
        wait_for(lambda: office.delivered)
    assert office.recipients() == ["beto@example.com"]


# --- Read again when it is sent -------------------------------------------------------------------

def test_what_was_paid_meanwhile_is_not_sent_and_the_operator_reads_why(
        add, told, send, office, run, db):
    add("Beto", due=-2, amount=5000)
    assert len(told()) == 1
    add("Beto", dated=0, type=9, amount=-5000)
    send()
    assert office.delivered == []
    assert db.execute("SELECT state, why FROM list_mail").fetchone() == (
        "skipped", "it was paid meanwhile, fell due, or is no longer on file")
    assert "no mail was given up" in run("check").output


def test_what_was_paid_in_part_is_sent_with_the_rest(add, told, send, post):
    add("Beto", due=-2, amount=5000)
    add("Beto", due=-2, amount=3000)
    told()
    add("Beto", dated=0, type=9, amount=-6000)
    send()
    words = mail_text(post[0][2])
    assert "a pagar $\xa020,00" in words and "Su saldo a pagar es de $\xa020,00." in words
    assert "a pagar $\xa050,00" not in words and "Si ya pagó, ignore este aviso." in words


@pytest.mark.parametrize("change", [
    "UPDATE customer SET active = 0", "UPDATE customer SET wants_reminders = 0",
    "DELETE FROM movement WHERE customer = 1002"])
def test_who_wants_none_any_more_gets_none(link, db, send, office, change):
    assert link
    db.execute(change)
    send()
    assert office.delivered == []
    assert db.execute("SELECT state FROM list_mail").fetchone().state == "skipped"


# --- No more of them ------------------------------------------------------------------------------

def wants(db):
    """Whether Beto wants reminders."""
    return db.execute("SELECT wants_reminders AS yes FROM customer WHERE number = 1002"
                      ).fetchone().yes


def test_each_reminder_tells_mail_programs_how_to_stop_it(link, mails):
    mail = mails()[0]
    assert mail["List-Unsubscribe"] == f"<http://cac.example.com/clientes{link}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"List-Unsubscribe: <http://cac.example.com/clientes{link}>" in mail.as_string()
    assert html_of(mail).count(link) == 1


def test_to_look_at_the_link_changes_nothing(link, browser, db):
    for _ in range(3):
        assert "dejará de recibir avisos" in text_of(browser.get(link))
    assert wants(db)


def test_one_click_is_enough_without_session_and_token(link, browser, db, run, add):
    answer = browser.post(link, data={"List-Unsubscribe": "One-Click"},
                          headers={"Origin": "https://mail.example"})
    assert answer.status_code == 200 and "No recibirá más avisos" in text_of(answer)
    assert not wants(db)
    add("Beto", due=2)
    assert not re.search("[1-9],", run("notify").output)


@pytest.mark.parametrize("change", [
    lambda link: link[:-1] + ("A" if link[-1] != "A" else "B"), lambda link: link + "x",
    lambda _: "/avisos/x", lambda _: "/avisos/MTAwMg"])
def test_a_link_that_we_did_not_make_is_not_there(link, browser, db, change):
    assert browser.post(change(link)).status_code == 404
    assert wants(db)


def data_of(browser):
    """The fields of Modificar Datos as a browser sends them back."""
    fields = browser.page("/datos").find("form", novalidate=True).find_all(["input", "select"])
    sent = [one for one in fields if one.get("type") != "checkbox" or one.has_attr("checked")]
    return {one["name"]: one.get("value", "Chaco") for one in sent if one["name"] != "csrf_token"}


def test_the_box_in_modificar_datos_switches_them_off_and_on(visit, db):
    beto = visit("Beto")
    assert data_of(beto)["avisos"]
    beto.send("/datos", **{name: data_of(beto)[name] for name in data_of(beto).keys() - {"avisos"}})
    assert not wants(db) and "avisos" not in data_of(beto)
    beto.send("/datos", **data_of(beto), avisos="y")
    assert wants(db)
