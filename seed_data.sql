-- The cast: the data of CAC's demo and of its tests. Each customer is one case of the rules and says so at the end of its row.
--
-- Loaded after schema.sql:   sqlite3 -bail cac.db < schema.sql
--                            sqlite3 -bail cac.db < seed_data.sql
--
-- Everybody's password is demo-2010. The demo's DineroMail limit is $ 5.000,00.
-- Nothing here depends on today's date, nothing is deleted, and nobody exists: CUITs are made up (with right check digits).
--
-- NEVER load it into a database that serves real customers: the password above is published.

PRAGMA foreign_keys = ON;
BEGIN;
CREATE TEMP TABLE customers_there (n INTEGER CONSTRAINT it_is_for_an_empty_database CHECK (n = 0));
INSERT INTO customers_there SELECT count(*) FROM customer;

-- ── Settings ────────────────────────────────────────────────────────────────────────────────────

INSERT INTO setting (name, kind, value, about) VALUES ('demo', 'mark', '1', 'this database holds the demo''s cast: serve refuses it');
INSERT OR REPLACE INTO setting (name, kind, value, about)
WITH company (name, value) AS (VALUES
    ('dm_limit', '500000'), ('company_name', 'NetOne'), ('company_legal_name', 'NetOne S.R.L.'),
    ('company_address', 'Av. Maipú 1500, Vicente López, Buenos Aires'), ('company_cuit', '30712345671'),
    ('company_gross_income', '30-71234567-1'), ('company_since', '01/03/1996'), ('company_phone', '4460-1500'),
    ('admin_contact', 'int. 101'), ('admin_email', 'administracion@netone.com.ar'),
    ('support_contact', 'int. 110'), ('support_email', 'soporte@netone.com.ar'))
SELECT name, kind, company.value, about FROM company JOIN setting USING (name);

-- The manual's five brands.
INSERT INTO brand (position, code, name, website, colour) VALUES
    (1, 'netone',       'NetOne',                             'https://www.netone.com.ar/',       '#0b57a4'),
    (2, 'emarketing',   'eMarketing PRO',                     'https://www.emarketingpro.com.ar/', '#a8324a'),
    (3, 'netegia',      'Netegia',                            'https://www.netegia.com.ar/',      '#5b3f9e'),
    (4, 'tornadostore', 'TornadoStore',                       'https://www.tornadostore.com.ar/', '#b04a00'),
    (5, 'consultoria',  'NetOne Soluciones en Consultoría',   'https://consultoria.netone.com.ar/', '#1b6b57');
UPDATE voucher_type SET dineromail = 1 WHERE code IN (1, 6);  -- Factura A and B have DM active; Factura C (11) stays off

-- ── People ──────────────────────────────────────────────────────────────────────────────────────

