"""The rules: tables of cases, the reason at the end of each row, and what holds of every number."""

import re
import string
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from types import SimpleNamespace as Row
from urllib.parse import urljoin, urlsplit

import pytest
import time_machine
from conftest import cac
from hypothesis import given, settings
from hypothesis import strategies as st

settings.register_profile("cac", deadline=None, database=None)  # the same on slow machines
settings.load_profile("cac")
LIMIT = 500000
MOST = cac.MAX_AMOUNT
AMOUNTS = st.integers(-MOST, MOST)
BALANCES_AND_LIMITS = st.integers(1, MOST).flatmap(lambda limit: st.tuples(
    AMOUNTS | st.integers(-2, 2) | st.integers(limit - 2, limit + 2), st.just(limit)))


def cases(names, *rows):
    """A table of cases."""
    return pytest.mark.parametrize(names, rows)


# Amounts

@cases(("amount", "read"),
       (0, "$\xa00,00"),                                # nothing
       (5, "$\xa00,05"),                                # centavos have two digits
       (100, "$\xa01,00"),                              # one peso
       (99999, "$\xa0999,99"),                          # the last without a point
       (100000, "$\xa01.000,00"),                       # thousands have a point
       (123456789, "$\xa01.234.567,89"),                # and millions another
       (-5, "−$\xa00,05"),                              # the sign comes first, and is a minus
       (MOST, "$\xa092.233.720.368.547.758,07"))        # all that the database holds
def test_money_reads_as_in_argentina(amount, read):
    assert cac.money(amount) == read


@cases(("amount", "read"),
       (0, "0,00"),                                     # nothing
       (-32000, "−320,00"),                             # in favour
       (123456789, "1.234.567,89"))                     # points and comma
def test_plain_money_leaves_the_pesos_sign_out(amount, read):
    assert cac.plain_money(amount) == read


@given(AMOUNTS)
def test_money_loses_no_centavo_and_no_sign(amount):
    assert int(re.sub(r"\D", "", cac.plain_money(amount))) == abs(amount)
    assert cac.money(amount).startswith("−") is cac.plain_money(amount).startswith("−") is (
        amount < 0)


@given(st.integers(0, MOST))
def test_what_money_writes_can_be_typed(amount):
    assert cac.parse_money(cac.money(amount)) == cac.parse_money(cac.plain_money(amount)) == amount


@cases(("typed", "amount"),
       ("1.234,56", 123456),                            # as it is printed
       ("1234,56", 123456),                             # without the point
       ("1234.56", 123456),                             # a calculator's point
       ("$ 1500", 150000),                              # with the sign
       ("$1500", 150000),                               # no space after it
       ("$\xa01.250,40", 125040),                       # copied from the page
       ("0,5", 50),                                     # one decimal is tens of centavos
       ("0.5", 50),                                     # with a point, too
       ("0", 0),                                        # a number, if not a payment
       ("  7  ", 700),                                  # spaces around it
       ("1.234.567,8", 123456780),                      # two points and one decimal
       ("92233720368547758,07", MOST))                  # the most the database holds
def test_parse_money_takes_what_customers_type(typed, amount):
    assert cac.parse_money(typed) == amount


