"""Copies of the database, and the way back. CAC_LOAD_SECONDS=60 makes the test under load long."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import cac
import pytest
from conftest import ROOT, everything, running, serving

LOAD_SECONDS = float(os.environ.get("CAC_LOAD_SECONDS", "0"))
UNPAID = "UPDATE movement SET origin = 'portal' WHERE id = (SELECT min(id) FROM movement)"
WRITER = """
import itertools, sys, cac
db = cac.connect(sys.argv[1])
for n in itertools.count(1):
    with cac.transaction(db):
        for amount in (n, -n):
            db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
                       " VALUES (1001, '2010-05-01', 999, ?, ?, ?)", (amount > 0, n, amount))
    print(n, flush=True)
"""


@pytest.fixture
def copies(tmp_path):
    """The folder for the copies; it is not there yet."""
    return tmp_path / "copies"


@pytest.fixture
def backup(run, copies):
    """backup(): makes a copy; its file."""
    def made(*words):
        result = run("backup", copies, *words)
        assert result.exit_code == 0, result.output
        return Path(result.stdout.partition(": ")[0])
    return made


@pytest.fixture
def restore(run):
    """restore(file): the command's result."""
    return lambda copy: run("restore", copy)


def shell(*words, before="", **settings):
    """A command in a shell of its own, after `before`."""
    environment = {f"CAC_{name.upper()}": str(value) for name, value in settings.items()}
    line = ["/bin/sh", "-c", f'{before}\nexec "$0" cac.py "$@"', sys.executable, *map(str, words)]
    return subprocess.run(line, cwd=ROOT, text=True, capture_output=True, check=False,
                          env={"PATH": "/usr/bin:/bin", **environment})


def names_in(folder, pattern="*"):
    """The files of a folder, sorted, hidden ones too."""
    return sorted(file.name for file in folder.glob(pattern))


def content_of(path):
    """All that a database holds."""
    with closing(cac.open_readonly(path)) as db:
        return sorted(everything(db))


def change(path, sql):
    """Do something to a database."""
    with closing(cac.connect(path)) as db:
        db.execute(sql)


