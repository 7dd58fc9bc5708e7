"""`check`: what is fine, what is not and what to do about it; with --live, what others answer."""

import json
from pathlib import Path

import cac
import pytest
from conftest import SECRET, TOKEN, http
from test_commands import SAFE, shell

SERVICE = "dineromail"
TO_BE_SET_UP = {"CAC_SMTP_URL is not set: no mail goes out", "no backup was made yet",
                "no payment service is configured: nobody can pay on line"}


def test_check_tells_what_is_fine_and_what_a_new_database_lacks(empty):
    empty.chmod(0o600)
    found = shell("check", database=empty, **SAFE)
    lines = found.stdout.splitlines()
    assert {line[6:] for line in lines if not line.startswith("ok")} == TO_BE_SET_UP
    assert "ok    2 bank accounts" in lines
    assert found.returncode == 0


def test_check_tells_a_monitor_the_same(empty):
    lines = json.loads(shell("check", "--json", database=empty, **SAFE).stdout)
    assert {line["what"] for line in lines if line["level"] == "WARN"} >= TO_BE_SET_UP
    assert any("total balance 0,00" in line["what"] for line in lines)


@pytest.mark.parametrize(("sql", "said"), [
    ("UPDATE movement SET origin = 'portal' WHERE id = 100101",
     "BAD   receipts of the portal without a payment: 1"),
    ("UPDATE movement SET document = 'gone.pdf' WHERE id = 100101", "BAD   documents missing in"),
    ("UPDATE setting SET value = '' WHERE name = 'company_cuit'",
     "BAD   not set up, run `setup`: company_cuit"),
    ("INSERT INTO review VALUES (1, '2026-11-20T00:00:00Z', 'dineromail', 'XA1', '', 'odd', NULL)",
     "WARN  payments that wait for a person: 1, see `list review`"),
    ("UPDATE setting SET value = '2026-11-20T00:00:00Z' WHERE name = 'jobs_at'",
     "WARN  the service does not run: it was last at work at 2026-11-20T00:00:00Z"),
    ("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
     " SELECT 1002, date, type, point_of_sale, number, 0 FROM movement WHERE customer = 1001",
     "WARN  invoices in the accounts of two customers: 5"),
    ("INSERT INTO import (at, who, kind, file, digest, rows, balance_before, balance_after) VALUES"
     " ('2020-01-01T00:00:00Z', '', 'movements', 'm.csv', '', 0, 0, 0)",
     "WARN  no import for a week, the last at 2020-01-01T00:00:00Z"),
    ("PRAGMA user_version = 99", "BAD   database: The database has version 99"),
    ("DELETE FROM bank_account", "WARN  no bank account: nobody can deposit"),
    ("UPDATE voucher_type SET dineromail = 0", "WARN  no voucher type has DineroMail on"),
    ("INSERT INTO event (at, customer, kind, actor) VALUES ('2999-01-01T00:00:00Z', 1001, 'x',"
     " 'service')", "WARN  the clock is behind what was last recorded")])
def test_check_finds_what_is_wrong(run, db, sql, said):
    assert said not in run("check").output
    db.executescript(sql)
    result = run("check")
    assert said in result.output
    assert result.exit_code == said.startswith("BAD")


def test_check_says_when_the_last_backup_was(run, db, tmp_path):
    assert "WARN  no backup was made yet" in run("check").output
    run("backup", tmp_path / "copies")
    assert "ok    the last backup was at" in run("check").output
    db.execute("UPDATE setting SET value = ? WHERE name = 'last_backup'", (cac.now(-3 * 86400),))
    assert "WARN  no backup for two days, the last at" in run("check").output


def test_check_warns_who_may_read_the_database(run, database):
    database.chmod(0o644)
    assert f"WARN  all users of this machine can read {database}: chmod o= {database}" in run(
        "check").output
    database.chmod(0o640)
    assert f"ok    only its owner reads {database}" in run("check").output


@pytest.mark.parametrize("damage", [
    lambda file: file.write_bytes(b"no database" * 500),
    lambda file: file.write_bytes(file.read_bytes()[:50000]), lambda file: file.unlink()],
    ids=["not a database", "half of it", "gone"])
def test_check_of_a_broken_database_says_what_it_can(run, database, damage):
    damage(database)
    result = run("check", "--json")
    assert result.exit_code == 1
    lines = [(line["level"], line["what"]) for line in json.loads(result.stdout)]
    assert [what for level, what in lines if level == "BAD" and what.startswith("database: ")]
    assert any("MB are free" in what for _, what in lines)


@pytest.mark.parametrize(("limit", "reached", "line"), [
    ("FREE_MEGABYTES", 10**9, "WARN  only "), ("WAL_MEGABYTES", 0, "WARN  0 MB wait in cac.db-")])
def test_check_warns_of_little_space_and_a_large_wal(run, monkeypatch, limit, reached, line):
    assert line not in run("check").stdout
    monkeypatch.setattr(cac, limit, reached)
    assert line in run("check").stdout


def test_check_tells_of_documents_that_nobody_refers_to(app, run):
    Path(app.config["DOCUMENTS"], "lost.pdf").touch()
    assert "none of 0; 1 PDF of no voucher may go" in run("check").stdout


def test_check_warns_that_the_data_is_the_demos(run):
    found = run("check")
    assert "WARN  the database holds the demo's data" in found.output
    assert found.exit_code == 0


@pytest.mark.parametrize(("kept", "said"), [
    ("", "BAD   mails given up, not for their address: 1"),
    ("bad_address = 1, ", "WARN  active customers all of whose addresses refuse mail: 1")])
def test_check_tells_mails_that_were_given_up_by_their_cause(run, db, kept, said):
    db.execute("INSERT INTO outbox (template, recipient, customer, created_at)"
               " VALUES ('reset', 'ana@example.com', 1001, ?)", (cac.now(),))
    db.execute(f"UPDATE outbox SET {kept} error = '550'")
    assert said in run("check").output


# --- --live ---------------------------------------------------------------------------------------

@pytest.fixture
def live(app, shop, office):
    """The portal at its public address, both payment services and the SMTP server."""
    app.config.update(DINEROMAIL_URL=shop.address, MERCADOPAGO_URL=shop.address,
                      MERCADOPAGO_TOKEN=TOKEN, MERCADOPAGO_SECRET=SECRET)
    with http(app) as address:
        app.config["BASE_URL"] = address
        yield shop, office


def test_live_all_answer(run, app, live):
    lines = run("check", "--live").output.splitlines()
    assert [line for line in lines if line.endswith("answers")] == [
        "ok    Mercado Pago answers", "ok    DineroMail answers", "ok    the SMTP server answers",
        f"ok    {app.config['BASE_URL']} answers"]


def test_live_who_does_not_is_bad_in_its_own_words(run, app, live):
    app.config.update(MERCADOPAGO_TOKEN="wrong", DINEROMAIL_PASSWORD="wrong",  # noqa: S106
                      SMTP_URL="smtp://127.0.0.1:9", BASE_URL="http://127.0.0.1:9/clientes")
    result = run("check", "--live")
    assert result.exit_code == 1
    for said in ("BAD   Mercado Pago: HTTP 401", "BAD   DineroMail: ESTADOREPORTE",
                 "BAD   the SMTP server: Connection refused", "9/clientes: ConnectionRefusedError"):
        assert said in result.output


def test_nobody_is_asked_otherwise(run, live):
    before = live[0].questions()
    assert "answers" not in run("check").output
    assert live[0].questions() == before