@cases("typed",
       "",                                              # nothing
       " ",                                             # nothing, at length
       "$",                                             # only the sign
       "-5",                                            # negative
       "−5",                                            # negative, with a real minus
       "+5",                                            # nobody writes that
       "1.234",                                         # ambiguous: thousands, or three decimals?
       "1.234.567",                                     # the same
       "1,234",                                         # three decimals
       "1234,567",                                      # three decimals
       "0,005",                                         # half a centavo
       "1,234.56",                                      # English
       "1.23,45",                                       # a point in the wrong place
       "1234.567,00",                                   # thousands without their first point
       "12.34.567,00",                                  # a group of two
       "5,",                                            # no decimals after the comma
       ",5",                                            # no pesos before it
       "1 234,56",                                      # a space inside
       "1\xa0500",                                      # or one that does not break
       "1_000",                                         # Python would take it
       "1e3",                                           # and this
       "0x10",                                          # and this, elsewhere
       "NaN",                                           # and this, as a Decimal
       "mil",                                           # letters
       "1500 pesos",                                    # letters after it
       "US$ 5",                                         # another currency
       "$$5",                                           # the sign twice
       "5$",                                            # or behind
       "(5)",                                           # an accountant's minus
       "١٢٣",                                           # Arabic digits
       "１５００",                                      # full-width digits
       "1²",                                            # a digit for str.isdigit
       "92233720368547758,08",                          # a centavo more than the database holds
       "9" * 5000)                                      # more digits than int() takes
def test_parse_money_refuses_the_rest_in_spanish(typed):
    with pytest.raises(ValueError, match=r"^Escriba (el|un) importe "):
        cac.parse_money(typed)


def test_an_amount_of_twenty_digits_is_one_but_too_large():
    with pytest.raises(ValueError, match=r"^Escriba un importe menor$"):
        cac.parse_money("9" * 20)


@given(st.text(alphabet="0123456789.,$ -+e\xa0١５", max_size=12))
def test_what_parse_money_accepts_means_only_one_amount(typed):
    try:
        amount = cac.parse_money(typed)
    except ValueError:
        return
    number = typed.strip().removeprefix("$")
    plain = number.replace(".", "").replace(",", ".") if "," in number else number
    assert amount == Decimal(plain) * 100 >= 0


# Dates and numbers

@cases(("iso", "read"),
       ("2026-11-30", "30/11/2026"),                    # day first
       ("2026-01-02", "02/01/2026"),                    # two digits each
       (None, ""),                                      # no due date
       ("", ""))                                        # nor here
def test_day_reads_as_in_argentina(iso, read):
    assert cac.day(iso) == read


@given(st.dates(min_value=date(1000, 1, 1)))
def test_day_keeps_every_date(found):
    assert cac.day(found.isoformat()) == found.strftime("%d/%m/%Y")


@cases(("issued", "point_of_sale", "number", "printed"),
       ("2010-04-23", 3, 94, "0003-00000094"),          # four digits, as on paper then
       ("2018-08-05", 3, 94, "0003-00000094"),          # the last day of four
       ("2018-08-06", 3, 94, "00003-00000094"),         # the first day of five
       ("2010-04-23", 12345, 94, "12345-00000094"),     # five were needed before
       ("2026-11-09", 0, 0, "00000-00000000"))          # nothing is lost
def test_a_voucher_has_the_number_printed_on_its_date(issued, point_of_sale, number, printed):
    found = Row(date=issued, point_of_sale=point_of_sale, number=number)
    assert cac.voucher_number(found) == printed


@given(st.dates(), st.integers(0, 99999), st.integers(0, 99999999))
def test_a_voucher_number_can_be_read_back(issued, point_of_sale, number):
    found = Row(date=issued.isoformat(), point_of_sale=point_of_sale, number=number)
    assert [int(part) for part in cac.voucher_number(found).split("-")] == [point_of_sale, number]


# The buttons

@cases(("balance", "dm_active", "dineromail", "advance"),
       (-1, True, False, True),                         # a centavo in favour
       (0, True, False, True),                          # nothing is owed
       (1, True, True, False),                          # the least that is owed
       (LIMIT - 1, True, True, False),                  # the most to be paid on line
       (LIMIT, True, False, False),                     # exactly the limit: neither
       (LIMIT + 1, True, False, True),                  # over the limit
       (-1, False, False, True),                        # without DM the advance payment is the same
       (1, False, False, False),                        # owes, but the type has no DM
       (LIMIT, False, False, False),                    # neither
       (LIMIT + 1, False, False, True))                 # over the limit