-- "DineroMail" and "advance" are the buttons that the payment page has to show.
INSERT INTO customer (number, name, cuit, tax_condition, brand, address,
                      city, province, postal_code, contact, active) VALUES
    (1001, 'Ana Sosa',                         '27990010019', 'Consumidor Final',          'netone',       'Av. Mitre 1250, piso 2',
           'Avellaneda',              'Buenos Aires', '1870', 'Ana',    1),  -- owes 1.250,40; last invoice's type has DM: DineroMail yes, advance no
    (1002, 'Beto Ferreyra',                    '20990010022', 'Responsable Monotributo',   'netone',       'Rivadavia 385',
           'Córdoba',                 'Córdoba',      '5000', 'Beto',   1),  -- owes 0: DineroMail no, advance yes
    (1003, 'Caro Giménez',                     '27990010035', 'IVA Sujeto Exento',         'netone',       'San Lorenzo 1540',
           'Rosario',                 'Santa Fe',     '2000', 'Caro',   1),  -- 320,00 in favour: DineroMail no, advance yes
    (1004, 'Dante Ríos e Hijos S.R.L.',        '30990010044', 'IVA Responsable Inscripto', 'netone',       'Av. Corrientes 13247, of. 41',
           'Buenos Aires',            'CABA',         '1193', 'Dante',  1),  -- owes exactly 5.000,00, the limit: DineroMail no, advance no
    (1005, 'Elena Kovacs Diseño',              '27990010051', 'IVA Responsable Inscripto', 'netegia',      'San Martín 1020',
           'Mendoza',                 'Mendoza',      '5500', 'Elena',  1),  -- owes 5.000,01: DineroMail no, advance yes
    (1006, 'Fabián Quiroga',                   '20990010065', 'Consumidor Final',          'consultoria',  'Belgrano 77',
           'San Miguel de Tucumán',   'Tucumán',      '4000', 'Fabián', 1),  -- owes 900,00; last invoice's type has no DM, an earlier one had: DineroMail no, advance no
    (1007, 'Gloria Acuña',                     '27990010078', 'Responsable Monotributo',   'netone',       'Moreno 860',
           'San Carlos de Bariloche', 'Río Negro',    '8400', 'Gloria', 1),  -- no movements, no password yet: DineroMail no, advance yes
    (1008, 'Hugo Paz',                         '20990010081', 'Consumidor Final',          'netone',       '12 de Octubre 4550',
           'Mar del Plata',           'Buenos Aires', '7600', 'Hugo',   1),  -- 400 movements, the last one a receipt; owes 4.999,99: DineroMail yes, advance no
    (1009, 'Inés Benítez S.A.S.',              '30990010095', 'IVA Responsable Inscripto', 'emarketing',   'Félix de Azara 1718',
           'Posadas',                 'Misiones',     '3300', 'Inés',   1),  -- two e-mails, one also 1010's; owes 2.189,00: DineroMail yes, advance no
    (1010, 'Julián Ibarra y Asociados S.R.L.', '30990010109', 'IVA Responsable Inscripto', 'netone',       'Caseros 640',
           'Salta',                   'Salta',        '4400', 'Julián', 1),  -- the e-mail shared with 1009; owes 7.362,50: DineroMail no, advance yes
    (1011, 'Karina Weiss',                     '27990010116', 'Consumidor Final',          'netone',       'Quintana 255',
           'Santa Rosa',              'La Pampa',     '6300', 'Karina', 1),  -- no e-mail on file; owes 0: DineroMail no, advance yes
    (1012, 'Luis Ocampo',                      '20990010129', 'Consumidor Final',          'netone',       'Urquiza 1191',
           'Paraná',                  'Entre Ríos',   '3100', 'Luis',   0),  -- blocked; owes 450,00: does not get in
    (1013, 'Ñandú "D''Ángelo" <b>& Cía.',      '30990010133', 'IVA Responsable Inscripto', 'tornadostore', 'Calle "9 de Julio" <1234> & 5ª',
           'Neuquén',                 'Neuquén',      '8300', 'Úrsula', 1);  -- needs escaping; last invoice without PDF or CAE; owes 1.875,50: DineroMail yes, advance no

-- One hash for all (argon2id of demo-2010), but for Gloria: she has not chosen hers.
UPDATE customer SET password = '$argon2id$v=19$m=19456,t=2,p=1$ewAPS6T986Xeh8otXqA2Sg$CVZTbz9xd6b4mn17sFpeKclIrc2/fGiYMAj6Rw6FqZc'
WHERE number <> 1007;

-- Karina (1011) has none.
INSERT INTO email (customer, address, canonical, confirmed_at)
WITH typed (customer, address) AS (VALUES
    (1001, 'ana@example.com'),
    (1002, 'beto@example.com'),
    (1003, 'caro@example.com'),
    (1004, 'dante@example.com'),
    (1005, 'elena@example.com'),
    (1006, 'fabian@example.com'),
    (1007, 'gloria@example.com'),
    (1008, 'hugo@example.com'),
    (1009, 'ines@example.com'),
    (1009, 'estudio@example.com'),  -- the accountant of Inés …
    (1010, 'estudio@example.com'),  -- … and of Julián, who has no other
    (1012, 'luis@example.com'),
    (1013, 'nandu@example.com'))
SELECT customer, address, lower(address), '2026-01-05T12:00:00Z' FROM typed;

-- Gloria (1007) and Luis (1012) have none.
INSERT INTO phone (customer, number) VALUES
    (1001, '11 4567-8901'),  (1001, '11 15-2345-6789'),
    (1002, '351 456-7890'),  (1003, '341 456-7891'),
    (1004, '11 4567-8902'),  (1005, '261 456-7892'),
    (1006, '381 456-7893'),  (1008, '223 456-7894'),
    (1009, '376 456-7895'),  (1010, '387 456-7896'),
    (1011, '2954 45-6789'),  (1013, '299 456-7897 (int. 5)');

-- ── Account ─────────────────────────────────────────────────────────────────────────────────────

