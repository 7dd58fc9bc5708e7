-- CAC, Centro de Atención al Cliente: the database of the portal.
--   money    INTEGER centavos; in the ledger, positive = the customer owes, negative = paid or credited.
--   dates    TEXT 'YYYY-MM-DD', the day in Argentina.   times (…_at)  TEXT 'YYYY-MM-DDTHH:MM:SSZ', UTC.
--   who      (imported) comes from the accounting program, (portal) is written here, (operator) by a command.
-- What can be computed is a view, never a column. Customers are never deleted, only blocked (but by undoing the import that brought them).

PRAGMA user_version = 1;

-- ── People ──────────────────────────────────────────────────────────────────────────────────────

-- The lines of business; a customer belongs to one and sees its name, colour and link. `setup` and `brand` make them.
CREATE TABLE brand (
    code TEXT PRIMARY KEY,      -- of its mark, if it has one: static/brands/CODE.svg
    name TEXT NOT NULL, website TEXT NOT NULL CHECK (website = '' OR website LIKE 'http%'),
    colour TEXT NOT NULL CHECK (colour GLOB '#[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'),   -- white is read on it
    position INTEGER NOT NULL UNIQUE    -- from left to right in the bar
) STRICT;

-- Who owes and pays. The number is the user name that the manual calls "usuario".
CREATE TABLE customer (
    number INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 999999999),
    -- imported
    name TEXT NOT NULL CHECK (name <> ''), cuit TEXT CHECK (length(cuit) IN (7, 8, 11)),    -- digits only, of 7 or 8 a DNI; NULL = none
    tax_condition TEXT NOT NULL DEFAULT '',
    -- imported | portal
    address TEXT NOT NULL DEFAULT '', city TEXT NOT NULL DEFAULT '', province TEXT NOT NULL DEFAULT '', postal_code TEXT NOT NULL DEFAULT '',
    contact TEXT NOT NULL DEFAULT '',   -- portal: whom to ask for
    brand TEXT NOT NULL DEFAULT '' REFERENCES brand,    -- imported; not told = the first one
    password TEXT,                      -- portal, argon2id; NULL = none chosen yet
    link_serial INTEGER NOT NULL DEFAULT 0,     -- portal: a password link is good only for the serial it was made for
    active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),     -- 0 = blocked
    wants_reminders INTEGER NOT NULL DEFAULT 1 CHECK (wants_reminders IN (0, 1))
) STRICT;
CREATE INDEX customer_cuit ON customer (cuit);              -- Ingrese a su Cuenta, by CUIT

CREATE TRIGGER customer_needs_a_brand BEFORE INSERT ON customer WHEN NOT EXISTS (SELECT 1 FROM brand)
BEGIN SELECT raise(ABORT, 'there is no brand: run `setup` first'); END;
CREATE TRIGGER customer_of_no_brand AFTER INSERT ON customer WHEN NEW.brand = ''
BEGIN UPDATE customer SET brand = (SELECT code FROM brand ORDER BY position LIMIT 1) WHERE number = NEW.number; END;

-- Where a customer's mail goes. Two customers may share an address (an accountant's, say).
CREATE TABLE email (
    id INTEGER PRIMARY KEY AUTOINCREMENT, customer INTEGER NOT NULL REFERENCES customer,
    address TEXT NOT NULL,      -- as typed or imported; mail goes here
    canonical TEXT NOT NULL,    -- as compared: NFKC, case folded, domain in punycode
    confirmed_at TEXT,          -- NULL = typed on the site, not confirmed yet: no use to recover a password
    replaced_at TEXT,           -- when the customer took it off the list; it stays in force until another one is confirmed
    UNIQUE (customer, canonical)
) STRICT;
CREATE INDEX email_canonical ON email (canonical);          -- Ingrese a su Cuenta and ¿Olvidó su Clave?, by address

CREATE TABLE phone (    -- as typed: no format is imposed
    id INTEGER PRIMARY KEY AUTOINCREMENT, customer INTEGER NOT NULL REFERENCES customer, number TEXT NOT NULL,
    UNIQUE (customer, number)
) STRICT;

-- Who is signed in. The cookie holds a random token, this table only its hash: a copy of the database opens nothing,
-- and a row that is gone has ended the session everywhere at once.
CREATE TABLE session (
    token_hash TEXT PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer,
    created_at TEXT NOT NULL,   -- the absolute limit counts from here
    seen_at TEXT NOT NULL,      -- the idle limit counts from here; written every few minutes
    address TEXT NOT NULL, agent TEXT NOT NULL,
    accounts TEXT NOT NULL DEFAULT '{}'     -- JSON: to which it may change, as the same password opened them: {number: mark of the hash}
) STRICT, WITHOUT ROWID;
CREATE INDEX session_customer ON session (customer);        -- ending a customer's sessions

-- Who asked for a link to choose a password, until a job has looked for whom it is.
CREATE TABLE forgotten (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, address TEXT NOT NULL,    -- IP it was asked from
    usuario TEXT NOT NULL, email TEXT NOT NULL      -- as typed; '' = not told
) STRICT;

