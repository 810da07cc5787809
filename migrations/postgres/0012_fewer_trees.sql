-- Posting: fewer trees to write for each payment: SQLite's tables alone change, whose row ids cost
-- a tree each. The head of a chain is locked by whoever appends: no lock of its row for each entry.
ALTER TABLE journal_entry DROP CONSTRAINT IF EXISTS journal_entry_0003_school_id_fkey;
