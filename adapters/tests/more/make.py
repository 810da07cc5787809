#!/usr/bin/env python3
"""Writes further vectors for every provider, in the format of the published ones.

Everything that is signed is signed here, from the providers' documents and with Python's hmac, hashlib
and json and with openssl for RSA alone: not one line of this knows the recipes. Secrets and people are
invented. Run it in its folder; the files are kept, so that a change of either side shows."""

import base64
import hashlib
import hmac
import json
import subprocess
import tempfile
import unicodedata
from urllib.parse import quote, quote_plus

TEXTS = {
    "vietnamese": "Học phí tháng 9 – Nguyễn Thị Ánh Đào, lớp 4Ă",
    "decomposed": unicodedata.normalize("NFD", "Học phí tháng 9 của bé Ngọc Bích"),
    "emoji": "Học phí 🎒📚👨‍👩‍👧‍👦 (×2) 🇻🇳",
    "plus-percent-ampersand": "a+b & 100% = c%20d?e#f;g%zz",
    "quotes": "nói \"xin chào\" \\ 'a' /b/ <c> `d`",
    "spaces": "  hai  dấu cách  ",
    "punctuation": "*!()'~-_.:@,$[]{}|^",
    "empty": "",
    "long": "Ấ" * 120,
}
AMOUNT, REF, CODE = 1_250_000, "HP2609-000042", "HP000042"


def mac(kind, key, text):
    key = key if isinstance(key, bytes) else key.encode()
    return hmac.new(key, text.encode(), kind)


def vector(provider, name, flow, secrets, request, ref, transaction, ack, canonical=None, signature=None, **more):
    order = {"ref": ref, "amount_vnd": AMOUNT, "state": "open", "applied_txn": None}
    expected = {"valid": True, "reason": None, "transaction_id": transaction, "order_ref": ref,
                "amount_vnd": AMOUNT, "currency": "VND", "status": "paid", "decision": "mark_paid"}
    if canonical is not None:
        expected["canonical_string"] = canonical
    if signature is not None:
        expected["signature"] = signature
    expected.update(more)
    return {"name": name, "provider": provider, "flow": flow, "source": "adapters/tests/more/make.py",
            "obtained": "computed from the documents with Python and openssl", "ambiguous": False,
            "secrets": secrets, "order": order, "request": request, "expected": expected, "expected_ack": ack}


def refused(made, reason, ack=None):
    made["expected"] = {"valid": False, "reason": reason, "status": None, "decision": "reject"}
    made["expected_ack"] = ack
    return made


def ack(status, body=None, match="status_only", kind=None):
    return {"http_status": status, "content_type": kind, "body": body, "match": match, "normative": True}


def ok(body):
    return ack(200, body, "json_fields", "application/json")


def form(pairs, space="+"):
    coded = quote_plus if space == "+" else (lambda text, safe="": quote(text, safe=""))
    return "&".join(f"{coded(k, safe='')}={coded(v, safe='')}" for k, v in pairs)


def lower(query):
    """The same query with escapes in small letters."""
    out, at = "", 0
    while at < len(query):
        if query[at] == "%":
            out, at = out + query[at:at + 3].lower(), at + 3
        else:
            out, at = out + query[at], at + 1
    return out


def written(value, way):
    """One JSON text in the ways serialisers write it."""
    if way == "raw":
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if way == "escaped":
        return json.dumps(value, separators=(",", ":"))
    if way == "slashes":
        return json.dumps(value, separators=(",", ":")).replace("/", "\\/")
    return json.dumps(value, ensure_ascii=False, indent=2)


WAYS = ["raw", "escaped", "slashes", "pretty"]
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def backwards(value):
    return dict(reversed(list(value.items())))


def twice(text, name, value):
    """The JSON object once more with a member that stands there already."""
    return text.rstrip()[:-1] + f',"{name}":{json.dumps(value)}}}'