def test_the_buttons_of_the_manual(balance, dm_active, dineromail, advance):
    assert cac.shows_dineromail(balance, LIMIT, dm_active) is dineromail
    assert cac.shows_advance_payment(balance, LIMIT) is advance


@given(BALANCES_AND_LIMITS)
def test_one_button_shows_where_dm_is_active_but_at_the_limit(balance_and_limit):
    balance, limit = balance_and_limit
    dineromail = cac.shows_dineromail(balance, limit, True)
    assert dineromail + cac.shows_advance_payment(balance, limit) == (balance != limit)


@given(BALANCES_AND_LIMITS)
def test_dineromail_never_shows_without_dm(balance_and_limit):
    assert not cac.shows_dineromail(*balance_and_limit, False)


# Identifiers

@cases(("text", "expected"),
       ("30-71234567-1", True),                         # with dashes
       ("30712345671", True),                           # without
       ("20-11111111-2", True),                         # a person's
       ("30-71234567-6", False),                        # wrong check digit
       ("99-71234567-1", False),                        # no such prefix
       ("3071234567", False),                           # a digit less
       ("307123456711", False),                         # a digit more
       ("3071234567a", False),                          # a letter
       ("٣٠٧١٢٣٤٥٦٧١", False),                          # Arabic digits
       ("", False))                                     # nothing
def test_is_cuit(text, expected):
    assert cac.is_cuit(text) is expected


@given(st.integers(0, 99999999))
def test_of_ten_last_digits_one_makes_a_cuit(number):
    assert sum(cac.is_cuit(f"30-{number:08}-{digit}") for digit in range(10)) == 1


@cases(("text", "expected"),
       ("2850590940090418135201", True),                # a good one
       ("2850590-9 4009041813520-1", True),             # as it is written on paper
       ("0070999020000123456788", True),                # another bank's
       ("0170025700000001234567", False),               # wrong check digits
       ("285059094009041813520", False),                # a digit less
       ("28505909400904181352011", False),              # a digit more
       ("28505909400904181352O1", False),               # a letter O
       ("", False))                                     # nothing
def test_is_cbu(text, expected):
    assert cac.is_cbu(text) is expected


@given(st.integers(0, 21), st.sampled_from(string.digits))
def test_a_cbu_with_one_digit_wrong_is_found_out(place, digit):
    good = "2850590940090418135201"
    assert cac.is_cbu(good[:place] + digit + good[place + 1:]) is (digit == good[place])


@cases(("typed", "number"),
       ("1001", 1001),                                  # as it was mailed
       (" 1001\n", 1001),                               # copied with what was around it
       ("001001", 1001),                                # with zeros before it
       ("1.001", 1001), ("10-01", 1001), ("1 001", 1001),  # as people write long numbers
       ("999999999", 999999999),                        # the last number
       ("1000000000", None),                            # one too long
       ("ana", None), ("1001a", None), ("1e3", None),   # letters
       ("+1001", None), ("1,001", None),                # other signs
       ("１００１", None), ("١٠٠١", None),              # other digits
       ("", None), ("--", None))                        # no digits
def test_the_user_number_that_was_typed(typed, number):
    assert cac.customer_number(typed) == number


@given(st.integers(1, 999999999), st.integers(0, 9))
def test_a_user_number_is_recognized_with_points_and_zeros(number, zeros):
    assert cac.customer_number("0" * zeros + f"{number:,}".replace(",", ".")) == number


# Addresses

