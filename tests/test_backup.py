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
        found = run("backup", copies, *words)
        assert found.exit_code == 0, found.output
        return Path(found.stdout.partition(": ")[0])
    return made


def shell(*words, before="", **settings):
    """A command in a shell of its own, after `before`."""
    environment = {f"CAC_{name.upper()}": str(value) for name, value in settings.items()}
    line = ["/bin/sh", "-c", f'{before}\nexec "$0" cac.py "$@"', sys.executable, *map(str, words)]
    return subprocess.run(line, cwd=ROOT, text=True, capture_output=True, check=False,
                          env={"PATH": "/usr/bin:/bin", **environment})


def names_in(folder, pattern="*.db"):
    """The files of a folder, sorted, hidden ones too."""
    return sorted(file.name for file in folder.glob(pattern))


def held_by(path):
    """All that a database holds."""
    with closing(cac.open_readonly(path)) as db:
        return sorted(everything(db))


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
    found = run("backup", copies)
    copy, told = found.stdout.strip().split(": ", 1)
    assert re.fullmatch(r"[0-9,]+ bytes, 13 customers, 442 movements, total balance 28.707,40;"
                        r" 0 documents, 0 of them copied now", told)
    db.execute("DELETE FROM setting WHERE name = 'last_backup'")
    assert held_by(copy) == sorted(everything(db))


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


def test_sha256sum_proves_a_copy_and_its_documents(backup, copies, invoice):
    command = ["sha256sum", "-c", backup().with_suffix(".sha256").name]
    assert subprocess.run(command, cwd=copies, check=False).returncode == 0
    (copies / "documents" / "f.pdf").write_bytes(b"%PDF-1.4 Bob's")
    assert subprocess.run(command, cwd=copies, check=False).returncode == 1


def test_the_newest_copies_stay_and_files_of_others_too(backup, copies):
    made = [backup() for _ in range(3)]
    (copies / "cac-important.db").touch()
    made.append(backup("--keep", 2))
    assert names_in(copies) == [*(file.name for file in made[2:]), "cac-important.db"]
    assert names_in(copies, "*.sha256") == [file.stem + ".sha256" for file in made[2:]]


def test_two_at_once_make_two(copies, database):
    with ThreadPoolExecutor() as both:
        found = list(both.map(lambda _: shell("backup", copies, database=database), range(2)))
    assert [one.returncode for one in found] == [0, 0]
    assert len(names_in(copies)) == 2
    assert names_in(copies, ".*") == []


def test_a_copy_that_does_not_add_up_is_not_kept_and_removes_no_other(run, db, backup, copies):
    good = backup()
    db.execute(UNPAID)
    found = run("backup", copies, "--keep", 1)
    assert found.exit_code == 1
    assert "does not pass its check: receipts of the portal without a payment: 1" in found.stderr
    assert names_in(copies, "*[!s]") == [good.name, good.stem + ".sha256"]


def test_on_a_full_disk_no_half_copy_is_left(database, copies):
    """A small disk where this user may make one; else files may not grow over 50 kB."""
    little = f"mount -t tmpfs -o size=90k none {copies} 2>/dev/null || ulimit -f 100"
    copies.mkdir()
    found = shell("backup", copies, database=database, before=little)
    left = names_in(copies, "*")
    subprocess.run(["/bin/umount", "-q", copies], check=False)
    assert re.fullmatch(rf"Error: {copies}: (database or disk is full|disk I/O error)\. Nothing was"
                        r" changed\.\n", found.stderr)
    assert (found.returncode, left) == (1, [])


@pytest.mark.parametrize("folder", ["/proc/copies", "/dev/null/copies"])
def test_where_nobody_may_write_is_said_in_a_sentence(run, folder):
    found = run("backup", folder)
    assert found.exit_code == 1
    assert re.fullmatch(rf"Error: {folder}: [\w ]+. Nothing was changed.\n", found.stderr)


