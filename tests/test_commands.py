"""What the operator types: what each command says, what it changes, and its exit code."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib

import pytest
import time_machine
from conftest import (
    CAST,
    ROOT,
    SECRET_KEY,
    answers,
    free_port,
    link_in,
    mail_text,
    running,
    text_of,
    wait_for,
)

import cac

PYTHON = [sys.executable, "cac.py"]
FLASK = [sys.executable, "-m", "flask", "--app", "cac"]
SAFE = {"secret_key": SECRET_KEY, "base_url": "http://cac.example.com"}
SECRETS = {
    "secret_key": "topsecret-signs-cookies-and-links-0001", "secret_key_fallbacks": "topsecret-old",
    "smtp_url": "smtp://cac:topsecret-mail@mail.example.com", "mercadopago_secret": "topsecret-mps",
    "dineromail_password": "topsecret-ipn", "mercadopago_token": "topsecret-mpt"}


def shell(*words, by=PYTHON, **settings):
    """A command as the operator runs it, with these CAC_… settings: its result."""
    environment = {f"CAC_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run([*by, *map(str, words)], cwd=ROOT, text=True, timeout=60, check=False,
                          capture_output=True, env={"PATH": "/usr/bin:/bin", **environment})


def stored(db, name):
    """A setting of the business, as the database keeps it."""
    return db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone().value


# --- All commands ---------------------------------------------------------------------------------

@pytest.mark.parametrize("name", sorted(cac.bp.cli.commands))
def test_each_help_ends_with_an_example(run, name):
    found = run(name, "--help")
    assert found.exit_code == 0
    last_line = found.output.strip().splitlines()[-1]
    assert last_line.strip().startswith(f"Example: python cac.py {name}")


@pytest.mark.parametrize("words", [
    ["customer", 1004], ["customer", 9999], ["customer", "Ana"], ["list", "settings"], ["check"],
    ["set", "page_size", "0"], ["invite"], ["init"], ["nonsense"], ["unlock", "--help"]],
    ids=str)
def test_flask_gives_the_same_as_python(database, words):
    first, second = (shell(*words, by=by, database=database, **SAFE) for by in (PYTHON, FLASK))
    assert first.returncode == second.returncode
    assert steady(first.stdout) == steady(second.stdout)


def steady(output):
    """Without the lines that tell the time, the space, or how the program was called."""
    return [line for line in output.splitlines()
            if not re.match(r"ok    (SQLite|[0-9,]+ MB)|Usage", line)]


@pytest.mark.parametrize("words", [
    ["set", "page_size"], ["customer"], ["customer", "Ana"], ["voucher-type", 6], ["nonsense"],
    ["voucher-type", 6, "--dineromail", "maybe"], ["unlock"], ["check", "--xml"],
    ["block"], ["unblock", "Ana"], ["sign-out"], ["sign-out", 1001, "--all"]], ids=str)
def test_wrong_usage_is_exit_code_2(database, words):
    found = shell(*words, database=database)
    assert (found.returncode, found.stdout) == (2, "")
    assert "Usage:" in found.stderr


@pytest.mark.parametrize("words", [
    ["customer", 9999], ["unlock", 9999], ["block", 9999], ["unblock", 9999], ["sign-out", 9999],
    ["password", 9999], ["invite", 9999],
    ["set", "nonsense", 1], ["voucher-type", 77, "--dineromail", "on"]], ids=str)
def test_what_is_unknown_is_exit_code_1_and_says_so_on_standard_error(database, words):
    found = shell(*words, database=database, **SAFE)
    assert (found.returncode, found.stdout) == (1, "")
    assert "There is no" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("words", [
    ["list", "settings"], ["check"], ["customer", 1001], ["unlock", 1001], ["sign-out", "--all"]],
    ids=str)
def test_without_a_database_a_command_says_how_to_make_one(tmp_path, words):
    found = shell(*words, database=tmp_path / "none.db", **SAFE)
    assert found.returncode == 1
    assert "python cac.py init" in found.stderr + found.stdout
    assert not (tmp_path / "none.db").exists()


# --- init -----------------------------------------------------------------------------------------

def test_init_makes_the_database(tmp_path):
    found = shell("init", database=tmp_path / "new.db")
    assert (found.returncode, found.stderr) == (0, "")
    assert "BAD   not set up" in shell("check", database=tmp_path / "new.db", **SAFE).stdout


def test_init_makes_the_settings_which_only_their_owner_reads(tmp_path):
    found = shell("init", database=tmp_path / "new.db")
    assert f"export CAC_CONFIG={tmp_path / 'cac.toml'}\n" in found.stdout
    assert (tmp_path / "cac.toml").stat().st_mode & 0o777 == 0o600
    settings = tomllib.loads((tmp_path / "cac.toml").read_text(encoding="utf-8"))
    assert settings.keys() == {"secret_key", "base_url", "database", "documents"}
    assert "CAC_SECRET_KEY" not in shell("serve", config=tmp_path / "cac.toml").stderr
    found = shell("list", "settings", config=tmp_path / "cac.toml")
    assert str(tmp_path / "new.db") in found.stdout


def test_each_setting_is_explained_in_the_file_with_its_default(tmp_path):
    shell("init", config=tmp_path / "cac.toml", database=tmp_path / "new.db")
    text = (tmp_path / "cac.toml").read_text(encoding="utf-8")
    settings = {name.lower(): row for name, row in cac.SETTINGS.items() if name != "DEMO"}
    assert [about for _, _, about in settings.values() if f"\n# {about}\n" not in text] == []
    uncommented = tomllib.loads(re.sub(r'^# (\w+ = ")', r"\1", text, flags=re.M))
    assert uncommented.keys() == settings.keys()
    others = settings.keys() - {"secret_key", "base_url", "database", "documents"}
    assert {uncommented[name] == settings[name][0] for name in others} == {True}


@pytest.mark.parametrize("by", [PYTHON, FLASK], ids=["python", "flask"])
def test_only_init_makes_the_settings_that_cac_config_names(tmp_path, by):
    settings = {"config": tmp_path / "mine.toml", "database": tmp_path / "new.db"}
    for words in (["list", "settings"], ["check"], ["serve"], ["init", "--help"]):
        found = shell(*words, by=by, **settings)
        assert (found.returncode, "mine.toml" in found.stderr) in ((1, True), (0, False))
    assert list(tmp_path.iterdir()) == []
    assert shell("init", by=by, **settings).returncode == 0
    assert shell("list", "settings", by=by, **settings).returncode == 0


def test_init_writes_down_the_settings_that_it_was_given(tmp_path):
    given = {"config": tmp_path / "cac.toml", "database": tmp_path / "new.db", "proxies": 1, **SAFE}
    shell("init", **given)
    written = tomllib.loads((tmp_path / "cac.toml").read_text(encoding="utf-8"))
    assert written == {"database": str(tmp_path / "new.db"), "documents": str(ROOT / "documents"),
                       "proxies": "1", **SAFE}


def test_init_overwrites_no_settings(tmp_path):
    (tmp_path / "cac.toml").write_text("page = 1")
    shell("init", database=tmp_path / "new.db")
    assert (tmp_path / "cac.toml").read_text() == "page = 1"


def test_init_keeps_what_is_there(run, db):
    assert "up to date" in run("init").output
    assert db.execute("SELECT count(*) AS n FROM customer").fetchone().n == len(CAST)


def test_init_refuses_the_database_of_a_newer_program(run, db):
    db.execute("PRAGMA user_version = 99")
    found = run("init")
    assert (found.exit_code, "99" in found.output) == (1, True)


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="needs the sqlite3 program")
def test_sqlite3_loads_the_schema_and_the_cast(tmp_path):
    for script in ("schema.sql", "seed_data.sql"):
        with (ROOT / script).open() as file:
            subprocess.run(["sqlite3", "-bail", tmp_path / "cac.db"], stdin=file, check=True)  # noqa: S607
    assert shell("customer", 1001, database=tmp_path / "cac.db").stdout.startswith("1001 Ana Sosa")


# --- list, set ------------------------------------------------------------------------------------

def test_settings_are_those_of_the_process_and_of_the_company(run, db):
    listed = {line.split()[0] for line in run("list", "settings").output.splitlines()[2:]}
    company = {row.name for row in db.execute("SELECT name FROM setting WHERE kind <> 'mark'")}
    assert listed == {f"CAC_{name}" for name in cac.SETTINGS} | company


@pytest.mark.parametrize(("what", "said"), [
    ("settings", r"dm_limit +5\.000,00 "), ("customers", r"1003 +Caro .* −320,00 +caro@exam"),
    ("customers", r"1007 .* no password"), ("customers", r"1012 .* blocked"),
    ("payments", "No payments"), ("review", "No review"), ("mail", "No mail"),
    ("imports", "No imports")])
def test_a_list_shows_amounts_as_people_write_them(run, what, said):
    assert re.search(said, run("list", what).output)


@pytest.mark.parametrize("words", [
    ["list", "settings"], ["check"], ["--help"], ["serve", "--help"], ["serve"],
    ["customer", 1001]],
    ids=str)
def test_no_command_prints_a_secret(database, words):
    found = shell(*words, database=database, **SECRETS)
    assert "topsecret" not in found.stdout + found.stderr


@pytest.mark.parametrize(("name", "typed", "kept"), [
    ("dm_limit", "6.500,50", "650050"), ("page_size", "50", "50"),
    ("company_name", "Ñandú", "Ñandú"), ("company_cuit", "30-50000173-5", "30500001735"),
    ("password_min", "12", "12"), ("admin_email", "pagos@ñandú.com.ar", "pagos@ñandú.com.ar")])
def test_set_changes_a_setting(run, db, name, typed, kept):
    assert run("set", name, typed).exit_code == 0
    assert stored(db, name) == kept


def test_set_says_what_it_was_before(run):
    assert run("set", "dm_limit", "6500").output == "dm_limit: 6.500,00 (before: 5.000,00)\n"


@pytest.mark.parametrize(("name", "typed"), [
    ("dm_limit", "5.000"), ("dm_limit", "-1"), ("dm_limit", "mucho"), ("page_size", "0"),
    ("page_size", "1.5"), ("page_size", "1000000"), ("company_cuit", "30-50000173-4"),
    ("statement_window", ""), ("demo", "0"), ("admin_email", "nobody"), ("support_email", "")])
def test_set_refuses_what_a_setting_does_not_take(run, db, name, typed):
    before = stored(db, name)
    found = run("set", "--", name, typed)
    assert (found.exit_code, stored(db, name)) == (1, before)
    assert "Nothing was changed." in found.stderr


def test_a_new_limit_counts_at_once(run, visit):
    run("set", "dm_limit", "1000,00")
    assert "supera el máximo" in text_of(visit("Ana").get("/pago"))


# --- Settings of the process ----------------------------------------------------------------------

def test_a_file_of_settings_is_read_and_the_environment_wins(tmp_path):
    file = tmp_path / "cac.toml"
    file.write_text('base_url = "http://file.example"\nCAC_MAIL_FROM = "file@example.com"\n')
    cac.make_database(tmp_path / "cac.db", "schema.sql")
    found = shell("list", "settings", config=file, database=tmp_path / "cac.db",
                  mail_from="env@example.com")
    assert "http://file.example" in found.stdout
    assert "env@example.com" in found.stdout
    assert "file@example.com" not in found.stdout


@pytest.mark.parametrize("content", ['base_ulr = "http://x"', "base_url = ", 'demo_x = "1"'])
def test_a_file_of_settings_with_a_mistake_is_refused(tmp_path, content):
    file = tmp_path / "cac.toml"
    file.write_text(content)
    found = shell("list", "settings", config=file)
    assert (found.returncode, "CAC_CONFIG" in found.stderr) == (1, True)
    assert "Traceback" not in found.stderr


def test_a_secret_in_the_file_is_not_printed_when_the_file_is_refused(tmp_path):
    file = tmp_path / "cac.toml"
    file.write_text('secret_key = "topsecret"\nsecret_kye = "topsecret"\n')
    found = shell("list", "settings", config=file)
    assert (found.returncode, "topsecret" in found.stderr) == (1, False)


@pytest.mark.parametrize(("name", "value"), [
    ("proxies", "many"), ("dineromail_account", "1192532/0"), ("smtp_url", "mail.example.com"),
    ("dineromail_account", "1192532"), ("proxies", "-1")])
def test_a_setting_that_cannot_be_used_is_named(tmp_path, name, value):
    found = shell("list", "settings", database=tmp_path / "cac.db", **{name: value})
    assert (found.returncode, f"CAC_{name.upper()}" in found.stderr) == (1, True)
    assert "Traceback" not in found.stderr


# --- voucher-type, customer -----------------------------------------------------------------------

def test_voucher_type_gives_and_takes_the_button(run, visit):
    assert run("voucher-type", 11, "--dineromail", "on").output == "11 Factura C: DineroMail on\n"
    assert visit("Fabián").page("/pago").find(attrs={"value": "saldo"})
    run("voucher-type", 11, "--dineromail", "off")
    assert not visit("Fabián").page("/pago").find(attrs={"value": "saldo"})


def test_customer_explains_why_both_buttons_are_missing(run):
    output = run("customer", 1004).output.replace("\N{NO-BREAK SPACE}", " ")
    assert "DineroMail button: not shown" in output
    assert "NO   balance $ 5.000,00 is less than the limit $ 5.000,00" in output
    assert "yes  last invoice: Factura A, DineroMail on" in output
    assert "Advance payment: not shown" in output
    assert "NO   balance $ 5.000,00 is 0 or less, or greater than the limit $ 5.000,00" in output


@pytest.mark.parametrize(("who", "said"), [
    ("Ana", "DineroMail button: shown"), ("Beto", "Advance payment: shown"),
    ("Fabián", "NO   last invoice: Factura C, DineroMail off"), ("Gloria", "no password yet"),
    ("Gloria", "last invoice: none"), ("Inés", "ines@example.com, estudio@example.com"),
    ("Karina", "e-mails: none"), ("Luis", "BLOCKED"), ("Caro", "−$\N{NO-BREAK SPACE}320,00")])
def test_customer_says_what_the_case_is(run, who, said):
    assert said in run("customer", CAST[who]).output


def test_customer_says_when_no_service_is_configured(app, run):
    app.config["DINEROMAIL_ACCOUNT"] = ""
    output = run("customer", 1001).output
    assert "DineroMail button: not shown" in output
    assert "services configured: none" in output


# --- invite, password, unlock ---------------------------------------------------------------------

def test_invite_mails_the_number_and_a_link_for_seven_days(run, mails, browser):
    assert run("invite", 1007).output.startswith("Invited: 1.")
    [mail] = mails()
    assert (mail["To"], "su usuario es 1007" in mail_text(mail)) == ("gloria@example.com", True)
    with time_machine.travel(cac.now(6 * 86400)):
        assert browser.get(link_in(mail)).status_code == 200
    with time_machine.travel(cac.now(8 * 86400)):
        assert browser.get(link_in(mail)).status_code == 410


def test_invite_new_invites_each_who_has_no_password_once(run, mails):
    assert run("invite", "--new").output.startswith("Invited: 1.")
    assert run("invite", "--new").output.startswith("Invited: 0.")
    assert [mail["To"] for mail in mails()] == ["gloria@example.com"]


def test_invite_new_invites_whoever_came_since(run, mails, db):
    run("invite", "--new")
    db.execute("INSERT INTO customer (number, name) VALUES (2001, 'Oscar'), (2002, 'Pilar')")
    db.execute("INSERT INTO email (customer, address, canonical, confirmed_at)"
               " VALUES (2001, 'oscar@example.com', 'oscar@example.com', '2026-01-01')")
    assert run("invite", "--new").output.startswith("Invited: 1.")
    assert [mail["To"] for mail in mails()] == ["gloria@example.com", "oscar@example.com"]


@pytest.mark.parametrize("numbers", [[1001, 9999], [1001, CAST["Karina"]], [1001, CAST["Luis"]]])
def test_invite_invites_all_or_none(run, mails, numbers):
    assert run("invite", *numbers).exit_code == 1
    assert mails() == []


@pytest.mark.parametrize("words", [["invite"], ["invite", "--new", 1001]])
def test_invite_takes_numbers_or_new(run, words):
    assert run(*words).exit_code == 2


def test_password_prints_a_link_that_works_for_an_hour(run, browser):
    link = run("password", 1007).stdout.strip().removeprefix("http://cac.example.com/clientes")
    assert browser.send(link, clave_nueva="caballo correcto").status_code == 303
    assert browser.sign_in("Gloria", "caballo correcto").location == "/"


def test_password_makes_the_earlier_link_useless(run, browser):
    first, second = (run("password", 1007).stdout.strip().partition("/clientes")[2]
                     for _ in range(2))
    assert browser.get(first).status_code == 410
    assert browser.get(second).status_code == 200


def test_password_mails_the_link_instead_of_printing_it(run, mails):
    found = run("password", 1001, "--mail")
    assert "/clave/" not in found.output
    assert [mail["To"] for mail in mails()] == ["ana@example.com"]


@pytest.mark.parametrize("words", [
    ["password", CAST["Luis"]], ["password", CAST["Luis"], "--mail"],
    ["password", CAST["Karina"], "--mail"]])
def test_password_refuses_who_cannot_use_the_link(run, db, words):
    before = db.execute("SELECT link_serial FROM customer ORDER BY number").fetchall()
    assert run(*words).exit_code == 1
    assert db.execute("SELECT link_serial FROM customer ORDER BY number").fetchall() == before


@pytest.mark.parametrize("name", ["secret_key", "base_url"])
def test_password_refuses_when_no_link_can_be_made(database, db, name):
    found = shell("password", 1001, database=database, **SAFE | {name: ""})
    assert (found.returncode, f"CAC_{name.upper()}" in found.stderr) == (1, True)
    serial = db.execute("SELECT link_serial FROM customer WHERE number = 1001").fetchone()
    assert serial.link_serial == 0


def test_unlock_lets_a_customer_try_again_at_once(run, browser):
    answers = [browser.sign_in("Ana", "wrong") for _ in range(11)]
    assert answers[-1].status_code == 429
    assert run("unlock", 1001).output == "1001 Ana Sosa may try again.\n"
    assert browser.sign_in("Ana").status_code == 303


def link_in_output(result):
    """The path of the link that a command printed."""
    return result.stdout.strip().partition("/clientes")[2]


def test_block_ends_the_sessions_and_kills_the_links(run, visit, browser):
    ana, link = visit("Ana"), link_in_output(run("password", 1001))
    assert run("block", 1001).output == "1001 Ana Sosa is blocked.\n"
    assert ana.get("/cuenta").status_code == 302
    assert (browser.sign_in("Ana").status_code, browser.get(link).status_code) == (401, 410)


def test_unblock_lets_in_with_the_password_of_before_but_revives_no_link(run, browser):
    link = link_in_output(run("password", 1001))
    run("block", 1001)
    assert run("unblock", 1001).output == "1001 Ana Sosa may sign in again.\n"
    assert (browser.sign_in("Ana").status_code, browser.get(link).status_code) == (303, 410)


@pytest.mark.parametrize(("command", "who", "said"), [
    ("block", 1012, "1012 Luis Ocampo is blocked.\n"),
    ("unblock", 1001, "1001 Ana Sosa may sign in again.\n")])
def test_block_and_unblock_change_nothing_when_it_is_so_already(run, visit, command, who, said):
    ana = visit("Ana")
    assert run(command, who).output == said
    assert ana.get("/").status_code == 200


def test_sign_out_ends_the_sessions_of_one_customer(run, visit):
    ana, beto = visit("Ana"), visit("Beto")
    assert run("sign-out", 1001).output == "Sessions ended: 1.\n"
    assert [one.get("/").status_code for one in (ana, beto)] == [302, 200]


@pytest.mark.parametrize(("words", "table"), [
    (["list", "review"], "review (at, service, reference, service_payment, reason) VALUES"
                         " ('2026-11-20', 'dineromail', '{}', '', 'x')"),
    (["list", "mail"], "outbox (template, recipient, created_at, due_at) VALUES"
                       " ('test', '{}', '2026-11-20T00:00:00Z', '2026-11-20T00:00:00Z')"),
    (["list", "imports"], "import (at, who, kind, file, digest, rows, added, balance_before,"
                          " balance_after) VALUES ('2026', '', 'news', '{}', '', 1, 1, 0, 0)"),
    (["customer", 1001], "email (customer, address, canonical) VALUES (1001, '{}', 'x')")])
def test_what_strangers_wrote_moves_no_cursor_of_the_operators_terminal(run, db, words, table):
    db.execute("INSERT INTO " + table.format("a\x1b[2J\x9b\u202ezy"))
    output = run(*words).output
    assert r"a\x1b[2J\x9b\u202ezy" in output and not set("\x1b\x9b\u202e") & set(output)


def test_what_is_typed_and_no_utf_8_is_refused_without_a_trace(run):
    answer = run("set", "company_name", os.fsdecode(b"Caf\xe9"))
    assert answer.exit_code == 1 and r"Caf\udce9" in answer.output


def test_sign_out_all_ends_everybodys(run, visit):
    everybody = [visit("Ana"), visit("Ana"), visit("Beto")]
    assert run("sign-out", "--all").output == "Sessions ended: 3.\n"
    assert {one.get("/").status_code for one in everybody} == {302}


@pytest.mark.parametrize(("words", "kind"), [
    (["block", 1001], "block"), (["unblock", 1012], "unblock"),
    (["sign-out", "--all"], "sessions-ended")], ids=str)
def test_what_the_operator_does_to_an_account_is_in_its_log(run, visit, db, words, kind):
    visit("Ana")
    run(*words)
    last = db.execute("SELECT * FROM event ORDER BY id DESC LIMIT 1").fetchone()
    assert (last.kind, last.actor) == (kind, "operator")


# --- serve, demo ----------------------------------------------------------------------------------

@pytest.mark.parametrize(("name", "value"), [
    ("secret_key", ""), ("secret_key", "short"), ("secret_key", "x" * 40),
    ("secret_key", "change-me-to-some-32-random-characters"),
    ("secret_key_fallbacks", f"{SECRET_KEY},short"),
    ("base_url", ""), ("base_url", "cac.example.com"),
    ("database", "/nonexistent/cac.db"), ("demo", "/tmp")])  # noqa: S108 - nothing is written there
def test_serve_names_what_is_missing_or_unsafe(empty, name, value):
    settings = {"database": empty, **SAFE} | {name: value}
    found = shell("serve", "--port", free_port(), **settings)
    assert (found.returncode, f"CAC_{name.upper()}" in found.stderr) == (1, True)
    others = {"CAC_SECRET_KEY", "CAC_BASE_URL", "CAC_DATABASE"} - {f"CAC_{name.upper()}"}
    assert not any(f"{other}:" in found.stderr for other in others)


def test_serve_names_all_that_is_missing_at_once(tmp_path):
    found = shell("serve", "--port", free_port(), database=tmp_path / "none.db")
    assert found.returncode == 1
    assert all(name in found.stderr for name in ("CAC_SECRET_KEY", "CAC_BASE_URL", "CAC_DATABASE"))


def test_serve_refuses_the_demos_data(database):
    found = shell("serve", "--port", free_port(), database=database, **SAFE)
    assert (found.returncode, "demo's data" in found.stderr) == (1, True)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])  # noqa: S104
def test_demo_refuses_to_be_seen_from_other_machines(host):
    found = shell("demo", "--host", host, "--port", free_port())
    assert (found.returncode, host in found.stderr) == (1, True)


def test_demo_refuses_a_file_that_is_no_demos(empty, tmp_path):
    (tmp_path / "letter.txt").write_text("Dear Ana")
    for file in (empty, tmp_path / "letter.txt"):
        before = file.read_bytes()
        found = shell("demo", "--database", file, "--port", free_port())
        assert (found.returncode, str(file) in found.stderr) == (1, True)
        assert file.read_bytes() == before


def introduction(demo):
    """What the demo prints until it has named the last of the cast."""
    said = []
    for line in demo.stdout:
        said.append(line)
        if "usuario 1013" in line:
            break
    return "".join(said)


def test_demo_takes_no_database_from_another_demo(database, db, run):
    db.execute("SELECT 1 FROM customer").fetchall()     # it is open
    answer = shell("demo", "--port", free_port(), "--database", database)
    assert (answer.returncode, "is in use" in answer.stderr) == (1, True)
    answer = run("demo", "--port", free_port(), "--database", "/nowhere/cac.db")
    assert answer.output.startswith("Error: There is no folder /nowhere")


def test_demo_replaces_an_earlier_demos_database(database, db):
    db.execute("UPDATE customer SET name = 'Somebody else' WHERE number = 1001")
    db.close()  # it is refused while anybody has it open
    with running("cac.py", "demo", "--port", free_port(), "--database", database) as demo:
        assert "usuario 1001  clave demo-2010  Ana Sosa" in introduction(demo)


def test_demo_ends_with_its_terminal_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ours = signal.signal(signal.SIGHUP, signal.SIG_DFL)     # nohup's would be the demo's, too
    port = free_port()
    with running("cac.py", "demo", "--port", port) as demo:
        signal.signal(signal.SIGHUP, ours)
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/salud"))
        demo.send_signal(signal.SIGHUP)
        assert demo.wait(15) == 0 and not answers(f"http://127.0.0.1:{port}/salud")
    assert list(tmp_path.iterdir()) == []


def test_demo_says_where_it_is_and_who_can_sign_in():
    port = free_port()
    with running("cac.py", "demo", "--port", port) as demo:
        said = introduction(demo)
    assert f"http://127.0.0.1:{port}" in said
    assert f"http://127.0.0.1:{port}/demo/correo" in said
    assert (said.count("clave demo-2010"), said.count("cannot sign in")) == (len(CAST) - 2, 2)


@pytest.mark.parametrize("words", [
    ["customer", 10**20], ["unlock", 0], ["voucher-type", 10**20, "--dineromail", "on"],
    ["serve", "--port", 99999]])
def test_an_impossible_number_is_wrong_usage(run, words):
    found = run(*words)
    assert found.exit_code == 2 and "not in the range" in found.output


def test_a_file_that_is_no_database_is_refused_without_a_trace(app, run, tmp_path):
    app.config["DATABASE"] = tmp_path / "garbage.db"
    app.config["DATABASE"].write_bytes(b"garbage" * 1000)
    found = run("customer", 1001)
    assert found.exit_code == 1 and "not a database" in found.output