-- How often something limited was tried, by whom or from where, in the window that is open: 'sign-in:1001', 'notice:203.0.113.9' …
CREATE TABLE throttle (
    key TEXT PRIMARY KEY, started_at TEXT NOT NULL, count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened to each account, for its customer and for the operator. Nothing here is ever changed.
CREATE TABLE event (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, customer INTEGER NOT NULL REFERENCES customer,
    kind TEXT NOT NULL,         -- 'sign-in', 'password', 'data', …
    actor TEXT NOT NULL CHECK (actor IN ('customer', 'operator', 'service')),
    address TEXT NOT NULL DEFAULT '',       -- IP, '' when not over the web
    field TEXT, old TEXT, new TEXT          -- of kind 'data'
) STRICT;
CREATE INDEX event_customer ON event (customer, at);        -- the account's own log
CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event BEGIN SELECT raise(ABORT, 'the log is append-only'); END;

-- Whom the operator blocked: an import does not let them in.
CREATE VIEW blocked AS
SELECT customer FROM event AS block WHERE kind = 'block' AND NOT EXISTS (
    SELECT 1 FROM event WHERE kind = 'unblock' AND customer = block.customer AND id > block.id);

-- ── Account ─────────────────────────────────────────────────────────────────────────────────────

-- AFIP's codes, and 900 for the receipts that this portal writes.
CREATE TABLE voucher_type (
    code INTEGER PRIMARY KEY CHECK (code BETWEEN 1 AND 999), name TEXT NOT NULL,
    letter TEXT NOT NULL DEFAULT '',        -- in the box on top of the voucher
    kind TEXT NOT NULL CHECK (kind IN ('invoice', 'debit note', 'credit note', 'receipt', 'other')),
    sign INTEGER NOT NULL CHECK (sign IN (1, -1)),      -- of the amount when the file gives all amounts as positive
    dineromail INTEGER NOT NULL DEFAULT 0 CHECK (dineromail IN (0, 1))      -- operator: "DM active", the manual's first rule
) STRICT;

-- The ledger: the only place that says what is owed. A balance is always the sum of these amounts.
CREATE TABLE movement (
    id INTEGER PRIMARY KEY AUTOINCREMENT, customer INTEGER NOT NULL REFERENCES customer,
    date TEXT NOT NULL CHECK (date IS date(date)), type INTEGER NOT NULL REFERENCES voucher_type,
    point_of_sale INTEGER NOT NULL CHECK (point_of_sale BETWEEN 0 AND 99999),
    number INTEGER NOT NULL CHECK (number BETWEEN 0 AND 99999999),
    detail TEXT NOT NULL DEFAULT '', amount INTEGER NOT NULL CHECK (abs(amount) < 1000000000000000),
    due_date TEXT CHECK (due_date IS date(due_date)),
    cae TEXT CHECK (length(cae) = 14),      -- AFIP's authorization; NULL = not an electronic voucher
    cae_due_date TEXT CHECK (cae_due_date IS date(cae_due_date)),
    document TEXT,                          -- file in CAC_DOCUMENTS; NULL = no PDF is stored
    origin TEXT NOT NULL DEFAULT 'imported' CHECK (origin IN ('imported', 'portal')),
    UNIQUE (customer, type, point_of_sale, number),
    CONSTRAINT only_a_cae_falls_due CHECK (cae IS NOT NULL OR cae_due_date IS NULL)
) STRICT;
CREATE INDEX movement_ledger ON movement (customer, date, id, amount);  -- every balance and every page of a statement

-- The last invoice of each customer: its type decides about DineroMail. Ties on a day: the one that came last.
CREATE VIEW last_invoice AS
SELECT customer.number AS customer, movement.id, voucher_type.code AS type, voucher_type.name AS type_name, voucher_type.dineromail
FROM customer
JOIN movement ON movement.id = (
    SELECT candidate.id FROM movement AS candidate JOIN voucher_type ON voucher_type.code = candidate.type
    WHERE candidate.customer = customer.number AND voucher_type.kind = 'invoice'
    ORDER BY candidate.date DESC, candidate.id DESC LIMIT 1)
JOIN voucher_type ON voucher_type.code = movement.type;

-- ── Payments ────────────────────────────────────────────────────────────────────────────────────

-- The accounts for deposits and transfers: what the manual calls DBU.
CREATE TABLE bank_account (
    id INTEGER PRIMARY KEY, bank TEXT NOT NULL, account TEXT NOT NULL, holder TEXT NOT NULL,
    cuit TEXT NOT NULL CHECK (length(cuit) = 11), cbu TEXT NOT NULL CHECK (length(cbu) = 22), alias TEXT     -- NULL = none
) STRICT;

-- One try to pay on line. It is committed before the customer is sent away, and is credited at most once.
CREATE TABLE payment (
    id INTEGER PRIMARY KEY, reference TEXT NOT NULL UNIQUE COLLATE NOCASE,      -- ours, given to the service
    customer INTEGER NOT NULL REFERENCES customer,
    service TEXT NOT NULL CHECK (service IN ('dineromail', 'mercadopago')),
    purpose TEXT NOT NULL CHECK (purpose IN ('balance', 'advance')), amount INTEGER NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'pending', 'credited', 'rejected', 'expired', 'review')),
    created_at TEXT NOT NULL,
    queried_at TEXT, query_at TEXT,     -- when the service was last asked, NULL = never; when to ask again, NULL = no more
    checkout_url TEXT,                  -- Mercado Pago's, to which a link leads; NULL = none: DineroMail's is reached by a form
    hidden_at TEXT,                     -- when the customer said that it was not made; what the service tells of it counts all the same
    service_payment TEXT,               -- the service's own number of the payment that was credited
    movement INTEGER UNIQUE REFERENCES movement,    -- the receipt
    UNIQUE (service, service_payment),
    CONSTRAINT reference_fits_dineromail CHECK (length(reference) BETWEEN 1 AND 20 AND reference NOT GLOB '*[^A-Za-z0-9]*'),
    CONSTRAINT credited_means_a_receipt CHECK ((state = 'credited') = (movement IS NOT NULL)),
    CONSTRAINT receipt_means_a_service_payment CHECK ((movement IS NULL) = (service_payment IS NULL))
) STRICT;
CREATE INDEX payment_customer ON payment (customer, id);    -- the payment page: what is under way
CREATE INDEX payment_query ON payment (query_at) WHERE query_at IS NOT NULL;  -- the sweep
CREATE UNIQUE INDEX payment_double_click ON payment (customer, service, purpose, amount) WHERE state = 'new';  -- Pagar, clicked twice