-- Ids are the customer's number and two digits. Types: 1 and 6 Factura A and B, 11 Factura C, 4 and 9 Recibo A and B,
-- 2 Nota de débito A, 8 Nota de crédito B. Amounts in centavos: positive is owed. No voucher has a PDF.
INSERT INTO movement (id, customer, date, type, point_of_sale, number, detail, amount, due_date, cae, cae_due_date) VALUES
    -- 1001 Ana, owes 1.250,40: two invoices unpaid.
    (100101, 1001, '2026-07-08',  6, 3, 12430, 'Internet 50 Mbps, julio de 2026',                  58900, '2026-08-10', '76275143210030', '2026-07-18'),
    (100102, 1001, '2026-07-20',  9, 1, 11544, 'Transferencia bancaria',                          -58900, NULL,         NULL,             NULL),
    (100103, 1001, '2026-08-10',  6, 3, 12495, 'Internet 50 Mbps, agosto de 2026',                 58900, '2026-09-10', '76325640740895', '2026-08-20'),
    (100104, 1001, '2026-08-24',  9, 1, 11609, 'Transferencia bancaria',                          -58900, NULL,         NULL,             NULL),
    (100105, 1001, '2026-09-08',  6, 3, 12552, 'Internet 50 Mbps, septiembre de 2026',             62520, '2026-10-12', '76366077037192', '2026-09-18'),
    (100106, 1001, '2026-09-21',  9, 1, 11660, 'Transferencia bancaria',                          -62520, NULL,         NULL,             NULL),
    (100107, 1001, '2026-10-08',  6, 3, 12613, 'Internet 50 Mbps, octubre de 2026',                62520, '2026-11-10', '76406543950773', '2026-10-18'),
    (100108, 1001, '2026-11-09',  6, 3, 12676, 'Internet 50 Mbps, noviembre de 2026',              62520, '2026-12-10', '76457026172996', '2026-11-19'),
    -- 1002 Beto, owes 0: everything paid; the invoice of 2010 is older than the QR code.
    (100201, 1002, '2010-04-14',  6, 3,   523, 'Hosting anual 2010',                               36300, '2010-04-30', '60154003209883', '2010-04-24'),
    (100202, 1002, '2010-04-28',  9, 1,   371, 'Depósito bancario',                               -36300, NULL,         NULL,             NULL),
    (100203, 1002, '2026-10-13',  1, 3,  4756, 'Hosting anual 2026',                               84700, '2026-11-10', '76416403950676', '2026-10-23'),
    (100204, 1002, '2026-11-06',  4, 1,  4342, 'Transferencia bancaria',                          -84700, NULL,         NULL,             NULL),
    -- 1003 Caro, 320,00 in favour: paid the whole last invoice and more, after a credit note.
    (100301, 1003, '2026-09-10',  6, 3, 12556, 'Internet 30 Mbps, septiembre de 2026',             45000, '2026-10-12', '76366107654476', '2026-09-20'),
    (100302, 1003, '2026-09-24',  9, 1, 11666, 'Depósito bancario',                               -45000, NULL,         NULL,             NULL),
    (100303, 1003, '2026-10-07',  6, 3, 12611, 'Internet 30 Mbps, octubre de 2026',                45000, '2026-11-10', '76406528642131', '2026-10-17'),
    (100304, 1003, '2026-10-14',  8, 3,   820, 'Bonificación por corte del servicio',             -12000, NULL,         '76416276543220', '2026-10-24'),
    (100305, 1003, '2026-10-20',  9, 1, 11715, 'Depósito bancario',                               -65000, NULL,         NULL,             NULL),
    -- 1004 Dante, owes 5.000,00: two halves of the limit unpaid.
    (100401, 1004, '2026-09-09',  1, 3,  4730, 'Enlace dedicado, septiembre de 2026',             250000, '2026-10-12', '76366204938330', '2026-09-19'),
    (100402, 1004, '2026-09-30',  4, 1,  4315, 'Cheque',                                         -250000, NULL,         NULL,             NULL),
    (100403, 1004, '2026-10-09',  1, 3,  4753, 'Enlace dedicado, octubre de 2026',                250000, '2026-11-10', '76406380987713', '2026-10-19'),
    (100404, 1004, '2026-11-10',  1, 3,  4777, 'Enlace dedicado, noviembre de 2026',              250000, '2026-12-10', '76456564691417', '2026-11-20'),
    -- 1005 Elena, owes 5.000,01: one centavo over the limit, by a debit note.
    (100501, 1005, '2026-08-06',  1, 3,  4705, 'Mantenimiento del sitio, agosto de 2026',         290000, '2026-09-10', '76316013580305', '2026-08-16'),
    (100502, 1005, '2026-08-28',  4, 1,  4293, 'Transferencia bancaria',                         -290000, NULL,         NULL,             NULL),
    (100503, 1005, '2026-10-06',  1, 3,  4751, 'Rediseño del sitio, primera cuota',               310000, '2026-11-10', '76406365679071', '2026-10-16'),
    (100504, 1005, '2026-11-06',  1, 3,  4774, 'Rediseño del sitio, segunda cuota',               150000, '2026-12-10', '76446541728454', '2026-11-16'),
    (100505, 1005, '2026-11-13',  2, 3,   216, 'Intereses de la primera cuota',                    40001, '2026-12-10', '76451653333336', '2026-11-23'),
    -- 1006 Fabián, owes 900,00: Factura B had DineroMail, Factura C, the last one, has not.
    (100601, 1006, '2026-08-12',  6, 3, 12499, 'Soporte técnico, agosto de 2026',                  60000, '2026-09-10', '76325671358179', '2026-08-22'),
    (100602, 1006, '2026-08-31',  9, 1, 11621, 'Efectivo',                                        -60000, NULL,         NULL,             NULL),
    (100603, 1006, '2026-10-09',  6, 3, 12615, 'Soporte técnico, octubre de 2026',                 30000, '2026-11-10', '76406559259415', '2026-10-19'),
    (100604, 1006, '2026-11-11', 11, 3,    87, 'Auditoría de la red',                              60000, '2026-12-10', '76450665925927', '2026-11-21'),
    -- 1009 Inés, owes 2.189,00: two invoices unpaid.
    (100901, 1009, '2026-09-07',  1, 3,  4728, 'eMarketing PRO, septiembre de 2026',              109450, '2026-10-12', '76366189629688', '2026-09-17'),
    (100902, 1009, '2026-09-28',  4, 1,  4314, 'Transferencia bancaria',                         -109450, NULL,         NULL,             NULL),
    (100903, 1009, '2026-10-08',  1, 3,  4752, 'eMarketing PRO, octubre de 2026',                 109450, '2026-11-10', '76406373333392', '2026-10-18'),
    (100904, 1009, '2026-11-09',  1, 3,  4776, 'eMarketing PRO, noviembre de 2026',               109450, '2026-12-10', '76456557037096', '2026-11-19'),
    -- 1010 Julián, owes 7.362,50: two invoices unpaid, well over the limit.
    (101001, 1010, '2026-10-15',  1, 3,  4757, 'Servidor dedicado, octubre de 2026',              368125, '2026-11-13', '76416411604997', '2026-10-25'),
    (101002, 1010, '2026-11-12',  1, 3,  4778, 'Servidor dedicado, noviembre de 2026',            368125, '2026-12-10', '76456572345738', '2026-11-22'),
    -- 1011 Karina, owes 0: everything paid.
    (101101, 1011, '2026-10-15',  6, 3, 12627, 'Hosting semestral',                                41250, '2026-11-13', '76416651111267', '2026-10-25'),
    (101102, 1011, '2026-11-02',  9, 1, 11740, 'Transferencia bancaria',                          -41250, NULL,         NULL,             NULL),
    -- 1012 Luis, owes 450,00: an invoice unpaid, but nobody gets in to see it.
    (101201, 1012, '2026-10-13',  6, 3, 12623, 'Internet 30 Mbps, octubre de 2026',                45000, '2026-11-12', '76416620493983', '2026-10-23'),
    -- 1013 Ñandú, owes 1.875,50: the last invoice has no CAE and no due date, and its detail needs escaping.
    (101301, 1013, '2026-09-16',  1, 3,  4735, 'Tienda, septiembre de 2026',                       96800, '2026-10-12', '76376243209935', '2026-09-26'),
    (101302, 1013, '2026-10-05',  4, 1,  4320, 'Transferencia bancaria',                          -96800, NULL,         NULL,             NULL),
    (101303, 1013, '2026-11-16',  1, 3,  4781, 'Diseño "a medida" <tienda> & logo de D''Ángelo',  187550, NULL,         NULL,             NULL);