# ---- VNPAY ---------------------------------------------------------------------------------
def vnpay():
    secrets = {"tmn_code": "DEVHP001", "hash_secret": "DEVVNPAYSECRET0123456789ABCDEFGH"}
    good = ok({"RspCode": "00"})

    def signed(fields, space="+"):
        kept = sorted((k, v) for k, v in fields if k.startswith("vnp_") and k not in ("vnp_SecureHash", "vnp_SecureHashType"))
        text = form(kept, space)
        return text, mac("sha512", secrets["hash_secret"], text).hexdigest()

    def fields(info):
        return [("vnp_Amount", f"{AMOUNT}00"), ("vnp_BankCode", "NCB"), ("vnp_BankTranNo", "VNP14001234"),
                ("vnp_CardType", "ATM"), ("vnp_OrderInfo", info), ("vnp_PayDate", "20260905101530"),
                ("vnp_ResponseCode", "00"), ("vnp_TmnCode", "DEVHP001"), ("vnp_TransactionNo", "14001234"),
                ("vnp_TransactionStatus", "00"), ("vnp_TxnRef", REF)]

    def made(name, query, text, signature):
        return vector("vnpay", name, "ipn", secrets, {"method": "GET", "path": "/i", "query": query}, REF,
                      "14001234", good, text, signature)

    for name, info in TEXTS.items():
        if info == "":
            continue
        pairs = fields(info)
        text, signature = signed(pairs)
        for order, shown in (("", pairs), ("-reversed", pairs[::-1])):
            query = form(shown) + f"&vnp_SecureHash={signature}"
            yield made(f"ipn-{name}{order}", query, text, signature)
            yield made(f"ipn-{name}{order}-small-escapes", lower(query), text, signature)
        text, signature = signed(pairs, "%20")
        yield vector("vnpay", f"ipn-{name}-percent", "ipn", secrets,
                     {"method": "GET", "path": "/i", "query": form(pairs, "%20") + f"&vnp_SecureHash={signature}"},
                     REF, "14001234", good)
    # Which marks a library leaves alone is its own choice, and so are the letters of its escapes.
    for name, marks in (("php", ""), ("java", "*"), ("php-raw", "~"), ("javascript", "*!()'~"), ("dotnet", "*!()")):
        for space in ("+", "%20"):
            def coded(value):
                return quote(value, safe=marks).replace("~", "~" if "~" in marks else "%7E").replace("%20", space)
            text = "&".join(f"{k}={coded(v)}" for k, v in sorted(fields("*!()'~ : đ / Ấ+&=%")))
            for letters, on_wire, signed_text in (("", text, text), ("-small-on-the-way", lower(text), text),
                                                  ("-small-signed", text, lower(text)), ("-small", lower(text), lower(text))):
                signature = mac("sha512", secrets["hash_secret"], signed_text).hexdigest()
                kind = "plus" if space == "+" else "percent"
                yield made(f"ipn-marks-{name}-{kind}{letters}", f"{on_wire}&vnp_SecureHash={signature}", signed_text, signature)
    # Empty ones are dropped by most, kept by the PHP sample: as received either fits.
    pairs = fields("x") + [("vnp_Note", "")]
    for kept in (True, False):
        text, signature = signed([p for p in pairs if kept or p[1]])
        yield vector("vnpay", f"ipn-empty-{'kept' if kept else 'dropped'}", "ipn", secrets,
                     {"method": "GET", "path": "/i", "query": form(pairs) + f"&vnp_SecureHash={signature}"},
                     REF, "14001234", good)
    pairs = fields("x")
    text, signature = signed(pairs)
    for name, more in (("foreign", "utm=%F0%9F%8E%92&gclid="), ("foreign-twice", "a=1&a=2"), ("hash-type", "vnp_SecureHashType=HmacSHA512")):
        yield made(f"ipn-{name}", f"{form(pairs)}&{more}&vnp_SecureHash={signature}", text, signature)
    for name, more in (("amount-twice-the-same", f"vnp_Amount={AMOUNT}00"), ("ref-twice", "vnp_TxnRef=HP2609-000043"),
                       ("hash-twice", f"vnp_SecureHash={signature}")):
        for at, query in (("after", f"{form(pairs)}&vnp_SecureHash={signature}&{more}"),
                          ("before", f"{more}&{form(pairs)}&vnp_SecureHash={signature}")):
            yield refused(made(f"ipn-{name}-{at}", query, text, signature), "duplicate_parameter")
    for name, wrong in (("short", signature[:64]), ("of-the-decoded", mac("sha512", secrets["hash_secret"], "&".join(f"{k}={v}" for k, v in fields("a b+c"))).hexdigest())):
        shown = fields("a b+c") if name != "short" else pairs
        yield refused(made(f"ipn-hash-{name}", f"{form(shown)}&vnp_SecureHash={wrong}", text, signature), "bad_signature")