def test_a_folder_whose_name_is_no_utf_8_is_refused_in_a_sentence(run, tmp_path):
    found = run("backup", os.fsdecode(bytes(tmp_path) + b"/\xf1"))
    assert found.exit_code == 1 and "its name is no UTF-8. Nothing was changed." in found.output


def test_a_file_is_no_folder(run, tmp_path):
    (tmp_path / "copies").touch()
    found = run("backup", tmp_path / "copies")
    assert found.exit_code == 1
    assert found.stderr == f"Error: {tmp_path}/copies: Not a directory. Nothing was changed.\n"


def test_a_damaged_database_is_not_copied(run, copies, database):
    damage(database)
    found = run("backup", copies)
    assert found.exit_code == 1
    assert "malformed" in found.stderr or "does not pass" in found.stderr
    assert not copies.exists() or names_in(copies, "*") == []


def damage(path):
    """Write nonsense over the pages in the middle of a database."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"nonsense" * 4096)


def test_copies_made_while_others_write_are_whole(run, copies, database):
    """Ten in a row, and each has every payment that was acknowledged before it began."""
    end = time.monotonic() + LOAD_SECONDS
    with running("-c", WRITER, database) as writer:
        while not copies.exists() or len(names_in(copies)) < 10 or time.monotonic() < end:
            acknowledged = int(writer.stdout.readline())
            found = run("backup", copies, "--keep", 1000)
            assert found.exit_code == 0, found.output
            with closing(cac.open_readonly(found.stdout.partition(": ")[0])) as copy:
                n, total = copy.execute("SELECT max(number), sum(amount) FROM movement"
                                        " WHERE type = 999 AND date = '2010-05-01'").fetchone()
            assert (n >= acknowledged, total) == (True, 0)


# --- restore --------------------------------------------------------------------------------------

@pytest.fixture
def restore(run, app):
    """restore(file): the command's result; what is asked afterwards, the new database answers."""
    def restored(copy):
        found = run("restore", copy)
        vars(app.extensions["cac.connections"]).clear()
        return found
    return restored


@pytest.fixture
def lost(db, backup):
    """A copy, after which Ana's movements were lost: (the copy, all as it was)."""
    as_it_was, copy = sorted(everything(db)), backup()
    db.execute("DELETE FROM movement WHERE customer = 1001")
    db.close()
    return copy, as_it_was


def test_a_restore_brings_all_back_and_keeps_what_it_replaces(restore, lost, database):
    (copy, as_it_was), damaged = lost, held_by(database)
    found = restore(copy)
    assert "13 customers, 442 movements, total balance 28.707,40" in found.stdout
    kept = re.search(r"before: (\S+)\.\n", found.stdout)[1]
    assert held_by(kept) == damaged
    change(database, "UPDATE customer SET link_serial = 0")
    assert held_by(database) == as_it_was


def test_after_a_restore_nobody_is_signed_in(restore, visit, backup):
    browser = visit("Ana")
    restore(backup())
    assert browser.get("/").status_code == 302


def test_after_a_restore_no_link_is_good_old_or_new(run, restore, browser, backup):
    older, copy, younger = link(run), backup(), link(run)
    assert restore(copy).exit_code == 0
    made = older, younger, link(run)
    assert [browser.get(address).status_code for address in made] == [410, 410, 200]


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
            found = shell("restore", copy, database=path)
            assert (found.returncode, "in use: stop the service" in found.stderr) == (1, True)
    assert shell("restore", copy, database=same).returncode == 0
    assert names_in(database.parent, "cac.db*before*") != []


def test_a_database_that_is_not_replaced_after_all_is_as_it_was(database):
    wal = database.with_name("cac.db-wal")
    wal.write_bytes(b"of a crash")
    with pytest.raises(OSError), cac.set_aside(database) as kept:
        assert names_in(database.parent, "cac.db*") == [
            "cac.db", kept.name, f"{kept.name}-wal"]
        raise OSError
    assert names_in(database.parent, "cac.db*") == ["cac.db", "cac.db-wal"]
    assert wal.read_bytes() == b"of a crash"


