"""Signs one invoice again and again with lxml and signxml. Arguments: key (PEM), certificate (PEM),
unsigned invoice, seconds, and "text" to hand over the key as its text, as the documentation of signxml
does, or "loaded" to read it once. Prints documents a second of processor time; exits with 3 when a
package is missing."""
import sys
import time

try:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from lxml import etree
    from signxml import CanonicalizationMethod, SignatureReference, XMLSigner, methods
except ImportError as missing:
    print(missing, file=sys.stderr)
    sys.exit(3)

key_file, certificate_file, invoice_file, seconds, form = sys.argv[1:6]
key = open(key_file, "rb").read()
if form == "loaded":
    key = load_pem_private_key(key, None)
certificate = open(certificate_file).read()
invoice = open(invoice_file, "rb").read()


def sign():
    root = etree.fromstring(invoice)
    identity = root.find("DLHDon").get("Id")
    signer = XMLSigner(
        method=methods.detached,
        signature_algorithm="rsa-sha256",
        digest_algorithm="sha256",
        c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_0,
    )
    reference = SignatureReference(
        URI="#" + identity, c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0
    )
    signature = signer.sign(
        root, key=key, cert=certificate, reference_uri=[reference], id_attribute="Id"
    )
    slots = etree.SubElement(root, "DSCKS")
    etree.SubElement(slots, "NBan").append(signature)
    return etree.tostring(root)


sign()
begun = time.process_time()
signed = 0
while time.process_time() - begun < float(seconds):
    sign()
    signed += 1
print(int(signed / (time.process_time() - begun)))