def damage(path):
    """Write nonsense over the pages in the middle of a database."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"nonsense" * 4096)


@pytest.fixture
def invoice(app, db):
    """Ana's last invoice has a PDF in the documents' folder."""
    file = Path(app.config["DOCUMENTS"], "f.pdf")
    file.write_bytes(b"%PDF-1.4 Ana's")
    db.execute("UPDATE movement SET document = 'f.pdf' WHERE id = (SELECT max(id) FROM movement"
               " WHERE customer = 1001)")
    return file


# --- backup ---------------------------------------------------------------------------------------

def test_a_copy_holds_all_and_says_how_much(run, db, copies):
    copy, said = run("backup", copies).stdout.strip().split(": ", 1)
    assert re.fullmatch(r"[0-9,]+ bytes, 13 customers, 442 movements, total balance 28.707,40;"
                        r" 0 documents, 0 of them copied now", said)
    assert re.fullmatch(r"cac-[0-9]{8}-[0-9]{6}\.db", Path(copy).name)
    db.execute("DELETE FROM setting WHERE name = 'last_backup'")
    assert content_of(copy) == sorted(everything(db))


def test_only_its_owner_reads_a_copy(backup, copies):
    copy = backup()
    assert [oct(path.stat().st_mode & 0o777) for path in (copies, copy)] == ["0o700", "0o600"]


def test_the_documents_are_copied_once(run, backup, copies, invoice):
    backup()
    assert (copies / "documents" / "f.pdf").read_bytes() == invoice.read_bytes()
    assert "; 1 document, 0 of them copied now" in run("backup", copies).stdout


def test_a_document_that_is_nowhere_is_told(run, copies, invoice):
    invoice.unlink()
    assert "; 0 documents, 0 of them copied now, 1 missing" in run("backup", copies).stdout


def test_the_newest_copies_stay_and_files_of_others_too(backup, copies):
    copies.mkdir()
    for name in ("cac-20260101-040000.db", "cac-20260102-040000.db", "cac-important.db", "notes"):
        (copies / name).touch()
    newest = backup("--keep", 2)
    assert names_in(copies) == ["cac-20260102-040000.db", newest.name, "cac-important.db", "notes"]


def test_two_at_once_are_both_whole(copies, database):
    with ThreadPoolExecutor() as both:
        results = list(both.map(lambda _: shell("backup", copies, database=database), range(2)))
    assert [result.returncode for result in results] == [0, 0]
    assert all(cac.verify_backup(copies / name) for name in names_in(copies, "*.db"))
    assert names_in(copies, ".*") == []


def test_a_copy_that_does_not_add_up_is_not_kept_and_removes_no_other(run, db, backup, copies):
    good = backup()
    db.execute(UNPAID)
    result = run("backup", copies, "--keep", 1)
    assert result.exit_code == 1
    assert "does not pass its check: receipts of the portal without a payment: 1" in result.stderr
    assert names_in(copies) == [good.name]


def test_a_warning_about_anything_but_the_ledger_keeps_no_copy_away(db, backup):
    db.execute("DELETE FROM bank_account")
    assert backup().exists()


def test_on_a_full_disk_no_half_copy_is_left(database, copies):
    """A small disk where this user may make one; else files may not grow over 50 kB."""
    little = f"mount -t tmpfs -o size=90k none {copies} 2>/dev/null || ulimit -f 100"
    copies.mkdir()
    result = shell("backup", copies, database=database, before=little)
    left = names_in(copies)
    subprocess.run(["/bin/umount", "-q", copies], check=False)
    assert re.fullmatch(rf"Error: {copies}: (database or disk is full|disk I/O error)\. Nothing was"
                        r" changed\.\n", result.stderr)
    assert (result.returncode, left) == (1, [])


@pytest.mark.parametrize("folder", ["/proc/copies", "/dev/null/copies"])
def test_where_nobody_may_write_is_said_in_a_sentence(run, folder):
    result = run("backup", folder)
    assert result.exit_code == 1
    assert re.fullmatch(rf"Error: {folder}: [\w ]+. Nothing was changed.\n", result.stderr)


def test_a_damaged_database_is_not_copied(run, copies, database):
    damage(database)
    result = run("backup", copies)
    assert result.exit_code == 1
    assert "malformed" in result.stderr or "does not pass" in result.stderr
    assert not copies.exists() or names_in(copies) == []


def test_copies_made_while_others_write_are_whole(copies, database):
    """Ten in a row, and each has every payment that was acknowledged before it began."""
    copies.mkdir()
    end, made = time.monotonic() + LOAD_SECONDS, 0
    with running("-c", WRITER, database) as writer:
        while made < 10 or time.monotonic() < end:
            made += 1
            acknowledged = int(writer.stdout.readline())
            cac.copy_database(database, copies / f"{made}.db")
            with closing(cac.open_readonly(copies / f"{made}.db")) as copy:
                n, total = copy.execute("SELECT max(number), sum(amount) FROM movement"
                                        " WHERE type = 999 AND date = '2010-05-01'").fetchone()
            assert (n >= acknowledged, total) == (True, 0)


# --- restore --------------------------------------------------------------------------------------

def test_a_restore_brings_all_back_and_keeps_what_it_replaces(restore, db, database, backup):
    as_it_was, copy = sorted(everything(db)), backup()
    db.execute("DELETE FROM movement WHERE customer = 1001")
    db.close()
    lost = content_of(database)
    said = restore(copy).stdout
    assert "13 customers, 442 movements, total balance 28.707,40; 0 documents" in said
    kept = re.search(r"before: (\S+)\.\n", said)[1]
    assert content_of(kept) == lost
    change(database, "UPDATE customer SET link_serial = 0")
    assert content_of(database) == as_it_was


def test_after_a_restore_nobody_is_signed_in(restore, visit, backup):
    browser = visit("Ana")
    restore(backup())
    assert browser.get("/").status_code == 302


def test_after_a_restore_no_link_is_good_old_or_new(run, restore, browser, backup):
    older, copy, younger = link(run), backup(), link(run)
    assert restore(copy).exit_code == 0
    links = older, younger, link(run)
    assert [browser.get(address).status_code for address in links] == [410, 410, 200]


def link(run):
    """The path of a new link for Ana."""
    return "/" + run("password", 1001).stdout.strip().partition("/clientes/")[2]


def test_a_restore_brings_back_the_documents_that_are_gone(restore, backup, invoice):
    copy, content = backup(), invoice.read_bytes()
    invoice.unlink()
    assert "1 document, 1 of them copied now" in restore(copy).stdout
    assert invoice.read_bytes() == content


def test_a_restore_is_refused_while_the_service_runs(database, copies):
    with serving(database):
        assert shell("backup", copies, database=database).returncode == 0
        copy, same = copies / names_in(copies)[0], database.with_name("link.db")
        same.symlink_to(database)
        for path in (database, same):
            result = shell("restore", copy, database=path)
            assert (result.returncode, "in use: stop the service" in result.stderr) == (1, True)
    assert shell("restore", copy, database=same).returncode == 0
    assert names_in(database.parent, "cac.db*before*") != []


def test_a_database_that_is_not_replaced_after_all_is_as_it_was(database):
    wal, kept = database.with_name("cac.db-wal"), database.with_name("kept.db")
    wal.write_bytes(b"of a crash")
    with pytest.raises(OSError), cac.set_aside(database, kept):
        assert names_in(database.parent, "*.db*") == ["cac.db", "kept.db", "kept.db-wal"]
        raise OSError
    assert names_in(database.parent, "*.db*") == ["cac.db", "cac.db-wal"]
    assert wal.read_bytes() == b"of a crash"


def test_what_a_killed_service_left_does_not_spoil_the_restored_one(run, restore, database, backup):
    copy = backup()
    with running("-c", WRITER, database) as writer:
        writer.stdout.readline()
        writer.kill()
    damage(database)                             # its -wal cannot be taken in
    assert restore(copy).exit_code == 0
    assert len(names_in(database.parent, "cac.db.before-*-wal")) == 1
    assert run("check").exit_code == 0


@pytest.mark.parametrize(("make", "reason"), [
    (lambda file: file.unlink(), "There is no such file"),
    (lambda file: [file.unlink(), file.mkdir()], "There is no such file"),
    (lambda file: file.write_text("no database" * 100), "file is not a database"),
    (lambda file: file.write_bytes(b""), "It is no CAC database"),
    (damage, "malformed|does not pass its check"),
    (lambda file: os.truncate(file, 50_000), "malformed"),
    (lambda file: change(file, "PRAGMA user_version = 99"), "version 99, .* use a newer program"),
    (lambda file: change(file, UNPAID),
     "does not pass its check: receipts of the portal without a payment")], ids=range(8))
def test_a_file_that_fails_its_check_is_not_restored(restore, database, backup, make, reason):
    make(copy := backup())
    before = content_of(database)
    result = restore(copy)
    assert result.exit_code == 1
    assert re.match(rf"Error: {copy} to {database}: .*({reason}).*Nothing was changed.\n$",
                    result.stderr)
    assert content_of(database) == before
    assert names_in(database.parent, "*cac.db.*") == []