# ---- MoMo ----------------------------------------------------------------------------------
def momo():
    secrets = {"partner_code": "MOMODEV01", "access_key": "devAccessKey01", "secret_key": "devSecretKeyMoMo0123456789abcdef"}
    good = ack(204, "", "empty")

    def signed(body):
        names = ["amount", "extraData", "message", "orderId", "orderInfo", "orderType", "partnerCode", "payType",
                 "requestId", "responseTime", "resultCode", "transId"]
        text = "&".join([f"accessKey={secrets['access_key']}"] + [f"{n}={body[n]}" for n in names])
        return text, mac("sha256", secrets["secret_key"], text).hexdigest()

    def body(info, **more):
        return {"partnerCode": "MOMODEV01", "orderId": REF, "requestId": "rq-1", "amount": AMOUNT, "orderInfo": info,
                "orderType": "momo_wallet", "transId": 2876543210, "resultCode": 0, "message": "Thành công.",
                "payType": "qr", "responseTime": 1788578130123, "extraData": "", **more}

    for name, info in TEXTS.items():
        for way in WAYS:
            value = body(info)
            text, signature = signed(value)
            for order, shown in (("", {**value, "signature": signature}), ("-reversed", backwards({**value, "signature": signature, "new": {"a": [1, None]}}))):
                yield vector("momo", f"ipn-{name}-{way}{order}", "ipn", secrets,
                             {"method": "POST", "path": "/m", "headers": JSON, "body": written(shown, way)}, REF,
                             "2876543210", good, text, signature)
        # The redirect brings the same in the query.
        value = body(info, extraData="eyJhIjoxfQ==")
        text, signature = signed(value)
        pairs = [(k, str(v)) for k, v in {**value, "signature": signature}.items()]
        yield vector("momo", f"return-{name}", "return", secrets, {"method": "GET", "path": "/r", "query": form(pairs)},
                     REF, "2876543210", None, text, signature, decision="display_only")
    value = body("x")
    text, signature = signed(value)
    shown = written({**value, "signature": signature}, "raw")
    for member, again in (("orderId", "HP2609-000043"), ("resultCode", 0), ("signature", signature)):
        yield refused(vector("momo", f"ipn-{member}-twice", "ipn", secrets,
                             {"method": "POST", "path": "/m", "headers": JSON, "body": twice(shown, member, again)}, REF,
                             "2876543210", None), "duplicate_parameter")


# ---- ZaloPay -------------------------------------------------------------------------------
def zalopay():
    secrets = {"app_id": 7001, "key1": "devZaloPayKey1_0123456789abcdef", "key2": "devZaloPayKey2_0123456789abcdef"}
    ref = "260905_HP000042"

    def data(info, **more):
        return {"app_id": 7001, "app_trans_id": ref, "app_time": 1788578000000, "app_user": info, "amount": AMOUNT,
                "embed_data": json.dumps({"hs": info}), "item": "[]", "zp_trans_id": 9007199254740993,
                "server_time": 1788578130123, "channel": 38, "merchant_user_id": "", "user_fee_amount": 0,
                "discount_amount": 0, **more}

    def made(name, text, way="raw", **more):
        signature = mac("sha256", secrets["key2"], text).hexdigest()
        return vector("zalopay", name, "ipn", secrets,
                      {"method": "POST", "path": "/z", "headers": JSON, "body": written({"data": text, "mac": signature, "type": 1, **more}, way)},
                      ref, "9007199254740993", ok({"return_code": 1}), text, signature)

    for name, info in TEXTS.items():
        for inner in WAYS:
            for outer in WAYS[:3]:
                yield made(f"callback-{name}-{inner}-in-{outer}", written(data(info), inner), outer)
    yield made("callback-new-members", written(data("x", zp_user_id="1", later={"a": 1}), "raw"), more="ít")
    yield made("callback-reversed", written(backwards(data("x")), "raw"))
    yield refused(made("callback-amount-twice-inside", twice(written(data("x"), "raw"), "amount", 1)), "duplicate_parameter")
    whole = made("callback-data-twice", written(data("x"), "raw"))
    whole["request"]["body"] = twice(whole["request"]["body"], "data", written(data("y"), "raw"))
    yield refused(whole, "duplicate_parameter")


