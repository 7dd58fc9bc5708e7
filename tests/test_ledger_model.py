"""The ledger against a model: payments, notices, reversals, imports and undo, in any order.

After each step the page, the spreadsheet, the PDF and the database say what the model says.
CAC_EXAMPLES says how many orders are tried.
"""

import csv
import os
import shutil
from datetime import UTC, datetime, timedelta
from itertools import accumulate, count

import cac
from conftest import CAST, Browser, pdf_text
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import (
    Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test,
)
from test_account import centavos, csv_rows, open_amounts, rows

NUMBER = CAST["Beto"]
EXAMPLES = int(os.environ.get("CAC_EXAMPLES", "6"))     # orders of events that are tried
AMOUNTS = strategies.integers(cac.MIN_PAYMENT, 600_000)
BELATED = ("refunded", "charged_back", "partially refunded", "rejected", "pending")


class Ledger(RuleBasedStateMachine):
    """Beto's account, as the portal keeps it and as it should be."""

    payments = Bundle("payments")
    folder = seeded = None      # where the databases are, and from which they are copied
    made = count()

    def __init__(self):
        super().__init__()
        folder = self.folder / str(next(self.made))
        folder.mkdir()
        self.file = folder / "movements.csv"
        self.app = cac.create_app(
            database=shutil.copy(self.seeded, folder), documents=str(folder), secret_key="k3y" * 14,
            jobs="off", base_url="http://cac.example.com/", dineromail_account="11925320")
        self.app.test_client_class = Browser
        self.beto = self.app.test_client()
        assert self.beto.sign_in("Beto").status_code == 303
        with self.app.app_context():
            self.lines = {(row.type, row.number): (row.date, row.id, row.amount) for row in
                          cac.fetch_all("SELECT * FROM movement WHERE customer = ?", NUMBER)}
        self.limit, self.new, self.imports = 500_000, {}, []

    def balance(self):
        """What Beto owes."""
        return sum(amount for *_, amount in self.lines.values())

    @rule(target=payments, amount=AMOUNTS)
    def begin_a_payment(self, amount):
        """An advance payment, if the manual's second rule and the limits allow it."""
        answer = self.beto.send("/pago", concepto="adelanto", medio="dineromail",
                                importe=f"{amount // 100},{amount % 100:02}")
        may = cac.shows_advance_payment(self.balance(), self.limit)
        expected = 403 if not may else 303 if amount <= self.limit else 422
        assert answer.status_code == expected
        reference = answer.headers.get("Location", "").rpartition("/")[2]
        self.new.setdefault(reference, amount)
        return reference, amount

    @rule(payment=payments, state=strategies.sampled_from(["credited", *BELATED]),
          difference=strategies.sampled_from([0, 0, 0, 1]))
    def hear_of_a_payment(self, payment, state, difference):
        """The service tells of it: only the first exact credit moves the ledger."""
        reference, amount = payment
        with self.app.app_context():
            told = cac.Operation(reference, f"N{reference[-9:]}", state, amount + difference, "ARS")
            with cac.transaction() as db:
                cac.act_on(db, "dineromail", [told])
            credited = cac.fetch_one("SELECT * FROM movement WHERE id = (SELECT movement FROM"
                                     " payment WHERE reference = ?)", reference)
        is_exact = state == "credited" and not difference and reference in self.new
        if reference and is_exact:
            assert credited.amount == -self.new.pop(reference)
            self.lines[900, credited.number] = (cac.today(), credited.id, credited.amount)

    @rule(bills=strategies.dictionaries(strategies.integers(70, 73), AMOUNTS, min_size=1),
          days=strategies.integers(0, 400))
    def import_bills(self, bills, days):
        """The accounting program has some bills, new ones or others than they were."""
        date = (datetime.now(UTC) - timedelta(days=days)).date().isoformat()
        with self.file.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, delimiter=";")
            table.writerow("usuario fecha tipo punto_venta numero detalle importe".split())
            table.writerows([NUMBER, date, 6, 3, number, "Abono", f"{amount / 100:.2f}"]
                            for number, amount in bills.items())
        done = self.run("import", "movements", self.file, "--partial", "--force",
                        "--decimal", "point")
        assert done.exit_code == 0, done.output
        changes = {}
        for number, amount in bills.items():
            before = self.lines.get((6, number))
            self.lines[6, number] = (date, before[1] if before else self.id_of(number), amount)
            if before != self.lines[6, number]:
                changes[6, number] = before
        self.imports.append((self.last_import(), changes))

    @precondition(lambda self: self.imports)
    @rule(data=strategies.data())
    def undo_an_import(self, data):
        """It goes back exactly; one on which a later one built is refused, and nothing changes."""
        number, changes = data.draw(strategies.sampled_from(self.imports))
        later = {key for other, changed in self.imports if other > number for key in changed}
        done = self.run("undo", number)
        assert done.exit_code == bool(changes.keys() & later), done.output
        if done.exit_code:
            return
        self.imports.remove((number, changes))
        for key, before in changes.items():
            del self.lines[key]
            self.lines |= {key: before} if before else {}

    def run(self, *words):
        """A command's result."""
        return self.app.test_cli_runner().invoke(args=[str(word) for word in words])

    def select(self, sql, *values):
        """The rows of the database."""
        with self.app.app_context():
            return [tuple(row) for row in cac.fetch_all(sql, *values)]

    def id_of(self, number):
        """The id that a new bill was given."""
        return self.select("SELECT id FROM movement WHERE customer = ? AND type = 6 AND"
                           " number = ?", NUMBER, number)[0][0]

    def last_import(self):
        """The number of the newest import."""
        return self.select("SELECT max(id) FROM import")[0][0]

    @invariant()
    def all_say_the_same(self):
        """Page, spreadsheet, PDF and database."""
        amounts = [amount for *_, amount in sorted(self.lines.values())]
        balances = list(accumulate(amounts))
        first = self.beto.page("/cuenta?pagina=1")
        pages = len(first.select("nav.pages li.number")) or 1
        shown = [row for number in range(1, pages + 1)
                 for row in rows(self.beto.page(f"/cuenta?pagina={number}"))[1:-1]]
        assert [centavos(row[-1]) for row in shown] == balances
        sheet = [centavos(row[-1]) for row in csv_rows(self.beto.get("/cuenta.csv"))[1:-1]]
        paper = pdf_text(self.beto.get("/cuenta.pdf")).replace("-", "−").split()
        assert sheet == balances and set(map(cac.plain_money, balances)) <= set(paper)
        assert sum(open_amounts(first)) == max(self.balance(), 0)
        assert self.select("SELECT amount FROM movement WHERE customer = ? ORDER BY date, id",
                           NUMBER) == [(amount,) for amount in amounts]

    def teardown(self):
        """`check` adds up, too."""
        assert "BAD" not in self.run("check").output


def test_in_any_order_all_say_what_the_model_says(seeded, tmp_path):
    ledger = type("Ledger", (Ledger,), {"folder": tmp_path, "seeded": seeded})
    run_state_machine_as_test(ledger, settings=settings(
        max_examples=EXAMPLES, stateful_step_count=12, deadline=None,
        suppress_health_check=list(HealthCheck)))