-- For payment pages: whether a person still has to look at a payment.
CREATE VIEW payment_shown AS
SELECT payment.*, EXISTS (SELECT 1 FROM review WHERE closed_at IS NULL AND (review.service, review.reference) = (payment.service, payment.reference)) AS is_in_review
FROM payment;

-- What the payment services told us; nothing is believed, each notice only says what to ask them about.
CREATE TABLE notice (
    id INTEGER PRIMARY KEY, service TEXT NOT NULL CHECK (service IN ('dineromail', 'mercadopago')),
    received_at TEXT NOT NULL, address TEXT NOT NULL,
    query TEXT NOT NULL DEFAULT '', body BLOB NOT NULL,     -- as they came: the beginning
    subjects TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(subjects)),   -- what to ask about: our references, or Mercado Pago's payment
    query_at TEXT,      -- when to ask the service about it; NULL = done, or refused
    outcome TEXT        -- 'settled', or why it was refused or waits
) STRICT;
CREATE INDEX notice_query ON notice (query_at) WHERE query_at IS NOT NULL;    -- the job that settles them

-- What a person has to look at: nothing here was credited.
CREATE TABLE review (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, service TEXT NOT NULL, reference TEXT NOT NULL,
    service_payment TEXT NOT NULL, reason TEXT NOT NULL,    -- '' when the service gave no number
    closed_at TEXT,     -- when a person had done what was to do; NULL = waits for that
    UNIQUE (service, reference, service_payment, reason)
) STRICT;
-- The account may have other business: of money for references that are not ours, a thousand lines wait at most.
CREATE TRIGGER review_is_no_flood BEFORE INSERT ON review
WHEN NEW.reason = 'unknown reference' AND (SELECT count(*) FROM review WHERE reason = 'unknown reference' AND closed_at IS NULL) >= 1000
BEGIN SELECT raise(IGNORE); END;

-- A transfer or deposit that a customer told us of. It moves no balance: what the accounting program imports does.
CREATE TABLE transfer (
    id INTEGER PRIMARY KEY, told_at TEXT NOT NULL, customer INTEGER NOT NULL REFERENCES customer,
    date TEXT NOT NULL CHECK (date IS date(date)), amount INTEGER NOT NULL CHECK (amount BETWEEN 1 AND 999999999999999),
    cbu TEXT NOT NULL,                      -- of the account that it went to: the accounts themselves may be replaced
    note TEXT NOT NULL DEFAULT '', document TEXT,   -- file in CAC_DOCUMENTS, only for the operator; NULL = none was sent
    state TEXT NOT NULL DEFAULT 'told' CHECK (state IN ('told', 'accepted', 'rejected')), closed_at TEXT,
    reason TEXT NOT NULL DEFAULT '',        -- of the operator, for the customer
    movement INTEGER UNIQUE REFERENCES movement,    -- the imported receipt that closed it; NULL = none, or a person did
    CONSTRAINT told_means_open CHECK ((state = 'told') = (closed_at IS NULL))
) STRICT;
CREATE INDEX transfer_customer ON transfer (customer, amount);   -- home and the payment page; imports
CREATE UNIQUE INDEX transfer_double_click ON transfer (customer, date, amount, cbu, note, ifnull(document, '')) WHERE state = 'told';  -- Informar, clicked twice

-- A receipt that is imported closes the oldest transfer of that amount, if there are at most ten days between them.
CREATE TRIGGER receipt_closes_transfer AFTER INSERT ON movement
WHEN NEW.origin = 'imported' AND NEW.type IN (SELECT code FROM voucher_type WHERE kind IN ('receipt', 'other'))
BEGIN
    UPDATE transfer SET state = 'accepted', closed_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), movement = NEW.id
    WHERE id = (SELECT id FROM transfer
                WHERE state = 'told' AND customer = NEW.customer AND amount = -NEW.amount AND abs(julianday(date) - julianday(NEW.date)) <= 10
                ORDER BY date, id LIMIT 1);
END;
CREATE TRIGGER transfer_waits_again BEFORE DELETE ON movement BEGIN     -- its import is undone
    UPDATE transfer SET state = 'told', closed_at = NULL, movement = NULL WHERE movement = OLD.id;
END;
CREATE TRIGGER transfer_is_answered AFTER UPDATE OF state ON transfer WHEN NEW.state <> 'told' BEGIN
    INSERT INTO outbox (template, recipient, customer, data, created_at, due_at)
    SELECT 'transfer_' || NEW.state, address, customer, json_object('amount', NEW.amount, 'date', NEW.date, 'reason', NEW.reason), NEW.closed_at, NEW.closed_at
    FROM email WHERE customer = NEW.customer AND confirmed_at IS NOT NULL;
END;