# ---- payOS ---------------------------------------------------------------------------------
def payos():
    secrets = {"client_id": "c", "api_key": "a", "checksum_key": "0123456789abcdef0123456789abcdef"}

    def text_of(value):
        if value is None or value in ("null", "undefined"):
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list):
            return json.dumps([dict(sorted(v.items())) if isinstance(v, dict) else v for v in value],
                              ensure_ascii=False, separators=(",", ":"))
        return str(value)

    def made(name, data, way="raw", body=None):
        text = "&".join(f"{k}={text_of(data[k])}" for k in sorted(data))
        signature = mac("sha256", secrets["checksum_key"], text).hexdigest()
        body = body or written({"code": "00", "desc": "success", "success": True, "data": data, "signature": signature}, way)
        return vector("payos", name, "webhook", secrets, {"method": "POST", "path": "/p", "headers": JSON, "body": body},
                      "2609000042", "FT26248000042", ok({"success": True}), text, signature)

    def data(info, **more):
        return {"orderCode": 2609000042, "amount": AMOUNT, "description": info, "accountNumber": "0123456789",
                "reference": "FT26248000042", "transactionDateTime": "2026-09-05 10:15:30", "currency": "VND",
                "paymentLinkId": "0f0e", "code": "00", "desc": "success", "counterAccountName": None,
                "virtualAccountName": "", **more}

    for name, info in TEXTS.items():
        for way in WAYS:
            yield made(f"webhook-{name}-{way}", data(info), way)
    yield made("webhook-reversed", backwards(data("x")))
    yield made("webhook-new-members", data("x", aMoi="ă", Zed="z", yes=True, no=False, zero=0, words="undefined", list=[{"b": "ế", "a": 1}, {"a": None}], none=[]))
    base = made("webhook-x", data("x"))
    body = base["request"]["body"]
    again = body.replace('"amount":1250000,', '"amount":1250000,"amount":1,')
    yield refused(made("webhook-amount-twice", data("x"), body=again), "duplicate_parameter")
    yield refused(made("webhook-data-twice", data("x"), body=twice(body, "data", data("y"))), "duplicate_parameter")


# ---- SePay webhook -------------------------------------------------------------------------
def sepay():
    secrets = {"hmac_secret": "dev-sepay-hmac-secret", "memo_pattern": "HP[0-9]{6}"}
    stamp = "1788578130"

    def made(name, body):
        text = f"{stamp}.{body}"
        signature = "sha256=" + mac("sha256", secrets["hmac_secret"], text).hexdigest()
        return vector("sepay", name, "webhook", secrets,
                      {"method": "POST", "path": "/s", "headers": {**JSON, "x-sepay-timestamp": stamp, "x-sepay-signature": signature},
                       "body": body, "received_at_unix": 1788578200},
                      CODE, "92000042", ok({"success": True}), text, signature.removeprefix("sha256="))

    def body(info, **more):
        return {"id": 92000042, "gateway": "Vietcombank", "transactionDate": "2026-09-05 10:15:30", "accountNumber": "0123499999",
                "code": None, "content": f"{info} {CODE}", "transferType": "in", "transferAmount": AMOUNT, "accumulated": 19077000,
                "subAccount": None, "referenceCode": "MBVCB.1", "description": info, **more}

    for name, info in TEXTS.items():
        for way in WAYS:
            yield made(f"hmac-{name}-{way}", written(body(info), way))
    yield made("hmac-reversed-and-new", written(backwards(body("x", moi={"a": []}, them="")), "raw"))
    yield refused(made("hmac-amount-twice", twice(written(body("x"), "raw"), "transferAmount", 1)), "duplicate_parameter")
    # The dashboard can choose a form; the key alone proves then.
    keyed = {"api_key": "dev-sepay-api-key", "memo_pattern": "HP[0-9]{6}"}
    for name, info in TEXTS.items():
        pairs = [(k, "" if v is None else str(v)) for k, v in body(info).items()]
        yield vector("sepay", f"form-{name}", "webhook", keyed,
                     {"method": "POST", "path": "/s", "headers": {**FORM, "authorization": "Apikey dev-sepay-api-key"}, "body": form(pairs)},
                     CODE, "92000042", ok({"success": True}))