-- 1008 Hugo, owes 4.999,99: 201 invoices, each on the first of its month, and 199 receipts. He pays on the 17th, two months
-- later, so what he owes is always the last two invoices. The price rises with the months; up to four extra mailboxes
-- are 9,95 each. Invoices have a CAE since July 2015. Ids: 100800001 to 100800400, oldest first.
WITH RECURSIVE
month (n, first_day) AS (
    VALUES (1, '2010-03-01')
    UNION ALL
    SELECT n + 1, date(first_day, '+1 month') FROM month WHERE n < 201
),
invoice (n, date, number, amount) AS (
    SELECT n, first_day, 400 + 61 * n, 8299 + 6 * n * n + 995 * (n % 5) FROM month
),
entry (date, type, point_of_sale, number, detail, amount, due_date, cae) AS (
    SELECT date, 6, 3, number, 'Abono mensual de internet ' || strftime('%m/%Y', date), amount, date(date, '+1 month', '+9 days'),
           CASE WHEN date >= '2015-07-01' THEN
               printf('%d%s%010d', strftime('%Y', date) - 1950, strftime('%W', date), number * 7654321 % 10000000000) END
    FROM invoice
    UNION ALL
    SELECT date(date, '+2 months', '+16 days'), 9, 1, 424 + 57 * n, printf('Pago de la factura 0003-%08d', number), -amount, NULL, NULL
    FROM invoice WHERE n <= 199
)
INSERT INTO movement (id, customer, date, type, point_of_sale, number, detail, amount, due_date, cae, cae_due_date)
SELECT 100800000 + row_number() OVER (ORDER BY date), 1008, date, type, point_of_sale, number, detail, amount, due_date,
       cae, CASE WHEN cae IS NOT NULL THEN date(date, '+10 days') END