@cases(("url", "expected"),
       ("/", True),                                     # home
       ("/cuenta?pagina=2", True),                      # a page of ours, with a query
       ("/clientes/cuenta#fin", True),                  # under a prefix
       ("/%2f%2fevil.example", True),                   # quoted slashes are part of a name
       ("", False),                                     # nowhere
       ("cuenta", False),                               # relative to who knows what
       ("//evil.example", False),                       # another site, our scheme
       ("///evil.example", False),                      # browsers read that as the same
       ("/\\evil.example", False),                      # and this
       ("\\\\evil.example", False),                     # and this
       ("/\t/evil.example", False),                     # browsers drop the tab
       ("/\n/evil.example", False),                     # and the line break
       ("\t//evil.example", False),                     # at the start, too
       (" //evil.example", False),                      # and spaces there
       ("/cuenta\r\nSet-Cookie: a=b", False),           # another header
       ("/cuenta\n", False),                            # a line break at the end
       ("/\x00/evil.example", False),                   # what some parsers stop at
       ("https://evil.example", False),                 # plainly elsewhere
       ("https:evil.example", False),                   # a scheme without slashes
       ("https:/evil.example", False),                  # or with one
       ("javascript:alert(1)", False),                  # a program
       ("?next=//evil.example", False),                 # not a path
       ("/ñandú", False),                               # not quoted: never made by us
       ("/／evil.example", False))                      # a full-width slash
def test_is_local(url, expected):
    assert cac.is_local(url) is expected


@given(st.text(alphabet="/\\:.@?#% \t\r\nevil", max_size=9).map(lambda tail: f"/{tail}"))
def test_what_is_local_stays_here_as_browsers_read_it(url):
    read = re.sub(r"[\t\r\n]", "", url).replace("\\", "/").strip()
    target = urlsplit(urljoin("https://cac.example.com/ingresar", read))
    assert target.netloc == "cac.example.com" or not cac.is_local(url)


@cases(("text", "canonical"),
       ("ana@example.com", "ana@example.com"),          # as it is
       ("Ana@EXAMPLE.Com", "ana@example.com"),          # case does not count
       ("Ａna@example.com", "ana@example.com"),         # nor does full width
       ("n\u0303andu\u0301@example.com", "ñandú@example.com"),  # one ñ, or n and a tilde
       ("аna@example.com", "аna@example.com"),          # a Cyrillic а is another letter
       ("ın@example.com", "ın@example.com"),            # and so is a dotless i
       ("ana@münchen.de", "ana@xn--mnchen-3ya.de"),     # the domain as the network knows it
       ("ana@XN--MNCHEN-3YA.de", "ana@xn--mnchen-3ya.de"),  # the same domain
       ("ana+cac@example.com", "ana+cac@example.com"),  # may be another mailbox
       ("a.na@example.com", "a.na@example.com"),        # this, too
       ("ana@", None), ("@example.com", None),          # a half
       ("ana", None), ("", None),                       # none
       ("ana@example", None), ("ana@localhost", None),  # not on the net
       ("ana@[127.0.0.1]", None),                       # a machine
       ("Ana <ana@example.com>", None),                 # a header
       ("ana@example.com, b@example.com", None),        # two
       ("ana@example.com\nBcc: b@example.com", None),   # another header
       ("=?utf-8?q?=5C=40=5B?=x@example.com", None),    # an encoded word: \\@[ to mail programs
       ("=？utf-8？q？x？=@example.com", None),             # the same in full width
       ("a，b@example.com", None), ("＜a@example.com", None),   # a comma and a bracket, too
       ('"a b"@example.com', None), ("a(b)@example.com", None),  # quoted, commented
       ("a\x85b@example.com", None), ("a\u202eb@example.com", None))   # control characters
def test_the_form_in_which_addresses_are_compared(text, canonical):
    assert cac.canonical_email(text) == canonical


@given(st.emails())
def test_a_canonical_address_is_its_own_canonical_address(address):
    canonical = cac.canonical_email(address)
    assert canonical is None or cac.canonical_email(canonical) == canonical


@cases(("address", "block"),
       ("203.0.113.9", "203.0.113.9"),                  # each IPv4 address by itself
       ("2001:db8::1:2", "2001:db8::/64"),              # who has one IPv6 address has 2**64
       ("2001:DB8:0:0:ffff::1", "2001:db8::/64"),       # the same, written otherwise
       ("::ffff:203.0.113.9", "203.0.113.9"),           # IPv4 on an IPv6 socket: not all in one
       ("", ""))                                        # no address at all