# ---- SePay gateway -------------------------------------------------------------------------
def sepay_pg():
    secrets = {"merchant_id": "SP-DEV-0001", "secret_key": "dev_spsk_0123456789"}

    def body(info, **more):
        return {"timestamp": 1788578130, "notification_type": "ORDER_PAID",
                "order": {"id": "e1", "order_id": "SP1", "order_status": "CAPTURED", "order_currency": "VND",
                          "order_amount": f"{AMOUNT}.00", "order_invoice_number": REF, "custom_data": [], "order_description": info},
                "transaction": {"id": "t1", "payment_method": "BANK_TRANSFER", "transaction_id": "tx-42", "transaction_type": "PAYMENT",
                                "transaction_date": "2026-09-05 10:15:30", "transaction_status": "APPROVED",
                                "transaction_amount": str(AMOUNT), "transaction_currency": "VND"},
                "customer": None, **more}

    def made(name, text):
        return vector("sepay_pg", name, "ipn", secrets,
                      {"method": "POST", "path": "/g", "headers": {**JSON, "x-secret-key": secrets["secret_key"]}, "body": text},
                      REF, "tx-42", ack(200))

    for name, info in TEXTS.items():
        for way in WAYS:
            yield made(f"ipn-{name}-{way}", written(body(info), way))
    yield made("ipn-reversed-and-new", written(backwards(body("x", agreement={"a": 1})), "raw"))
    yield refused(made("ipn-order-twice", twice(written(body("x"), "raw"), "order", {})), "duplicate_parameter")
    names = ["merchant", "operation", "order_amount", "currency", "order_invoice_number", "order_description",
             "success_url", "error_url", "cancel_url"]
    for name, info in TEXTS.items():
        if info == "":
            continue
        fields = dict(zip(names, ["SP-DEV-0001", "PURCHASE", str(AMOUNT), "VND", REF, info, "https://x.vn/?a=1&b=2", "https://x.vn/e", "https://x.vn/c"]))
        text = ",".join(f"{n}={fields[n]}" for n in names)
        signature = base64.b64encode(mac("sha256", secrets["secret_key"], text).digest()).decode()
        made_ = vector("sepay_pg", f"checkout-{name}", "create", secrets,
                       {"method": "POST", "path": "https://pay-sandbox.sepay.vn/v1/checkout/init", "fields": fields},
                       REF, None, None, text, signature, status=None, decision=None)
        made_["order"] = None
        yield made_


# ---- Casso v2 ------------------------------------------------------------------------------
def casso():
    secrets = {"checksum_key": "devCassoChecksumKey0123456789", "secure_token": "dev-casso-token", "memo_pattern": "HP[0-9]{6}"}
    stamp = "1788578130456"

    def made(name, value, text_of_body):
        text = stamp + "." + json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        signature = mac("sha512", secrets["checksum_key"], text).hexdigest()
        return vector("casso", name, "webhook", secrets,
                      {"method": "POST", "path": "/c", "headers": {**JSON, "x-casso-signature": f"t={stamp},v1={signature}"}, "body": text_of_body},
                      CODE, "7700042", ok({"success": True}), text, signature)

    def body(info, **more):
        return {"error": 0, "data": {"id": 7700042, "reference": "FT/26", "description": f"{CODE} {info}", "amount": AMOUNT,
                                     "runningBalance": 0, "transactionDateTime": "2026-09-05 10:15:30", "accountNumber": "0123456789",
                                     "virtualAccountNumber": "", "virtualAccountName": None, **more}}

    for name, info in TEXTS.items():
        for way in WAYS:
            yield made(f"v2-{name}-{way}", body(info), written(body(info), way))
    deep = body("x", zz={"đ": 1, "a": {"é": [], "b": {}}, "Z": [True, False, None, "\u2028\u007f"]}, A="")
    yield made("v2-deep-and-reversed", deep, written(backwards(deep), "raw"))
    value = body("x")
    yield refused(made("v2-amount-twice", value, written(value, "raw").replace('"amount":1250000,', '"amount":1,"amount":1250000,')), "duplicate_parameter")


