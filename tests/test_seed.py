"""The cast of seed_data.sql: each customer is a case of the rules, with its buttons."""

import pytest

CASES = [  # customer, balance, DineroMail, advance payment
    ("Ana", 125040, True, False), ("Beto", 0, False, True), ("Caro", -32000, False, True),
    ("Dante", 500000, False, False), ("Elena", 500001, False, True),
    ("Fabián", 90000, False, False),
    ("Hugo", 499999, True, False), ("Inés", 218900, True, False), ("Julián", 736250, False, True),
    ("Karina", 0, False, True), ("Ñandú", 187550, True, False),
]


def concepts(page):
    """What the buttons of a payment page pay."""
    return {field["value"] for field in page.find_all(attrs={"name": "concepto"})}


@pytest.mark.parametrize(("who", "balance", "dineromail", "advance"), CASES)
def test_each_customer_sees_the_buttons_of_the_case(visit, who, balance, dineromail, advance):
    expected = {concept for concept, is_shown in
                (("saldo", dineromail), ("adelanto", advance)) if is_shown}
    assert concepts(visit(who).page("/pago")) == expected