-- For the customer's pages: what waits, and for ten days what a person answered.
CREATE VIEW transfer_shown AS
SELECT * FROM transfer WHERE state = 'told' OR (movement IS NULL AND closed_at > strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-10 days'));

-- For the operator: `list payments`, the last 50, `list transfers`, those that wait first, and `list review`.
CREATE VIEW list_payments AS
SELECT created_at AS begun, reference, customer, service, purpose, replace(printf('%,d', amount / 100), ',', '.') || printf(',%02d', amount % 100) AS amount,
       state, service_payment, queried_at AS asked
FROM payment ORDER BY id DESC LIMIT 50;
CREATE VIEW list_transfers AS
SELECT transfer.id, told_at, customer, name, date, replace(printf('%,d', amount / 100), ',', '.') || printf(',%02d', amount % 100) AS amount,
       coalesce((SELECT bank FROM bank_account WHERE bank_account.cbu = transfer.cbu), cbu) AS account, note, document, state, reason
FROM transfer JOIN customer ON customer.number = transfer.customer ORDER BY state <> 'told', transfer.id DESC LIMIT 100;
CREATE VIEW list_review AS
SELECT review.id, review.at, review.service, review.reference, payment.customer,
       iif(payment.amount > 0, replace(printf('%,d', payment.amount / 100), ',', '.') || printf(',%02d', payment.amount % 100), NULL) AS amount,
       payment.state, review.service_payment, review.reason
FROM review LEFT JOIN payment ON payment.service = review.service AND payment.reference = review.reference
WHERE closed_at IS NULL ORDER BY review.at, review.id;

-- ── Mail ────────────────────────────────────────────────────────────────────────────────────────

-- Mail waits here, committed with what it speaks of, and is written when it is sent: links with their secrets are never stored.
-- A row waits (due_at), or was sent, or skipped, or else was given up.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY, template TEXT NOT NULL, recipient TEXT NOT NULL,
    customer INTEGER REFERENCES customer,   -- the brand is this one's; NULL = nobody's
    data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data)),   -- what the template needs
    created_at TEXT NOT NULL, due_at TEXT, tries INTEGER NOT NULL DEFAULT 0, sent_at TEXT,
    skipped TEXT, error TEXT,               -- why it was not needed any more; why the last try failed
    bad_address INTEGER NOT NULL DEFAULT 0 CHECK (bad_address IN (0, 1)),   -- 1 = that was about the recipient: nobody is there, or it is full
    CONSTRAINT one_state CHECK ((due_at IS NOT NULL) + (sent_at IS NOT NULL) + (skipped IS NOT NULL) <= 1)
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at) WHERE due_at IS NOT NULL;    -- the job that sends it

-- What customers were told of by mail, each thing once. It is named as on paper: an import may take a movement away and bring it back.
CREATE TABLE reminder (
    customer INTEGER NOT NULL REFERENCES customer, type INTEGER NOT NULL, point_of_sale INTEGER NOT NULL, number INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('new', 'due', 'overdue', 'overdue-15', 'overdue-30')), at TEXT NOT NULL,
    PRIMARY KEY (customer, type, point_of_sale, number, kind)
) STRICT, WITHOUT ROWID;

-- What a customer is to be told of, from which day until which: a week for what is new, or is overdue for the 1st, 15th or 30th day.
CREATE VIEW due_reminder AS
WITH reminder_kind (kind, first_day, last_day) AS (VALUES ('new', 0, 7), ('due', -3, 0), ('overdue', 1, 7), ('overdue-15', 15, 21), ('overdue-30', 30, 36))
SELECT reminder_kind.kind, movement.customer, movement.id AS movement,
       date(iif(reminder_kind.kind = 'new', date, due_date), first_day || ' days') AS since,
       date(iif(reminder_kind.kind = 'new', date, due_date), last_day || ' days') AS until
FROM movement JOIN voucher_type ON voucher_type.code = type JOIN reminder_kind
    ON iif(reminder_kind.kind = 'new', origin = 'imported' AND voucher_type.kind IN ('invoice', 'debit note', 'credit note'), amount > 0 AND due_date IS NOT NULL)
WHERE customer IN (SELECT number FROM customer WHERE active = 1 AND wants_reminders = 1)
AND customer IN (SELECT customer FROM email WHERE confirmed_at IS NOT NULL)
AND NOT EXISTS (SELECT 1 FROM reminder WHERE reminder.kind = reminder_kind.kind AND reminder.customer = movement.customer
                AND (reminder.type, reminder.point_of_sale, reminder.number) = (movement.type, movement.point_of_sale, movement.number));

-- For `list mail`, which shows no links and no texts: what was not sent, and the last that were.
CREATE VIEW list_mail AS
SELECT id, CASE WHEN sent_at IS NOT NULL THEN 'sent' WHEN skipped IS NOT NULL THEN 'skipped'
                WHEN due_at IS NOT NULL THEN 'waiting' ELSE 'given up' END AS state,
       template AS mail, recipient, customer, created_at AS since, due_at AS next_try, tries, sent_at, coalesce(skipped, error) AS why
FROM outbox WHERE sent_at IS NULL OR id IN (SELECT id FROM outbox WHERE sent_at IS NOT NULL ORDER BY sent_at DESC LIMIT 10)
ORDER BY id;

-- ── News, services ──────────────────────────────────────────────────────────────────────────────