# ---- OnePay --------------------------------------------------------------------------------
def onepay():
    secrets = {"merchant": "DEVONEPAY", "access_code": "00DEV001", "hash_code_hex": "00112233445566778899AABBCCDDEEFF"}
    good = ack(200, "responsecode=1&desc=confirm-success", "text_exact", "text/plain")
    bad = ack(200, "responsecode=0&desc=confirm-fail", "text_exact", "text/plain")

    def signed(pairs):
        kept = sorted((k, v) for k, v in pairs if (k.startswith("vpc_") or k.startswith("user_")) and v and k not in ("vpc_SecureHash", "vpc_SecureHashType"))
        text = "&".join(f"{k}={v}" for k, v in kept)
        return text, mac("sha256", bytes.fromhex(secrets["hash_code_hex"]), text).hexdigest().upper()

    def fields(info):
        return [("vpc_AdditionData", "970436"), ("vpc_Amount", f"{AMOUNT}00"), ("vpc_Command", "pay"), ("vpc_CurrencyCode", "VND"),
                ("vpc_Locale", "vn"), ("vpc_MerchTxnRef", REF), ("vpc_Merchant", "DEVONEPAY"), ("vpc_Message", info),
                ("vpc_OrderInfo", info), ("vpc_TransactionNo", "2050042"), ("vpc_TxnResponseCode", "0"), ("vpc_Version", "2"),
                ("vpc_Card", ""), ("user_lop", "4Ă+1")]

    def made(name, query, text, signature, posted=False):
        request = {"method": "POST", "path": "/o", "headers": FORM, "body": query} if posted else {"method": "GET", "path": "/o", "query": query}
        return vector("onepay", name, "ipn", secrets, request, REF, "2050042", good, text, signature)

    for name, info in TEXTS.items():
        pairs = fields(info)
        text, signature = signed(pairs)
        for posted in (False, True):
            for order, shown in (("", pairs), ("-reversed", pairs[::-1])):
                for space in ("+", "%20"):
                    query = f"{form(shown, space)}&vpc_SecureHash={signature}"
                    way = "form" if posted else "query"
                    yield made(f"ipn-{way}-{name}{order}-{'plus' if space == '+' else 'percent'}", query, text, signature, posted)
    pairs = fields("x")
    text, signature = signed(pairs)
    for name, more in (("foreign", "Title=b%E1%BB%8F&again=1&again=2"), ("hash-type", "vpc_SecureHashType=SHA256")):
        yield made(f"ipn-{name}", f"{form(pairs)}&{more}&vpc_SecureHash={signature}", text, signature)
    for name, more in (("amount", "vpc_Amount=1"), ("user", "user_lop=9"), ("code", "vpc_TxnResponseCode=0")):
        yield refused(made(f"ipn-{name}-twice", f"{form(pairs)}&vpc_SecureHash={signature}&{more}", text, signature), "duplicate_parameter", bad)


