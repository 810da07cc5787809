-- First light: organisation, fees, payments, ledger, invoices, jobs, people (PostgreSQL).

-- ---- organisation -------------------------------------------------------------------------

-- Departments, commune offices and schools; a school's unit_id is its school_id.
CREATE TABLE org_unit (
    unit_id     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    code        TEXT COLLATE "C" NOT NULL,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('DEPARTMENT', 'DISTRICT_OFFICE', 'COMMUNE_OFFICE', 'SCHOOL')),
    valid_from  DATE NOT NULL,
    valid_to    DATE,                    -- first day on which it no longer exists
    UNIQUE (code)
);

-- Who manages and where it lies are two different trees (school-fees §7).
CREATE TABLE org_relation (
    child_id    TEXT COLLATE "C" NOT NULL REFERENCES org_unit (unit_id),
    relation    TEXT NOT NULL CHECK (relation IN ('MANAGES', 'LOCATED_IN')),
    valid_from  DATE NOT NULL,
    valid_to    DATE,
    parent_id   TEXT COLLATE "C" NOT NULL REFERENCES org_unit (unit_id),
    PRIMARY KEY (child_id, relation, valid_from)
);
CREATE INDEX org_relation_parent ON org_relation (parent_id, relation);

CREATE TABLE org_succession (
    predecessor_id  TEXT COLLATE "C" NOT NULL REFERENCES org_unit (unit_id),
    successor_id    TEXT COLLATE "C" NOT NULL REFERENCES org_unit (unit_id),
    on_day          DATE NOT NULL,
    share           TEXT NOT NULL,      -- decimal, 1 = the whole predecessor
    PRIMARY KEY (predecessor_id, successor_id)
);

CREATE TABLE school (
    school_id           TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES org_unit (unit_id),
    education_level     TEXT NOT NULL CHECK (education_level IN ('PRESCHOOL', 'PRIMARY', 'LOWER_SECONDARY', 'UPPER_SECONDARY', 'CONTINUING')),
    ownership           TEXT NOT NULL CHECK (ownership IN ('PUBLIC', 'PRIVATE')),
    tax_code            TEXT NOT NULL,
    budget_unit_code    TEXT,
    address             TEXT NOT NULL,
    phone               TEXT,
    bank_bin            TEXT NOT NULL,
    bank_account        TEXT NOT NULL,
    bank_account_name   TEXT NOT NULL
);

CREATE TABLE school_class (
    school_id   TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    class_id    TEXT COLLATE "C" NOT NULL,
    school_year TEXT NOT NULL,          -- 2026-2027
    name        TEXT NOT NULL,
    grade       BIGINT NOT NULL,        -- 0 for preschool
    PRIMARY KEY (school_id, class_id),
    UNIQUE (school_id, school_year, name)
);

CREATE TABLE pupil (
    school_id           TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    pupil_id            TEXT COLLATE "C" NOT NULL,
    code                TEXT COLLATE "C" NOT NULL,
    full_name           TEXT NOT NULL,
    search_name         TEXT NOT NULL,  -- folded: no marks, lower case
    born_on             DATE,
    gender              TEXT CHECK (gender IN ('F', 'M')),
    insurance_group     TEXT NOT NULL,  -- HS billed; others see school-fees §3.2
    insurance_months    BIGINT NOT NULL CHECK (insurance_months BETWEEN 0 AND 15),
    state               TEXT NOT NULL CHECK (state IN ('STUDYING', 'LEFT')),
    PRIMARY KEY (school_id, pupil_id),
    UNIQUE (school_id, code)
);

CREATE TABLE enrolment (
    school_id   TEXT COLLATE "C" NOT NULL,
    pupil_id    TEXT COLLATE "C" NOT NULL,
    valid_from  DATE NOT NULL,
    valid_to    DATE,
    class_id    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (school_id, pupil_id, valid_from),
    FOREIGN KEY (school_id, pupil_id) REFERENCES pupil (school_id, pupil_id),
    FOREIGN KEY (school_id, class_id) REFERENCES school_class (school_id, class_id)
);