-- What the company tells all its customers.
CREATE TABLE news (
    id INTEGER PRIMARY KEY AUTOINCREMENT, date TEXT NOT NULL CHECK (date IS date(date)), title TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX news_date ON news (date);                      -- the newest first

CREATE TABLE service (  -- what a customer has contracted
    id INTEGER PRIMARY KEY AUTOINCREMENT, customer INTEGER NOT NULL REFERENCES customer,
    name TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '', since TEXT CHECK (since IS date(since)), amount INTEGER     -- a month; NULL = not told
) STRICT;
CREATE INDEX service_customer ON service (customer);        -- Servicios

-- ── Imports ─────────────────────────────────────────────────────────────────────────────────────

-- What the operator fed in: to list it, to compare the next one with it, and to take it back.
CREATE TABLE import (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL DEFAULT '',     -- the system's user who typed the command
    kind TEXT NOT NULL CHECK (kind IN ('customers', 'movements', 'invoices', 'news', 'services')), file TEXT NOT NULL,
    digest TEXT NOT NULL,               -- SHA-256 of content and options: the same file again is no news
    rows INTEGER NOT NULL DEFAULT 0, added INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0, gone INTEGER NOT NULL DEFAULT 0,
    balance_before INTEGER NOT NULL,    -- of all customers together
    balance_after INTEGER,              -- NULL = it is running, in a transaction that nobody else sees
    undone_at TEXT                      -- NULL = in force
) STRICT;
CREATE INDEX import_running ON import (id) WHERE balance_after IS NULL;     -- the triggers below

-- What each import changed, row by row: what is needed to undo it. The rows of an import that was undone are forgotten.
CREATE TABLE import_change (
    import INTEGER NOT NULL REFERENCES import, table_name TEXT NOT NULL,
    key TEXT NOT NULL, row INTEGER NOT NULL,    -- which row it is to people, the customer first; its rowid
    before TEXT,        -- the row as JSON; NULL = it was not there
    deed TEXT NOT NULL CHECK (deed IN ('added', 'changed', 'gone')),    -- to the customer, where it is an e-mail or a phone
    PRIMARY KEY (import, table_name, key)
) STRICT, WITHOUT ROWID;

-- What a row is while an import runs, so that the triggers below can write it down before it changes. Of a customer neither
-- the password nor anything else that only the portal knows.
CREATE VIEW customer_before AS SELECT import.id AS import, 'customer' AS table_name, number AS key, number AS row,
    json_object('number', number, 'name', name, 'cuit', cuit, 'tax_condition', tax_condition, 'address', address, 'city', city,
    'province', province, 'postal_code', postal_code, 'brand', brand, 'active', active) AS before FROM import, customer WHERE balance_after IS NULL;
CREATE VIEW email_before AS SELECT import.id AS import, 'email' AS table_name, customer || ' ' || canonical AS key, email.id AS row,
    json_object('id', email.id, 'customer', customer, 'address', address, 'canonical', canonical, 'confirmed_at', confirmed_at, 'replaced_at', replaced_at) AS before
    FROM import, email WHERE balance_after IS NULL;
CREATE VIEW phone_before AS SELECT import.id AS import, 'phone' AS table_name, customer || ' ' || number AS key, phone.id AS row,
    json_object('id', phone.id, 'customer', customer, 'number', number) AS before FROM import, phone WHERE balance_after IS NULL;
CREATE VIEW movement_before AS SELECT import.id AS import, 'movement' AS table_name,
    customer || ' ' || type || ' ' || point_of_sale || '-' || number AS key, movement.id AS row,
    json_object('id', movement.id, 'customer', customer, 'date', date, 'type', type, 'point_of_sale', point_of_sale, 'number', number,
    'detail', detail, 'amount', amount, 'due_date', due_date, 'cae', cae, 'cae_due_date', cae_due_date, 'document', document,
    'origin', origin) AS before FROM import, movement WHERE balance_after IS NULL;
CREATE VIEW news_before AS SELECT import.id AS import, 'news' AS table_name, date || ' ' || title AS key, news.id AS row,
    json_object('id', news.id, 'date', date, 'title', title, 'body', body) AS before FROM import, news WHERE balance_after IS NULL;
CREATE VIEW service_before AS SELECT import.id AS import, 'service' AS table_name, customer || ' ' || name AS key, service.id AS row,
    json_object('id', service.id, 'customer', customer, 'name', name, 'detail', detail, 'since', since, 'amount', amount) AS before
    FROM import, service WHERE balance_after IS NULL;
CREATE TRIGGER customer_added AFTER INSERT ON customer BEGIN INSERT OR IGNORE INTO import_change SELECT import, table_name, key, row, NULL, 'added' FROM customer_before WHERE row = NEW.number; END;
CREATE TRIGGER customer_changed BEFORE UPDATE ON customer BEGIN INSERT OR IGNORE INTO import_change SELECT *, 'changed' FROM customer_before WHERE row = OLD.number; END;
CREATE TRIGGER email_added AFTER INSERT ON email BEGIN INSERT OR IGNORE INTO import_change SELECT import, table_name, key, row, NULL, 'changed' FROM email_before WHERE row = NEW.id; END;
CREATE TRIGGER email_changed BEFORE UPDATE ON email BEGIN INSERT OR IGNORE INTO import_change SELECT *, 'changed' FROM email_before WHERE row = OLD.id; END;
CREATE TRIGGER email_gone BEFORE DELETE ON email BEGIN INSERT OR IGNORE INTO import_change SELECT *, 'changed' FROM email_before WHERE row = OLD.id; END;
CREATE TRIGGER phone_added AFTER INSERT ON phone BEGIN INSERT OR IGNORE INTO import_change SELECT import, table_name, key, row, NULL, 'changed' FROM phone_before WHERE row = NEW.id; END;
CREATE TRIGGER phone_gone BEFORE DELETE ON phone BEGIN INSERT OR IGNORE INTO import_change SELECT *, 'changed' FROM phone_before WHERE row = OLD.id; END;
CREATE TRIGGER movement_added AFTER INSERT ON movement BEGIN INSERT OR IGNORE INTO import_change SELECT import, table_name, key, row, NULL, 'added' FROM movement_before WHERE row = NEW.id; END;
CREATE TRIGGER movement_changed BEFORE UPDATE ON movement BEGIN INSERT OR IGNORE INTO import_change SELECT *, 'changed' FROM movement_before WHERE row = OLD.id; END;
CREATE TRIGGER movement_gone BEFORE DELETE ON movement BEGIN INSERT OR IGNORE INTO import_change SELECT *, 'gone' FROM movement_before WHERE row = OLD.id; END;
CREATE TRIGGER news_added AFTER INSERT ON news BEGIN INSERT OR IGNORE INTO import_change SELECT import, table_name, key, row, NULL, 'added' FROM news_before WHERE row = NEW.id; END;
CREATE TRIGGER news_changed BEFORE UPDATE ON news BEGIN INSERT OR IGNORE INTO import_change SELECT *, 'changed' FROM news_before WHERE row = OLD.id; END;
CREATE TRIGGER news_gone BEFORE DELETE ON news BEGIN INSERT OR IGNORE INTO import_change SELECT *, 'gone' FROM news_before WHERE row = OLD.id; END;
CREATE TRIGGER service_added AFTER INSERT ON service BEGIN INSERT OR IGNORE INTO import_change SELECT import, table_name, key, row, NULL, 'added' FROM service_before WHERE row = NEW.id; END;
CREATE TRIGGER service_changed BEFORE UPDATE ON service BEGIN INSERT OR IGNORE INTO import_change SELECT *, 'changed' FROM service_before WHERE row = OLD.id; END;
CREATE TRIGGER service_gone BEFORE DELETE ON service BEGIN INSERT OR IGNORE INTO import_change SELECT *, 'gone' FROM service_before WHERE row = OLD.id; END;

-- How much each import changed. An e-mail or a phone is a change of its customer, who counts once.
CREATE VIEW import_tally AS
SELECT import.id AS import, coalesce(sum(deed = 'added'), 0) AS added, coalesce(sum(deed = 'changed'), 0) AS changed, coalesce(sum(deed = 'gone'), 0) AS gone
FROM import LEFT JOIN (SELECT import, min(deed) AS deed FROM import_change
    GROUP BY import, iif(table_name IN ('customer', 'email', 'phone'), CAST(key AS INTEGER), key)) AS change ON change.import = import.id
GROUP BY import.id;

-- Why an import of customers cannot be taken back: they have used their accounts since.
CREATE VIEW import_in_use AS
WITH touched AS (SELECT import, at, CAST(key AS INTEGER) AS customer, table_name = 'customer' AND before IS NULL AS is_new
    FROM import_change JOIN import ON import.id = import WHERE table_name IN ('customer', 'email', 'phone'))
SELECT import, customer, 'has changed data on the site since then' AS why FROM touched
WHERE EXISTS (SELECT 1 FROM event WHERE customer = touched.customer AND kind IN ('data', 'email-confirmed') AND at >= touched.at)
UNION ALL
SELECT import, customer, 'came with this import, and is in use: has signed in, or has movements or services' FROM touched
WHERE is_new AND (EXISTS (SELECT 1 FROM event WHERE customer = touched.customer)
    OR EXISTS (SELECT 1 FROM movement WHERE customer = touched.customer) OR EXISTS (SELECT 1 FROM service WHERE customer = touched.customer));

-- ── Settings ────────────────────────────────────────────────────────────────────────────────────────

-- The settings of the business, changed with the command `set`.
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('text', 'money', 'count', 'length', 'hour', 'cuit', 'email', 'mark')),
    value TEXT NOT NULL, about TEXT NOT NULL,   -- kind money: centavos
    CONSTRAINT numbers_are_numbers CHECK (kind NOT IN ('money', 'count', 'length') OR value NOT GLOB '*[^0-9]*')
) STRICT, WITHOUT ROWID;