FROM entry;

-- ── Payments ────────────────────────────────────────────────────────────────────────────────────

INSERT INTO bank_account (bank, account, holder, cuit, cbu, alias) VALUES
    ('Banco de la Nación Argentina', 'Cuenta corriente en pesos 123456/78', 'NetOne S.R.L.', '30712345671', '0110999720000123456788', 'NETONE.CLIENTES'),
    ('Banco Galicia',                'Cuenta corriente en pesos 1234567-8', 'NetOne S.R.L.', '30712345671', '0070999020000123456788', NULL);

-- ── News and services ───────────────────────────────────────────────────────────────────────────

INSERT INTO news (date, title, body) VALUES
    ('2026-03-02', 'Nuevo Centro de Atención al Cliente',
     'La cuenta corriente, las facturas electrónicas y los medios de pago están reunidos en un solo lugar.'),
    ('2026-10-05', 'Pago online con DineroMail',
     'El saldo de las facturas A y B, por debajo del límite vigente, se puede pagar con DineroMail desde Facturas y Pagos.'),
    ('2026-10-28', 'Mantenimiento programado',
     'El domingo 8 de noviembre, de 2 a 5, los servicios de hosting pueden tener interrupciones breves.'),
    ('2026-11-12', 'Atención durante el feriado',
     'El lunes 23 de noviembre la atención telefónica permanece cerrada. El soporte técnico responde por e-mail.');

-- Amounts are of a month.
INSERT INTO service (customer, name, detail, since, amount) VALUES
    (1001, 'Internet 50 Mbps',     'Domicilio: Av. Mitre 1250, piso 2',  '2024-05-02',  62520),
    (1002, 'Hosting',              '5 GB, facturación anual',            '2010-04-14',   NULL),
    (1003, 'Internet 30 Mbps',     '',                                   '2023-09-01',  45000),
    (1004, 'Enlace dedicado',      '100 Mbps simétricos',                '2021-02-15', 250000),
    (1008, 'Internet 30 Mbps',     'Abono mensual',                      '2010-03-01', 250705),
    (1008, 'Casilla adicional',    'hugo.paz@netone.example',            '2012-08-01',    995),
    (1009, 'eMarketing PRO',       'Plan PRO: 25.000 envíos por mes',    '2025-03-10', 109450),
    (1010, 'Servidor dedicado',    '8 núcleos, 32 GB de memoria',        '2022-07-01', 368125),
    (1013, 'TornadoStore tienda',  'Hasta 500 productos & "catálogo"',   '2026-09-16',  96800),
    (1013, 'Hosting',              '10 GB',                              '2026-09-16',   NULL);

COMMIT;