CREATE TABLE guardian (
    school_id   TEXT COLLATE "C" NOT NULL,
    pupil_id    TEXT COLLATE "C" NOT NULL,
    guardian_id TEXT COLLATE "C" NOT NULL,
    full_name   TEXT NOT NULL,
    relation    TEXT NOT NULL CHECK (relation IN ('FATHER', 'MOTHER', 'OTHER')),
    phone       TEXT,
    email       TEXT,
    address     TEXT,
    personal_id TEXT,                   -- 12 digits, printed only when asked for
    PRIMARY KEY (school_id, pupil_id, guardian_id),
    FOREIGN KEY (school_id, pupil_id) REFERENCES pupil (school_id, pupil_id)
);

-- What a file changed, and that it was read: the same file twice is one import.
CREATE TABLE import_batch (
    scope       TEXT COLLATE "C" NOT NULL,            -- school_id, or VN for parameters and units
    import_id   TEXT COLLATE "C" NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('UNITS', 'PARAMETERS', 'ROSTER', 'FEES')),
    file_name   TEXT NOT NULL,
    file_digest TEXT COLLATE "C" NOT NULL,
    row_count   BIGINT NOT NULL,
    imported_by TEXT NOT NULL,
    imported_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (scope, import_id),
    UNIQUE (scope, kind, file_digest)
);

-- ---- dated rules --------------------------------------------------------------------------

-- Every legal number and registration, with validity, scope and source. Scopes from narrow to
-- wide: unit code, its managing units, VN; or a closed list of the key (regime, ownership/level).
CREATE TABLE parameter (
    key         TEXT COLLATE "C" NOT NULL,
    scope       TEXT COLLATE "C" NOT NULL,
    valid_from  DATE NOT NULL,
    valid_to    DATE,                    -- first day on which it no longer holds
    value       TEXT NOT NULL,
    source      TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('CONFIRMED', 'UNVERIFIED', 'ILLUSTRATIVE')),
    PRIMARY KEY (key, scope, valid_from)
);

-- ---- fees ---------------------------------------------------------------------------------

CREATE TABLE fee_item (
    school_id           TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    item_id             TEXT COLLATE "C" NOT NULL,
    code                TEXT COLLATE "C" NOT NULL,
    name                TEXT NOT NULL,
    collection_class    TEXT NOT NULL CHECK (collection_class IN ('TUITION', 'SERVICE', 'ON_BEHALF', 'VOLUNTARY')),
    calculation         TEXT NOT NULL CHECK (calculation IN ('PER_MONTH', 'PER_DAY', 'PER_PIECE', 'ONCE', 'HEALTH_INSURANCE')),
    unit_name           TEXT NOT NULL,
    document_rule       TEXT NOT NULL CHECK (document_rule IN ('INVOICE', 'RECEIPT', 'NONE')),
    vat_rate            TEXT NOT NULL,  -- KCT, KKKNT, 0%, 5%, 8%, 10%: of the invoice's TSuat
    opt_in              TEXT NOT NULL CHECK (opt_in IN ('ALL', 'CHOSEN')),
    legal_basis         TEXT NOT NULL,
    PRIMARY KEY (school_id, item_id),
    UNIQUE (school_id, code)
);

CREATE TABLE fee_price (
    school_id   TEXT COLLATE "C" NOT NULL,
    item_id     TEXT COLLATE "C" NOT NULL,
    grade       BIGINT NOT NULL,        -- -1 = every grade
    valid_from  DATE NOT NULL,
    valid_to    DATE,
    amount      BIGINT NOT NULL CHECK (amount >= 0),
    source      TEXT NOT NULL,
    PRIMARY KEY (school_id, item_id, grade, valid_from),
    FOREIGN KEY (school_id, item_id) REFERENCES fee_item (school_id, item_id)
);

-- What a family chose or signed for, per item: boarding, uniform sizes, voluntary insurance.
CREATE TABLE pupil_choice (
    school_id   TEXT COLLATE "C" NOT NULL,
    pupil_id    TEXT COLLATE "C" NOT NULL,
    item_id     TEXT COLLATE "C" NOT NULL,
    quantity    TEXT NOT NULL,          -- decimal; pieces, or 1 for "takes part"
    valid_from  DATE NOT NULL,
    valid_to    DATE,
    PRIMARY KEY (school_id, pupil_id, item_id, valid_from),
    FOREIGN KEY (school_id, pupil_id) REFERENCES pupil (school_id, pupil_id),
    FOREIGN KEY (school_id, item_id) REFERENCES fee_item (school_id, item_id)
);