# ---- 9Pay ----------------------------------------------------------------------------------
def ninepay():
    secrets = {"merchant_key": "DEV9PAY", "secret_key": "devNinePaySecret", "checksum_key": "devNinePayChecksum"}

    def result(info, **more):
        return {"amount": AMOUNT, "currency": "VND", "description": info, "invoice_no": REF, "payment_no": 290905000042,
                "status": 5, "error_code": "000", "failure_reason": None, **more}

    def made(name, value, way="raw", packed=None, shape=lambda r, c: form([("result", r), ("checksum", c), ("version", "2")])):
        packed = packed or base64.b64encode(written(value, way).encode()).decode()
        checksum = hashlib.sha256((packed + secrets["checksum_key"]).encode()).hexdigest().upper()
        return vector("ninepay", name, "ipn", secrets, {"method": "POST", "path": "/9", "headers": FORM, "body": shape(packed, checksum)},
                      REF, "290905000042", ack(200))

    for name, info in TEXTS.items():
        for way in WAYS:
            yield made(f"ipn-{name}-{way}", result(info), way)
    yield made("ipn-plus-not-escaped", result("ÿ>~?ÿ>~?"), shape=lambda r, c: f"result={r}&checksum={c}")
    yield made("ipn-reversed-and-new", backwards(result("x", moi=[1, {"a": "ă"}])), shape=lambda r, c: f"checksum={c.lower()}&moi=&result={quote_plus(r)}")
    yield refused(made("ipn-result-twice", result("x"), shape=lambda r, c: f"result={quote_plus(r)}&checksum={c}&result=e30"), "duplicate_parameter")
    again = twice(written(result("x"), "raw"), "amount", 1)
    yield refused(made("ipn-amount-twice-inside", None, packed=base64.b64encode(again.encode()).decode()), "duplicate_parameter")


# ---- Alepay --------------------------------------------------------------------------------
def alepay():
    secrets = {"checksum_key": "3x2rBWqf0UYOx1OFwQvrtbK3PuK4cL", "token_key": "tok"}

    def signed(body):
        text = "&".join(f"{k}={'' if body[k] is None else body[k]}" for k in sorted(body))
        return text, mac("sha256", secrets["checksum_key"], text).hexdigest()

    def body(info, **more):
        return {"transactionCode": "ALE42", "orderCode": REF, "amount": AMOUNT, "currency": "VND", "orderDescription": info,
                "status": "000", "message": "Thành công", "bankCode": "", "successTime": 1788578130123, **more}

    for name, info in TEXTS.items():
        for way in WAYS:
            value = body(info)
            text, signature = signed(value)
            yield vector("alepay", f"ipn-{name}-{way}", "ipn", secrets,
                         {"method": "POST", "path": "/a", "headers": JSON, "body": written({**value, "signature": signature}, way)},
                         REF, "ALE42", ok({"success": True}), text, signature)
    value = body("x", zone="ă", Alpha="")
    text, signature = signed(value)
    shown = written(backwards({**value, "signature": signature}), "raw")
    base = vector("alepay", "ipn-reversed-and-new", "ipn", secrets, {"method": "POST", "path": "/a", "headers": JSON, "body": shown},
                  REF, "ALE42", ok({"success": True}), text, signature)
    yield base
    yield refused(vector("alepay", "ipn-amount-twice", "ipn", secrets, {"method": "POST", "path": "/a", "headers": JSON, "body": twice(shown, "amount", 1)},
                         REF, "ALE42", None), "duplicate_parameter")


# ---- VietQR callback -----------------------------------------------------------------------
def vietqr_callback():
    secrets = {"username": "dev-user", "password": "dev-pass", "bearer": "dev.token", "memo_pattern": "HP[0-9]{6}"}

    def body(info, **more):
        return {"bankaccount": "0123456789", "amount": AMOUNT, "transType": "C", "content": f"VQR {CODE} {info}",
                "transactionid": "tx-42", "transactiontime": 1788578130000, "referencenumber": "FT26248000042", "orderId": CODE,
                "terminalCode": "", "subTerminalCode": "", "serviceCode": "", "urlLink": "", "sign": "", **more}

    def made(name, text):
        return vector("vietqr_callback", name, "webhook", secrets,
                      {"method": "POST", "path": "/vietqr/bank/api/transaction-sync", "headers": {**JSON, "authorization": "Bearer dev.token"}, "body": text},
                      CODE, "tx-42", ok({"error": False, "errorReason": "000"}))

    for name, info in TEXTS.items():
        for way in WAYS:
            yield made(f"sync-{name}-{way}", written(body(info), way))
    yield made("sync-reversed-and-new", written(backwards(body("x", moi=None, transactiontime="1788578130000")), "raw"))
    yield refused(made("sync-amount-twice", twice(written(body("x"), "raw"), "amount", 1)), "duplicate_parameter")


