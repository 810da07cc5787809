-- A provider may answer with a code to be shown instead of a page to go to.
ALTER TABLE provider_flow ADD COLUMN pay_qr TEXT;