CREATE TABLE billing_round (
    school_id       TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    round_id        TEXT COLLATE "C" NOT NULL,
    name            TEXT NOT NULL,
    school_year     TEXT NOT NULL,
    charge_day      DATE NOT NULL,       -- selects prices of the round
    due_day         DATE NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('DRAFT', 'PUBLISHED')),
    created_at      TIMESTAMPTZ NOT NULL,
    published_at    TIMESTAMPTZ,
    bill_count      BIGINT NOT NULL DEFAULT 0,
    total_due       BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (school_id, round_id),
    UNIQUE (school_id, name)
);

CREATE TABLE billing_round_item (
    school_id   TEXT COLLATE "C" NOT NULL,
    round_id    TEXT COLLATE "C" NOT NULL,
    item_id     TEXT COLLATE "C" NOT NULL,
    quantity    TEXT NOT NULL,          -- months, days or pieces for everybody; a choice overrides pieces
    PRIMARY KEY (school_id, round_id, item_id),
    FOREIGN KEY (school_id, round_id) REFERENCES billing_round (school_id, round_id),
    FOREIGN KEY (school_id, item_id) REFERENCES fee_item (school_id, item_id)
);

CREATE TABLE fee_bill (
    school_id       TEXT COLLATE "C" NOT NULL,
    bill_id         TEXT COLLATE "C" NOT NULL,
    round_id        TEXT COLLATE "C" NOT NULL,
    pupil_id        TEXT COLLATE "C" NOT NULL,
    bill_code       TEXT COLLATE "C" NOT NULL UNIQUE, -- HPZ + 10, see fees/bill_code.rs
    access_token    TEXT COLLATE "C" NOT NULL UNIQUE, -- opens the whole bill; the code alone hides the child's name
    pupil_name      TEXT NOT NULL,
    pupil_code      TEXT NOT NULL,
    class_name      TEXT NOT NULL,
    payer_name      TEXT NOT NULL,
    title           TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('OPEN', 'PARTIAL', 'PAID', 'NOTHING_DUE', 'CANCELLED')),
    gross           BIGINT NOT NULL,
    amount_due      BIGINT NOT NULL CHECK (amount_due >= 0),
    amount_paid     BIGINT NOT NULL CHECK (amount_paid BETWEEN 0 AND amount_due),
    issued_day      DATE NOT NULL,
    due_day         DATE NOT NULL,
    priced_until    DATE,                -- from this day on a date-dependent line must be priced anew
    settled_at      TIMESTAMPTZ,
    PRIMARY KEY (school_id, bill_id),
    UNIQUE (school_id, round_id, pupil_id),
    FOREIGN KEY (school_id, round_id) REFERENCES billing_round (school_id, round_id),
    FOREIGN KEY (school_id, pupil_id) REFERENCES pupil (school_id, pupil_id)
);
CREATE INDEX fee_bill_pupil ON fee_bill (school_id, pupil_id);

CREATE TABLE bill_line (
    school_id           TEXT COLLATE "C" NOT NULL,
    bill_id             TEXT COLLATE "C" NOT NULL,
    line_no             BIGINT NOT NULL,
    item_id             TEXT COLLATE "C" NOT NULL,
    name                TEXT NOT NULL,
    collection_class    TEXT NOT NULL,
    calculation         TEXT NOT NULL,
    unit_name           TEXT NOT NULL,
    quantity            TEXT NOT NULL,
    unit_price          BIGINT NOT NULL,
    gross               BIGINT NOT NULL,
    state_part          BIGINT NOT NULL,    -- state budget
    province_part       BIGINT NOT NULL,
    school_part         BIGINT NOT NULL,
    amount_due          BIGINT NOT NULL CHECK (amount_due >= 0),
    amount_paid         BIGINT NOT NULL CHECK (amount_paid BETWEEN 0 AND amount_due),
    document_rule       TEXT NOT NULL,
    vat_rate            TEXT NOT NULL,
    legal_basis         TEXT NOT NULL,
    priority            BIGINT NOT NULL,    -- order of allocation inside a bill (PC-6)
    PRIMARY KEY (school_id, bill_id, line_no),
    FOREIGN KEY (school_id, bill_id) REFERENCES fee_bill (school_id, bill_id),
    CHECK (gross = state_part + province_part + school_part + amount_due)
);

