//! XMLDSig as the tax authority writes and reads it: inclusive C14N, rsa-sha256, sha256, references
//! by `Id` without transforms, the signing time in an `Object` of the signature.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;

use super::xml::{canonical, child, children, text};
use crate::moment;
use crate::pki::{CertificateView, Identity, PkiError, verify};

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const C14N: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const SHA256_URI: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const CERTIFICATE_BYTES_MAX: usize = 8 * 1024;

fn digest_of(bytes: &[u8]) -> String {
    STANDARD.encode(digest(&SHA256, bytes))
}

/// Signs elements given as `(Id, canonical bytes)`, in that order and after them the signing time.
pub(super) fn sign(
    signer: &Identity,
    unique: &str,
    parts: &[(&str, &str)],
    now: i64,
) -> Result<String, PkiError> {
    let object = format!(
        " Id=\"SigningTime-{unique}\"><SignatureProperties><SignatureProperty Id=\"Time-{unique}\" \
         Target=\"#CQT-{unique}\"><SigningTime>{}</SigningTime></SignatureProperty>\
         </SignatureProperties></Object>",
        moment::iso(now)
    );
    let canonical_object = format!("<Object xmlns=\"{DSIG}\"{object}");
    let time_id = format!("SigningTime-{unique}");
    let mut info = format!(
        "><CanonicalizationMethod Algorithm=\"{C14N}\"></CanonicalizationMethod>\
         <SignatureMethod Algorithm=\"{RSA_SHA256}\"></SignatureMethod>"
    );
    for (id, bytes) in parts
        .iter()
        .copied()
        .chain([(time_id.as_str(), canonical_object.as_str())])
    {
        info.push_str(&format!(
            "<Reference URI=\"#{id}\"><DigestMethod Algorithm=\"{SHA256_URI}\"></DigestMethod>\
             <DigestValue>{}</DigestValue></Reference>",
            digest_of(bytes.as_bytes())
        ));
    }
    info.push_str("</SignedInfo>");
    let value = signer.sign(format!("<SignedInfo xmlns=\"{DSIG}\"{info}").as_bytes())?;
    Ok(format!(
        "<Signature xmlns=\"{DSIG}\" Id=\"CQT-{unique}\"><SignedInfo{info}\
         <SignatureValue>{}</SignatureValue><KeyInfo><X509Data><X509Certificate>{}\
         </X509Certificate></X509Data></KeyInfo><Object{object}</Signature>",
        STANDARD.encode(value),
        STANDARD.encode(signer.certificate_der()),
    ))
}

/// What a seller's valid signature says.
pub(super) struct Signed {
    pub certificate: Vec<u8>,
    /// `YYYY-MM-DDThh:mm:ss`
    pub signing_time: String,
}

/// Verifies a signature that must cover `data` (by its source bytes) and its own signing time.
/// The error is a sentence for the seller.
pub(super) fn check(
    source: &str,
    data: Node<'_, '_>,
    signature: Node<'_, '_>,
) -> Result<Signed, String> {
    let part = |node, name: &str| child(node, name).ok_or_else(|| format!("chữ ký thiếu {name}"));
    if signature.tag_name().namespace() != Some(DSIG) {
        return Err("Signature sai không gian tên".to_owned());
    }
    let info = part(signature, "SignedInfo")?;
    algorithm(part(info, "CanonicalizationMethod")?, C14N)?;
    algorithm(part(info, "SignatureMethod")?, RSA_SHA256)?;
    let object = part(signature, "Object")?;
    let (mut covers_data, mut covers_time) = (false, false);
    for reference in children(info, "Reference") {
        let id = reference
            .attribute("URI")
            .and_then(|uri| uri.strip_prefix('#'))
            .unwrap_or("");
        transforms(reference)?;
        algorithm(part(reference, "DigestMethod")?, SHA256_URI)?;
        let given = compact(&text(part(reference, "DigestValue")?));
        let expected = if data.attribute("Id") == Some(id) {
            covers_data = true;
            digest_of(source[data.range()].as_bytes())
        } else {
            let signed = object
                .descendants()
                .find(|node| node.attribute("Id") == Some(id))
                .ok_or_else(|| format!("tham chiếu #{id} không thuộc hóa đơn hay chữ ký"))?;
            covers_time |= signed
                .descendants()
                .any(|node| node.tag_name().name() == "SigningTime");
            digest_of(
                canonical(signed)
                    .ok_or("chữ ký dùng tiền tố không gian tên")?
                    .as_bytes(),
            )
        };
        if given != expected {
            return Err(format!("giá trị băm của #{id} không khớp"));
        }
    }
    if !covers_data || !covers_time {
        return Err("chữ ký phải bao phủ DLHDon và thời điểm ký".to_owned());
    }
    let certificate = certificate(signature).ok_or("chữ ký thiếu chứng thư số")?;
    let view = CertificateView::read(&certificate).ok_or("chứng thư số không đọc được")?;
    let value = compact(&text(part(signature, "SignatureValue")?));
    let value = STANDARD
        .decode(value)
        .map_err(|_| "SignatureValue không phải base64")?;
    let signed_bytes = canonical(info).ok_or("chữ ký dùng tiền tố không gian tên")?;
    if !verify(view.public_key, signed_bytes.as_bytes(), &value) {
        return Err("giá trị chữ ký không khớp với chứng thư số".to_owned());
    }
    let signing_time = object
        .descendants()
        .find(|node| node.tag_name().name() == "SigningTime")
        .map(text)
        .unwrap_or_default();
    Ok(Signed {
        certificate,
        signing_time,
    })
}

fn algorithm(node: Node<'_, '_>, wanted: &str) -> Result<(), String> {
    match node.attribute("Algorithm") {
        Some(found) if found == wanted => Ok(()),
        found => Err(format!(
            "thuật toán {} không được chấp nhận",
            found.unwrap_or("(trống)")
        )),
    }
}

/// Neither changes the bytes of what may be referenced here.
fn transforms(reference: Node<'_, '_>) -> Result<(), String> {
    let Some(list) = child(reference, "Transforms") else {
        return Ok(());
    };
    for transform in children(list, "Transform") {
        let name = transform.attribute("Algorithm").unwrap_or("");
        if name != C14N && name != ENVELOPED {
            return Err(format!("phép biến đổi {name} không được chấp nhận"));
        }
    }
    Ok(())
}

fn certificate(signature: Node<'_, '_>) -> Option<Vec<u8>> {
    let node = signature
        .descendants()
        .find(|node| node.tag_name().name() == "X509Certificate")?;
    let text = compact(&text(node));
    (text.len() <= CERTIFICATE_BYTES_MAX)
        .then(|| STANDARD.decode(text).ok())
        .flatten()
}

fn compact(text: &str) -> String {
    text.split_whitespace().collect()
}