def test_what_counts_as_one_place_on_the_net(address, block):
    assert cac.network_of(address) == block


@cases("address",
       "unix:",                                         # nginx, of a visitor on a local socket
       "203.0.113.9:5555",                              # proxies that add the port
       "[2001:db8::1]:5555",                            # the same, of IPv6
       "fe80::1%eth0",                                  # a neighbour on a cable
       "unknown")                                       # a proxy that does not tell
def test_an_odd_address_is_a_place_too(address):
    assert cac.network_of(address)


@given(st.integers(0, 2**32 - 1), *[st.integers(0, 2**64 - 1)] * 2)
def test_neighbours_of_one_network_count_as_one(network, one, other):
    prefix = f"2001:db8:{network >> 16:x}:{network & 0xffff:x}"
    blocks = {cac.network_of(":".join([prefix, *re.findall("....", f"{host:016x}")]))
              for host in (one, other)}
    assert len(blocks) == 1


# Passwords and waiting

@cases(("age", "seconds"),
       (0, 60), (59, 60),                               # at first as told
       (61, 61), (7200, 7200),                          # then as long again as it has waited
       (21600, 21600), (10**6, 21600),                  # up to six hours
       (10**7, None))                                   # and then no more
def test_when_what_failed_is_tried_again(age, seconds):
    with time_machine.travel(datetime(2026, 11, 28, tzinfo=UTC), tick=False):
        again = seconds and cac.now(seconds)
        assert cac.retry_at(cac.now(-age), 60, 2 * 10**6) == again


# The statement and the payments

@cases(("asked", "span"),
       ((400, 120, 20, 1), (280, 20, 1, 6)),            # Hugo's oldest page
       ((400, 120, 20, 6), (380, 20, 6, 6)),            # and his newest
       ((400, 120, 20, None), (380, 20, 6, 6)),         # which is shown first
       ((400, 120, 20, 7), (380, 20, 6, 6)),            # and in place of one that does not exist
       ((400, 120, 20, 0), (380, 20, 6, 6)),            # nor does this
       ((400, 120, 20, -1), (380, 20, 6, 6)),           # nor this
       ((8, 120, 20, None), (0, 8, 1, 1)),              # fewer than a page
       ((20, 120, 20, None), (0, 20, 1, 1)),            # a full one
       ((21, 120, 20, None), (20, 1, 2, 2)),            # one more
       ((400, 50, 20, None), (390, 10, 3, 3)),          # a window that is no whole pages
       ((0, 120, 20, None), (0, 0, 1, 1)))              # an empty account has an empty page
def test_which_movements_are_on_a_page(asked, span):
    assert cac.page_span(*asked) == span


@given(st.integers(0, 500), st.integers(1, 500), st.integers(1, 60))
def test_pages_tile_the_window_without_gaps(count, window, size):
    pages = cac.page_span(count, window, size, None)[3]
    spans = [cac.page_span(count, window, size, page)[:2] for page in range(1, pages + 1)]
    assert spans[0][0] == max(0, count - window) and sum(spans[-1]) == count
    assert all(skip + length == following for (skip, length), (following, _) in pairwise(spans))
    assert all(length == size for _, length in spans[:-1])


@cases(("amounts", "balance", "owed"),
       ([100, 50, 9], 120, [100, 20]),                  # the newest is owed whole, the next in part
       ([100, 50, 9], 159, [100, 50, 9]),               # nothing was paid
       ([100, 50, 9], 0, []),                           # all was
       ([100, 50, 9], -5, []),                          # and more
       ([100], 120, [100]),                             # the rest is older than what is on file
       ([], 120, []))                                   # all of it is
def test_payments_cancel_the_oldest_debits(amounts, balance, owed):
    debits = [Row(amount=amount) for amount in amounts]
    assert [rest for _, rest in cac.unpaid(debits, balance)] == owed