-- ---- payments -----------------------------------------------------------------------------

CREATE TABLE provider_connection (
    school_id       TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    connection_id   TEXT COLLATE "C" NOT NULL UNIQUE, -- stands in the address the provider calls
    provider        TEXT NOT NULL,
    display_name    TEXT NOT NULL,
    channel         TEXT NOT NULL CHECK (channel IN ('BANK_TRANSFER', 'GATEWAY', 'WALLET')),
    credentials     TEXT NOT NULL,      -- sealed
    state           TEXT NOT NULL CHECK (state IN ('ENABLED', 'DISABLED')),
    PRIMARY KEY (school_id, connection_id)
);

CREATE TABLE payment_attempt (
    school_id       TEXT COLLATE "C" NOT NULL,
    attempt_id      TEXT COLLATE "C" NOT NULL,
    connection_id   TEXT COLLATE "C" NOT NULL,
    order_ref       TEXT COLLATE "C" NOT NULL,
    bill_id         TEXT COLLATE "C" NOT NULL,
    amount          BIGINT NOT NULL CHECK (amount > 0),
    state           TEXT NOT NULL CHECK (state IN ('WAITING', 'PAID', 'FAILED')),
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (school_id, attempt_id),
    UNIQUE (school_id, order_ref),
    FOREIGN KEY (school_id, bill_id) REFERENCES fee_bill (school_id, bill_id)
);
CREATE INDEX payment_attempt_bill ON payment_attempt (school_id, bill_id);

-- The inbox. notice_key is the provider's transaction for money that moved; other reports of an
-- order carry their status in it, so that "pending" and "paid" of one transaction are two notices.
CREATE TABLE provider_notice (
    school_id       TEXT COLLATE "C" NOT NULL,
    provider        TEXT COLLATE "C" NOT NULL,
    notice_key      TEXT COLLATE "C" NOT NULL,
    connection_id   TEXT COLLATE "C" NOT NULL,
    order_ref       TEXT,
    status          TEXT NOT NULL,
    amount          BIGINT NOT NULL,
    memo            TEXT,
    occurred_at     TIMESTAMPTZ,
    fingerprint     TEXT NOT NULL,      -- digest of the normal form: the same key with another meaning is a conflict
    raw             TEXT NOT NULL,      -- query or body as received, without headers
    decision        TEXT NOT NULL,
    reason          TEXT,
    outcome         TEXT NOT NULL,      -- what was answered, and is answered again to a repeat
    payment_id      TEXT,
    received_at     TIMESTAMPTZ NOT NULL,
    repeats         BIGINT NOT NULL DEFAULT 0,
    conflicts       BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (school_id, provider, notice_key)
);

-- Money that came in, each movement once.
CREATE TABLE payment (
    school_id       TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    payment_id      TEXT COLLATE "C" NOT NULL,
    provider        TEXT COLLATE "C" NOT NULL,
    transaction_id  TEXT COLLATE "C" NOT NULL,
    channel         TEXT NOT NULL CHECK (channel IN ('BANK_TRANSFER', 'GATEWAY', 'WALLET', 'CASH')),
    amount          BIGINT NOT NULL CHECK (amount > 0),
    to_bills        BIGINT NOT NULL CHECK (to_bills >= 0),
    to_credit       BIGINT NOT NULL CHECK (to_credit >= 0),
    to_suspense     BIGINT NOT NULL CHECK (to_suspense >= 0),
    state           TEXT NOT NULL CHECK (state IN ('CONFIRMED', 'SETTLED')),
    bill_id         TEXT,               -- the bill it named, if it named one
    memo            TEXT,
    paid_at         TIMESTAMPTZ NOT NULL,
    paid_day        DATE NOT NULL,
    received_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (school_id, payment_id),
    UNIQUE (school_id, provider, transaction_id),
    CHECK (amount = to_bills + to_credit + to_suspense)
);
CREATE INDEX payment_day ON payment (school_id, paid_day);
CREATE INDEX payment_bill ON payment (school_id, bill_id);