# ---- BIDV ----------------------------------------------------------------------------------
def bank_bidv():
    contracts = {
        "md5": ("hex(md5(secret + service_id + customer_id)); hex(md5(secret + trans_id + bill_id + amount))",
                lambda b: hashlib.md5(("devBidvSecret" + b["trans_id"] + b["bill_id"] + b["amount"]).encode()).hexdigest()),
        "pipes": ("hex(sha256(secret|service_id|customer_id)); hex(sha256(secret|trans_id|bill_id|amount))",
                  lambda b: hashlib.sha256("|".join(["devBidvSecret", b["trans_id"], b["bill_id"], b["amount"]]).encode()).hexdigest()),
    }
    for contract, (formula, sign) in contracts.items():
        secrets = {"secret": "devBidvSecret", "service_id": "000001", "contract": formula}
        for name, info in TEXTS.items():
            for way in WAYS:
                body = {"trans_id": "BIDV42", "trans_date": "20260905101530", "customer_id": CODE, "service_id": "000001",
                        "bill_id": "B42", "amount": str(AMOUNT), "note": info}
                shown = backwards({**body, "checksum": sign(body)})
                made = vector("bank_bidv", f"{contract}-pay-{name}-{way}", "bill_payment", secrets,
                              {"method": "POST", "path": "/bidv/paybill", "headers": JSON, "body": written(shown, way)},
                              CODE, "BIDV42", ok({"result_code": "000"}))
                made["order"].update({"bill_id": "B42", "customer_name": info})
                yield made
        text = twice(written(shown, "raw"), "amount", "1")
        made = vector("bank_bidv", f"{contract}-pay-amount-twice", "bill_payment", secrets,
                      {"method": "POST", "path": "/bidv/paybill", "headers": JSON, "body": text}, CODE, "BIDV42", None)
        made["order"].update({"bill_id": "B42", "customer_name": "x"})
        yield refused(made, "duplicate_parameter")


# ---- VietinBank ----------------------------------------------------------------------------
def bank_vietinbank():
    with tempfile.TemporaryDirectory() as folder:
        key = f"{folder}/key.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key], check=True, capture_output=True)
        public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True).stdout.decode()
        secrets = {"bank_public_key_pem": public, "provider_id": "DEVPROV"}

        def body(info):
            value = {"msgId": "m", "providerId": "DEVPROV", "transId": "VTB42", "transTime": "20260905101530", "transType": "C",
                     "custCode": CODE, "sendAcctName": info, "recvAcctNo": "1", "amount": str(AMOUNT), "bankTransId": "990S42",
                     "remark": info, "currencyCode": "VND", "new": {"a": []}}
            text = "".join(value[n] for n in ("transId", "transTime", "custCode", "amount", "bankTransId", "remark"))
            signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(), check=True, capture_output=True).stdout
            return text, {**value, "signature": base64.b64encode(signature).decode()}

        def made(name, text, shown):
            return vector("bank_vietinbank", name, "notify", secrets, {"method": "POST", "path": "/notify-bill", "headers": JSON, "body": shown},
                          CODE, "VTB42", ok({"errorCode": "00", "transId": "VTB42"}), text)

        for name, info in TEXTS.items():
            text, value = body(info)
            for way in WAYS:
                yield made(f"notify-{name}-{way}", text, written(backwards(value) if way == "raw" else value, way))
        text, value = body("x")
        yield refused(made("notify-amount-twice", text, twice(written(value, "raw"), "amount", "1")), "duplicate_parameter")


for provider in (vnpay, momo, zalopay, payos, sepay, sepay_pg, casso, onepay, ninepay, alepay, vietqr_callback, bank_bidv, bank_vietinbank):
    with open(f"{provider.__name__}.json", "w", encoding="utf-8") as out:
        lines = ",\n".join(json.dumps(v, ensure_ascii=False) for v in provider())
        out.write(f"[\n{lines}\n]\n")