@given(st.lists(st.integers(1, MOST)), AMOUNTS)
def test_what_is_unpaid_sums_to_the_balance(amounts, balance):
    owed = [rest for _, rest in cac.unpaid([Row(amount=amount) for amount in amounts], balance)]
    assert sum(owed) == max(0, min(balance, sum(amounts)))
    assert all(rest > 0 for rest in owed)


NEW = Row(state="new", amount=125040, service_payment=None)
PENDING = Row(state="pending", amount=125040, service_payment=None)
REJECTED = Row(state="rejected", amount=125040, service_payment=None)
EXPIRED = Row(state="expired", amount=125040, service_payment=None)
REVIEW = Row(state="review", amount=125040, service_payment=None)
CREDITED = Row(state="credited", amount=125040, service_payment="77")


def told(state, amount=125040, currency="ARS", service_payment="77"):
    """What the payment service says."""
    return cac.Operation("CAC17", service_payment, state, amount, currency)


@cases(("payment", "operation", "deed", "why"),
       (None, told("credited"), "review", "unknown reference"),     # money for nobody we know
       (NEW, told("credited"), "credit", ""),                       # paid at once
       (PENDING, told("credited"), "credit", ""),                   # paid later
       (REJECTED, told("credited"), "credit", ""),                  # a second try on their page
       (EXPIRED, told("credited"), "credit", ""),                   # after a month
       (REVIEW, told("credited"), "credit", ""),                    # what was odd was put right
       (NEW, told("pending"), "pending", ""),                       # at a pay office, say
       (PENDING, told("pending"), "nothing", ""),                   # no news
       (REVIEW, told("pending"), "nothing", ""),                    # a person looks at it already
       (NEW, told("rejected"), "rejected", ""),                     # cancelled
       (PENDING, told("rejected"), "rejected", ""),                 # did not pay in the end
       (NEW, told("credited", 125039), "review", "paid ARS 1.250,39, expected ARS 1.250,40"),
       (NEW, told("credited", 125041), "review", "paid ARS 1.250,41, expected ARS 1.250,40"),
       (NEW, told("credited", None), "review", "paid ARS ?, expected ARS 1.250,40"),
       (NEW, told("credited", currency="USD"), "review",
        "paid USD 1.250,40, expected ARS 1.250,40"),
       (NEW, told("credited", currency=""), "review", "paid ? 1.250,40, expected ARS 1.250,40"),
       (NEW, told("credited", service_payment=""), "review", "the service gave no number"),
       (NEW, told("unknown state 9"), "review", "unknown state 9"),
       (CREDITED, told("credited"), "nothing", ""),                 # the same notice again
       (CREDITED, told("credited", service_payment="78"), "review", "paid a second time"),
       (CREDITED, told("rejected"), "review", "rejected after the credit"),
       (CREDITED, told("pending"), "review", "pending after the credit"),
       (CREDITED, told("rejected", service_payment="78"), "nothing", ""))  # an earlier failed try
def test_the_verdict_on_an_operation(payment, operation, deed, why):
    assert cac.verdict(payment, operation) == (deed, why)


@given(st.sampled_from([None, NEW, PENDING, REJECTED, EXPIRED, REVIEW, CREDITED]),
       st.sampled_from(["pending", "credited", "rejected", "?"]),
       st.sampled_from([125039, 125040, 125041, -125040, 0, None]),
       st.sampled_from(["ARS", "USD", "", "ars"]), st.sampled_from(["", "77", "78"]))
def test_only_an_exact_match_credits_and_only_once(payment, state, amount, currency, number):
    deed, _ = cac.verdict(payment, told(state, amount, currency, number))
    is_exact = (state, amount, currency) == ("credited", 125040, "ARS") and number != ""
    assert (deed == "credit") is (is_exact and payment not in (None, CREDITED))