-- Where every đồng of a payment went.
CREATE TABLE allocation (
    school_id       TEXT COLLATE "C" NOT NULL,
    payment_id      TEXT COLLATE "C" NOT NULL,
    seq             BIGINT NOT NULL,
    target          TEXT NOT NULL CHECK (target IN ('BILL_LINE', 'CREDIT', 'SUSPENSE')),
    bill_id         TEXT,
    line_no         BIGINT,
    pupil_id        TEXT,
    amount          BIGINT NOT NULL CHECK (amount > 0),
    PRIMARY KEY (school_id, payment_id, seq),
    FOREIGN KEY (school_id, payment_id) REFERENCES payment (school_id, payment_id)
);
CREATE INDEX allocation_bill ON allocation (school_id, bill_id);

-- Money held for a pupil; stays with this school (PC-5).
CREATE TABLE pupil_credit (
    school_id   TEXT COLLATE "C" NOT NULL,
    pupil_id    TEXT COLLATE "C" NOT NULL,
    amount      BIGINT NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (school_id, pupil_id),
    FOREIGN KEY (school_id, pupil_id) REFERENCES pupil (school_id, pupil_id)
);

-- Money whose owner a person must find.
CREATE TABLE suspense_item (
    school_id   TEXT COLLATE "C" NOT NULL,
    payment_id  TEXT COLLATE "C" NOT NULL,
    amount      BIGINT NOT NULL CHECK (amount > 0),
    reason      TEXT NOT NULL,
    candidates  TEXT NOT NULL,          -- JSON: bill codes that may be meant, never applied unattended
    state       TEXT NOT NULL CHECK (state IN ('OPEN', 'RESOLVED')),
    created_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (school_id, payment_id),
    FOREIGN KEY (school_id, payment_id) REFERENCES payment (school_id, payment_id)
);

-- ---- ledger -------------------------------------------------------------------------------

CREATE TABLE ledger_head (
    school_id   TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES school (school_id),
    last_seq    BIGINT NOT NULL,
    last_digest TEXT NOT NULL
);

CREATE TABLE journal_entry (
    school_id   TEXT COLLATE "C" NOT NULL,
    seq         BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    source_id   TEXT COLLATE "C" NOT NULL,            -- what caused it; (kind, source) posts once
    booked_day  DATE NOT NULL,
    posted_at   TIMESTAMPTZ NOT NULL,
    reverses    BIGINT,
    prev_digest TEXT NOT NULL,
    digest      TEXT NOT NULL,
    PRIMARY KEY (school_id, seq),
    UNIQUE (school_id, kind, source_id),
    FOREIGN KEY (school_id) REFERENCES ledger_head (school_id)
);

CREATE TABLE journal_line (
    school_id   TEXT COLLATE "C" NOT NULL,
    seq         BIGINT NOT NULL,
    line_no     BIGINT NOT NULL,
    account     TEXT COLLATE "C" NOT NULL,
    debit       BIGINT NOT NULL CHECK (debit >= 0),
    credit      BIGINT NOT NULL CHECK (credit >= 0),
    object      TEXT,                   -- fee item or pupil
    PRIMARY KEY (school_id, seq, line_no),
    FOREIGN KEY (school_id, seq) REFERENCES journal_entry (school_id, seq),
    CHECK ((debit = 0) <> (credit = 0))
);

-- Projection; `hocphi ledger check` derives it again from the journal.
CREATE TABLE account_balance (
    school_id   TEXT COLLATE "C" NOT NULL,
    account     TEXT COLLATE "C" NOT NULL,
    debit       BIGINT NOT NULL,
    credit      BIGINT NOT NULL,
    PRIMARY KEY (school_id, account)
);

-- ---- invoices -----------------------------------------------------------------------------

CREATE TABLE signing_key (
    school_id       TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    key_id          TEXT COLLATE "C" NOT NULL,
    sealed_key      TEXT NOT NULL,      -- PKCS#8, sealed
    certificate     TEXT NOT NULL,      -- PEM
    serial          TEXT NOT NULL,
    valid_from      TIMESTAMPTZ NOT NULL,
    valid_to        TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (school_id, key_id)
);

-- One row per numbering; the number is taken in the transaction that fixes the invoice.
CREATE TABLE invoice_series (
    school_id   TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    form        TEXT NOT NULL,          -- KHMSHDon
    symbol      TEXT COLLATE "C" NOT NULL,            -- KHHDon
    last_number BIGINT NOT NULL,
    last_day    DATE NOT NULL,           -- dates never fall while numbers rise (einvoice §5.2)
    PRIMARY KEY (school_id, form, symbol)
);