def test_what_a_killed_service_left_does_not_spoil_the_restored_one(run, restore, database, backup):
    copy = backup()
    with running("-c", WRITER, database) as writer:
        writer.stdout.readline()
        writer.kill()
    damage(database)                             # its -wal cannot be taken in
    assert restore(copy).exit_code == 0
    assert names_in(database.parent, "cac.db-*") == []
    assert len(names_in(database.parent, "cac.db.before-*-wal")) == 1
    assert run("check").exit_code == 0


@pytest.mark.parametrize(("make", "reason"), [
    (lambda file: file.unlink(), "There is no such file"),
    (lambda file: [file.unlink(), file.mkdir()], "There is no such file"),
    (lambda file: file.write_text("no database" * 100), "file is not a database"),
    (lambda file: file.write_bytes(b""), "It is no CAC database"),
    (damage, "malformed|does not pass its check"),
    (lambda file: change(file, "PRAGMA user_version = 99"), "version 99, .* use a newer program"),
    (lambda file: change(file, UNPAID),
     "does not pass its check: receipts of the portal without a payment")], ids=range(7))
def test_a_file_that_fails_its_check_is_not_restored(restore, database, backup, make, reason):
    make(copy := backup())
    before = held_by(database)
    found = restore(copy)
    assert found.exit_code == 1
    assert re.match(rf"Error: {copy} to {database}: .*({reason}).*Nothing was changed.\n$",
                    found.stderr)
    assert held_by(database) == before
    assert names_in(database.parent, "*cac.db.*") == []


def change(path, sql):
    """Do something to a database."""
    with closing(cac.connect(path)) as db:
        db.execute(sql)


def test_an_older_copy_is_restored_and_upgraded(run, restore, app, copies):
    copies.mkdir()
    with closing(cac.connect(copies / "old.db")) as db:
        db.executescript((ROOT / "tests" / "schema_1.sql").read_text(encoding="utf-8"))
    assert "Now run `init`" in restore(copies / "old.db").stdout
    assert "As it was: " in run("init").stdout
    assert run("check").exit_code == 0


# --- Another file in its place --------------------------------------------------------------------

WALS = ["-wal", "-shm"]


@pytest.fixture
def other(tmp_path):
    """Another database, of an older day: without Ana's payment."""
    cac.make_database(tmp_path / "other.db", "schema.sql", "seed_data.sql")
    return tmp_path / "other.db"


def test_a_database_that_is_moved_over_the_served_one_takes_nothing_of_the_old(
        browser, visit, database, other):
    ana, held = visit("Ana"), held_by(other)    # signed in: that is in the -wal
    old = database.with_name("old.db")
    old.hardlink_to(database)
    other.rename(database)
    assert ana.get("/").status_code == 302      # nobody is signed in there
    assert held_by(database) == held
    assert any("INSERT INTO \"session\"" in line for line in held_by(old))


def test_what_is_written_after_that_is_in_the_new_one(visit, database, other):
    ana = visit("Ana")
    other.rename(database)
    assert ana.sign_in("Beto").status_code == 303
    with ThreadPoolExecutor(1) as another:      # a thread that had not opened the old one
        assert another.submit(lambda: ana.get("/").status_code).result() == 200
    assert any("INSERT INTO \"session\"" in line for line in held_by(database))


@pytest.mark.parametrize("way", ["init", "restore"])
def test_what_a_crash_left_beside_no_database_spoils_no_new_one(run, backup, database, way):
    copy = backup()
    content = database.read_bytes()
    with closing(cac.connect(database)) as db:
        db.execute("UPDATE customer SET name = 'of the -wal'")
        left = {suffix: Path(f"{database}{suffix}").read_bytes() for suffix in WALS}
    database.write_bytes(content)
    database.unlink()
    for suffix, held in left.items():
        Path(f"{database}{suffix}").write_bytes(held)
    assert run(*(["init"] if way == "init" else ["restore", copy])).exit_code == 0
    assert not any("of the -wal" in line for line in held_by(database))
    assert len(names_in(database.parent, "cac.db.before-*-wal")) == 1