-- ── For the operator ────────────────────────────────────────────────────────────────────────────

-- `list settings`. Money is shown as it is typed.
CREATE VIEW list_settings AS
SELECT name, iif(kind = 'money', replace(printf('%,d', value / 100), ',', '.') || printf(',%02d', value % 100), value) AS value, about
FROM setting WHERE kind <> 'mark' ORDER BY name;

-- `list customers`
CREATE VIEW list_customers AS
SELECT customer.number, name, brand, cuit, iif(total < 0, '−', '') || replace(printf('%,d', abs(total) / 100), ',', '.') || printf(',%02d', abs(total) % 100) AS balance,
       (SELECT group_concat(address || CASE WHEN confirmed_at IS NULL THEN ' (not confirmed)' WHEN replaced_at IS NOT NULL THEN ' (being replaced)' ELSE '' END, ', ') FROM email WHERE email.customer = customer.number) AS emails,
       (SELECT max(at) FROM event WHERE event.customer = customer.number AND kind = 'sign-in') AS last_sign_in,
       CASE WHEN active = 0 THEN 'blocked' WHEN password IS NULL THEN 'no password' END AS state
FROM customer LEFT JOIN (SELECT customer, sum(amount) AS total FROM movement GROUP BY customer) AS ledger ON ledger.customer = customer.number
ORDER BY customer.number;

-- `list imports`: the last 50 that changed something
CREATE VIEW list_imports AS
SELECT id, at, who, kind, file, rows, added AS new, changed, gone,
       iif(balance_before < 0, '−', '') || replace(printf('%,d', abs(balance_before) / 100), ',', '.') || printf(',%02d', abs(balance_before) % 100) AS balance_before,
       iif(balance_after < 0, '−', '') || replace(printf('%,d', abs(balance_after) / 100), ',', '.') || printf(',%02d', abs(balance_after) % 100) AS balance_after,
       coalesce('undone ' || undone_at, '') AS undone
FROM import WHERE added + changed + gone > 0 ORDER BY id DESC LIMIT 50;

-- What has to be set up before the portal serves customers.
CREATE VIEW missing_setting AS
SELECT name FROM setting WHERE value = '' AND name IN ('company_name', 'company_legal_name', 'company_cuit')
UNION ALL SELECT 'company_phone or admin_email' WHERE NOT EXISTS (SELECT 1 FROM setting WHERE value <> '' AND name IN ('company_phone', 'admin_email'))
UNION ALL SELECT 'brand' WHERE NOT EXISTS (SELECT 1 FROM brand);