CREATE TABLE invoice (
    school_id       TEXT COLLATE "C" NOT NULL,
    invoice_id      TEXT COLLATE "C" NOT NULL,
    form            TEXT NOT NULL,
    symbol          TEXT COLLATE "C" NOT NULL,
    number          BIGINT NOT NULL,
    format          TEXT NOT NULL,      -- PBan
    payment_id      TEXT COLLATE "C" NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('NUMBERED', 'SIGNED', 'SENT', 'CODED', 'REFUSED')),
    issue_day       DATE NOT NULL,
    total           BIGINT NOT NULL,
    vat             BIGINT NOT NULL,
    lookup_code     TEXT COLLATE "C" NOT NULL UNIQUE,
    document        TEXT NOT NULL,      -- JSON of the whole content, fixed with the number
    xml             TEXT,               -- signed bytes, as sent
    coded_xml       TEXT,               -- with the authority's code and signature, as received
    authority_code  TEXT,               -- MCCQT
    message_id      TEXT,               -- MTDiep of the 200 message; kept on every repeat
    refusal         TEXT,
    signed_at       TIMESTAMPTZ,
    sent_at         TIMESTAMPTZ,
    coded_at        TIMESTAMPTZ,
    PRIMARY KEY (school_id, invoice_id),
    UNIQUE (school_id, form, symbol, number),
    UNIQUE (school_id, payment_id),
    FOREIGN KEY (school_id, form, symbol) REFERENCES invoice_series (school_id, form, symbol),
    FOREIGN KEY (school_id, payment_id) REFERENCES payment (school_id, payment_id)
);

-- Which collected đồng each invoice line documents: a settled line is invoiced once.
CREATE TABLE invoice_line (
    school_id   TEXT COLLATE "C" NOT NULL,
    payment_id  TEXT COLLATE "C" NOT NULL,
    seq         BIGINT NOT NULL,        -- the allocation
    invoice_id  TEXT COLLATE "C" NOT NULL,
    amount      BIGINT NOT NULL,
    PRIMARY KEY (school_id, payment_id, seq),
    FOREIGN KEY (school_id, invoice_id) REFERENCES invoice (school_id, invoice_id),
    FOREIGN KEY (school_id, payment_id, seq) REFERENCES allocation (school_id, payment_id, seq)
);

-- ---- jobs ---------------------------------------------------------------------------------

-- What follows a commit. A finished job is deleted; a dead one waits for a person.
CREATE TABLE job (
    job_id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    school_id       TEXT COLLATE "C" NOT NULL,
    kind            TEXT COLLATE "C" NOT NULL,
    subject         TEXT COLLATE "C" NOT NULL,        -- what it is about; (kind, subject) waits once
    state           TEXT NOT NULL CHECK (state IN ('READY', 'DEAD')),
    run_at          TIMESTAMPTZ NOT NULL,
    attempts        BIGINT NOT NULL,
    leased_until    TIMESTAMPTZ,
    last_error      TEXT,
    UNIQUE (kind, school_id, subject)
);
CREATE INDEX job_due ON job (kind, run_at) WHERE state = 'READY';

-- ---- people -------------------------------------------------------------------------------

CREATE TABLE user_account (
    user_id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    login           TEXT COLLATE "C" NOT NULL UNIQUE,
    password_hash   TEXT NOT NULL,
    display_name    TEXT NOT NULL,
    role            TEXT NOT NULL CHECK (role IN ('ACCOUNTANT', 'OFFICE')),
    unit_id         TEXT COLLATE "C" NOT NULL REFERENCES org_unit (unit_id)
);

CREATE TABLE login_session (
    token_digest    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id         TEXT COLLATE "C" NOT NULL REFERENCES user_account (user_id),
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$;
CREATE TRIGGER journal_entry_no_change BEFORE UPDATE OR DELETE ON journal_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_line_no_change BEFORE UPDATE OR DELETE ON journal_line
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_entry_no_truncate BEFORE TRUNCATE ON journal_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_line_no_truncate BEFORE TRUNCATE ON journal_line
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