-- `check`: what may be wrong. A finding has its level if n, how often it is so, is not 0, else it is ok.
-- No copy is kept of a database whose ledger is BAD.
CREATE VIEW check_line (part, level, what) AS
WITH finding (part, level, n, wrong, fine) AS (
    SELECT 'ledger', 'BAD', count(*), 'rows that refer to nothing: %d', 'no row refers to nothing'
    FROM pragma_foreign_key_check
    UNION ALL SELECT 'ledger', 'BAD', count(*), 'receipts that differ from their payment: %d', 'no receipt differs from its payment'
    FROM payment JOIN movement ON movement.id = payment.movement
    WHERE movement.amount <> -payment.amount OR movement.customer <> payment.customer
    UNION ALL SELECT 'ledger', 'BAD', count(*), 'receipts of the portal without a payment: %d', 'no receipt of the portal is without a payment'
    FROM movement WHERE origin = 'portal' AND id NOT IN (SELECT movement FROM payment WHERE movement IS NOT NULL)
    UNION ALL SELECT 'ledger', 'WARN', count(*), 'invoices in the accounts of two customers: %d', 'no invoice is in two accounts' FROM (
        SELECT 1 FROM movement WHERE type IN (SELECT code FROM voucher_type WHERE kind = 'invoice')
        GROUP BY type, point_of_sale, number HAVING count(DISTINCT customer) > 1)
    UNION ALL SELECT 'payments', 'WARN', count(*), 'payments that wait for a person: %d, see `list review`', 'no payment waits for a person'
    FROM review WHERE closed_at IS NULL
    UNION ALL SELECT 'payments', 'WARN', count(*), 'notices not settled for an hour: %d', 'notices are settled within the hour'
    FROM notice WHERE query_at IS NOT NULL AND received_at < strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 hour')
    UNION ALL SELECT 'payments', 'WARN', count(*), 'transfers that wait for a person for two days: %d, see `list transfers`', 'no transfer waits for two days'
    FROM transfer WHERE state = 'told' AND told_at < strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-2 days')
    UNION ALL SELECT 'payments', 'WARN', value > strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day'),
           'a payment service refused what we asked, at ' || replace(value, '%', '%%'), 'no payment service refused anything for a day'
    FROM setting WHERE name = 'service_refusal'
    UNION ALL SELECT 'mail', 'WARN', count(*), 'mails not sent for an hour: %d, see `list mail`', 'mail is sent within the hour'
    FROM outbox WHERE due_at IS NOT NULL AND created_at < strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 hour')
    UNION ALL SELECT 'mail', 'BAD', count(*), 'mails given up, not for their address: %d, see `list mail`', 'no mail was given up but for its address'
    FROM outbox WHERE due_at IS NULL AND sent_at IS NULL AND skipped IS NULL AND bad_address = 0
    UNION ALL SELECT 'mail', 'WARN', count(*), 'active customers all of whose addresses refuse mail: %d', 'no active customer''s addresses all refuse mail'
    FROM customer WHERE active = 1 AND number IN (SELECT customer FROM email)
    AND NOT EXISTS (SELECT 1 FROM email WHERE email.customer = customer.number AND address NOT IN (     -- but those whose last mail found nobody
        SELECT recipient FROM (SELECT recipient, bad_address, max(id) FROM outbox WHERE due_at IS NULL AND skipped IS NULL GROUP BY recipient)
        WHERE bad_address = 1))
    UNION ALL SELECT 'service', 'WARN', value BETWEEN '1' AND strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 hour'),
           'the service does not run: it was last at work at ' || value, iif(value > '', 'the service was at work at ' || value, 'the service never ran')
    FROM setting WHERE name = 'jobs_at'
    UNION ALL SELECT 'service', 'WARN', count(*), 'the clock is behind what was last recorded', 'the clock is not behind what was last recorded'
    FROM event WHERE id = (SELECT max(id) FROM event) AND at > strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+1 minute')
    UNION ALL SELECT 'service', 'WARN', coalesce(max(at) < strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-7 days'), 0),
           'no import for a week, the last at ' || max(at), coalesce('the last import was at ' || max(at), 'no import yet')
    FROM import
    UNION ALL SELECT 'service', 'WARN', coalesce(max(value), '') < strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-2 days'),
           coalesce('no backup for two days, the last at ' || max(value), 'no backup was made yet'), 'the last backup was at ' || max(value)
    FROM setting WHERE name = 'last_backup'
    UNION ALL SELECT 'setup', 'BAD', count(*), 'not set up, run `setup`: ' || group_concat(name, ', '), 'the company is set up' FROM missing_setting
    UNION ALL SELECT 'setup', 'WARN', NOT count(*), 'no bank account: nobody can deposit', printf('%d bank account%s', count(*), iif(count(*) = 1, '', 's'))
    FROM bank_account
    UNION ALL SELECT 'setup', 'WARN', NOT count(*), 'no voucher type has DineroMail on: no button shows', 'DineroMail is on for ' || group_concat(name, ', ')
    FROM voucher_type WHERE dineromail = 1
    UNION ALL SELECT 'setup', 'WARN', value = '0', 'dm_limit is 0,00: no balance can be paid on line', 'the DineroMail limit is set' FROM setting WHERE name = 'dm_limit'
    UNION ALL SELECT 'setup', 'WARN', count(*), 'customers with the demo''s password: %d', 'no customer has the demo''s password'
    FROM customer WHERE password LIKE '%$ewAPS6T986Xeh8otXqA2Sg$%'   -- the salt of its hash
    UNION ALL SELECT 'setup', 'WARN', 0, '', count(DISTINCT email.customer) || ' of ' || count(DISTINCT number) || ' active customers have a confirmed e-mail'
    FROM customer LEFT JOIN email ON customer = number AND confirmed_at IS NOT NULL WHERE active = 1)
SELECT part, iif(n, level, 'ok'), printf(iif(n, wrong, fine), n) FROM finding;

-- ── What every installation starts with ─────────────────────────────────────────────────────────

-- AFIP's table of vouchers; 900 is what this portal writes, 902 any receipt without a letter, 999 what is none of these.
INSERT INTO voucher_type (code, name, letter, kind, sign)
SELECT CAST(value AS INTEGER), substr(trim(value), 5), iif(value GLOB '* [ABCEMRTX]', substr(value, -1), ''), kind,
       iif(kind IN ('credit note', 'receipt'), -1, 1)
FROM (SELECT 'invoice' AS kind, '001 Factura A|006 Factura B|011 Factura C|019 Factura E|051 Factura M|195 Factura T|081 Tique factura A|
    082 Tique factura B|111 Tique factura C|118 Tique factura M|083 Tique|005 Nota de venta al contado A|010 Nota de venta al contado B|
    016 Nota de venta al contado C|055 Nota de venta al contado M|017 Liquidación de servicios públicos A|018 Liquidación de servicios públicos B|
    022 Factura de exportación simplificada|201 Factura de crédito electrónica MiPyMEs (FCE) A|206 Factura de crédito electrónica MiPyMEs (FCE) B|
    211 Factura de crédito electrónica MiPyMEs (FCE) C' AS names
UNION ALL SELECT 'debit note', '002 Nota de débito A|007 Nota de débito B|012 Nota de débito C|020 Nota de débito E|052 Nota de débito M|
    196 Nota de débito T|115 Tique nota de débito A|116 Tique nota de débito B|117 Tique nota de débito C|120 Tique nota de débito M|
    037 Nota de débito, RG 1415|045 Nota de débito, liquidación única A|046 Nota de débito, liquidación única B|
    047 Nota de débito, liquidación única C|202 Nota de débito electrónica MiPyMEs (FCE) A|207 Nota de débito electrónica MiPyMEs (FCE) B|
    212 Nota de débito electrónica MiPyMEs (FCE) C'
UNION ALL SELECT 'credit note', '003 Nota de crédito A|008 Nota de crédito B|013 Nota de crédito C|021 Nota de crédito E|053 Nota de crédito M|
    197 Nota de crédito T|110 Tique nota de crédito|112 Tique nota de crédito A|113 Tique nota de crédito B|114 Tique nota de crédito C|
    119 Tique nota de crédito M|038 Nota de crédito, RG 1415|090 Nota de crédito, exceptuada|048 Nota de crédito, liquidación única A|
    043 Nota de crédito, liquidación única B|044 Nota de crédito, liquidación única C|203 Nota de crédito electrónica MiPyMEs (FCE) A|
    208 Nota de crédito electrónica MiPyMEs (FCE) B|213 Nota de crédito electrónica MiPyMEs (FCE) C'
UNION ALL SELECT 'receipt', '004 Recibo A|009 Recibo B|015 Recibo C|054 Recibo M|050 Recibo, factura de crédito A|070 Recibo, factura de crédito|
    900 Recibo de pago en línea|902 Recibo X'
UNION ALL SELECT 'other', '023 Compra primaria, pesca A|024 Consignación primaria, pesca A|025 Compra primaria, pesca B|
    026 Consignación primaria, pesca B|027 Liquidación única A|028 Liquidación única B|029 Liquidación única C|030 Compra de bienes usados|
    031 Mandato o consignación|032 Materiales para reciclar|033 Liquidación primaria de granos|034 Comprobante, RG 1415 A|035 Comprobante, RG 1415 B|
    036 Comprobante, RG 1415 C|039 Otro comprobante A|040 Otro comprobante B|041 Otro comprobante C|049 Compra de bienes no registrables|
    056 Comprobante, RG 1415 M|057 Otro comprobante M|058 Cuenta de venta y líquido producto M|059 Liquidación M|
    060 Cuenta de venta y líquido producto A|061 Cuenta de venta y líquido producto B|063 Liquidación A|064 Liquidación B|066 Despacho de importación|
    068 Liquidación C|080 Cierre diario Z|088 Remito electrónico|089 Resumen de datos|091 Remito R|099 Otro comprobante|
    331 Liquidación secundaria de granos|332 Certificación electrónica de granos|995 Remito electrónico cárnico|999 Otro movimiento'), json_each('["' || replace(replace(names, char(10), ''), '|', '", "') || '"]');
UPDATE voucher_type SET letter = 'X' WHERE code = 900;

INSERT INTO setting (name, kind, value, about) VALUES
    ('dm_limit',         'money', '0',      'the DineroMail limit: on-line payment of the balance below it, in advance above it'),
    ('statement_window', 'count', '120',    'how many last movements the statement shows'),
    ('page_size',        'count', '20',     'movements on a page of the statement'),
    ('notify_hour',      'hour',  'off',    'from this hour on, in Argentina, the service reminds customers once a day'),
    ('jobs_at',          'mark',  '',       'when the background thread was last at work'),
    ('service_refusal',  'mark',  '',       'when a payment service refused last what we asked, and its words'),
    ('notified_on',      'mark',  '',       'the day on which it did so last'),
    ('password_min',     'length', '8',     'characters that a new password needs, never below 8'),
    ('company_name',     'text',  '', 'the company, in titles, mails and PDFs'),
    ('company_legal_name', 'text', '', 'the company as printed on vouchers'),
    ('company_address',  'text',  '', 'its address, on vouchers and the contact page'),
    ('company_cuit',     'cuit',  '', 'its CUIT: on vouchers and in their QR'),
    ('company_tax_condition', 'text', 'IVA Responsable Inscripto', 'its condition, as printed on vouchers'),
    ('company_gross_income', 'text', '', 'its number for Ingresos Brutos'),
    ('company_since',    'text',  '', 'when it began its activities, as printed on vouchers'),
    ('company_phone',    'text',  '', 'its telephone'),
    ('company_whatsapp', 'text',  '', 'its WhatsApp, with country and area, as 54 9 11 4460 1500'),
    ('company_hours',    'text',  'de lunes a viernes de 9 a 18', 'when it answers'),
    ('admin_contact',    'text',  '', 'administrative questions: the extension'),
    ('admin_email',      'email', '', 'administrative questions: the e-mail'),
    ('support_contact',  'text',  '', 'technical support: the extension'),
    ('support_email',    'email', '', 'technical support: the e-mail'),
    ('dbu_label',        'text',  'Depósito bancario (DBU)', 'the heading over the bank accounts'),
    ('dbu_note',         'text',  'El depósito se acredita dentro de las 48 horas hábiles.', 'the sentence under the bank accounts');
