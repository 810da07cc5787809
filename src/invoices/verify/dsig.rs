//! XML signatures, checked with our own canonical form and an allow-list of algorithms.
//!
//! A valid signature says little by itself: the caller must ask which elements it covers.

use std::cell::RefCell;
use std::sync::Arc;

use super::tree::Node;
use aws_lc_rs::digest::{self, digest};
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RsaParameters, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::c14n::{Form, canonical};
use super::tree::{elements, is, path, value};
use crate::invoices::signature::Certificate;
use crate::invoices::signature::names::{C14N, DSIG, RSA_SHA256, SHA256};

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const RSA_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
static PARAMETERS_SHA256: &RsaParameters = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
/// Seller and authority need two or three; every one costs a digest.
const REFERENCES_MAX: usize = 8;

/// What is wrong with a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureProblem {
    #[error("{0} is missing or stands more than once")]
    Structure(&'static str),
    #[error("algorithm {0} is not accepted")]
    Algorithm(String),
    #[error("reference {0:?} does not name exactly one element of the file")]
    Reference(String),
    #[error("{place} was changed after it was signed")]
    Digest { place: String },
    #[error("the signature value does not belong to the signed references and the certificate")]
    Value,
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
}

/// A signature that holds, and what it covers.
#[derive(Debug)]
pub struct Checked<'a, 'i> {
    /// Elements the references resolve to.
    pub covered: Vec<Node<'a, 'i>>,
    pub certificate: Arc<Certificate>,
    /// SHA-1 somewhere: old files only.
    pub old_algorithm: bool,
    /// SigningTime that lies inside a covered element of this signature.
    pub signing_time: Option<String>,
}

/// Elements of a file by their Id.
#[derive(Debug, Default)]
pub struct Index<'a, 'i>(Vec<(&'a str, Node<'a, 'i>)>);

impl<'a, 'i> Index<'a, 'i> {
    /// In the order of the file.
    pub fn new(mut found: Vec<(&'a str, Node<'a, 'i>)>) -> Self {
        // Stable: of one Id the first stays first.
        found.sort_by_key(|(id, _)| *id);
        Self(found)
    }

    /// The element of this Id; none for an Id that stands more than once, which could mean two.
    fn get(&self, id: &str) -> Option<Node<'a, 'i>> {
        let first = self.0.partition_point(|(known, _)| *known < id);
        let of_id = |at: usize| self.0.get(at).filter(|(known, _)| *known == id);
        match (of_id(first), of_id(first + 1)) {
            (Some((_, node)), None) => Some(*node),
            _ => None,
        }
    }

    /// Elements whose Id another has before them.
    pub fn repeated(&self) -> impl Iterator<Item = (&'a str, Node<'a, 'i>)> {
        self.0
            .windows(2)
            .filter(|pair| pair[0].0 == pair[1].0)
            .map(|pair| pair[1])
    }
}

/// Checks one `Signature` element completely: digests of all references and the signature value.
///
/// # Errors
/// The first [`SignatureProblem`].
pub fn check<'a, 'i>(
    signature: Node<'a, 'i>,
    source: &str,
    index: &Index<'a, 'i>,
) -> Result<Checked<'a, 'i>, SignatureProblem> {
    let signed_info = one(signature, "SignedInfo")?;
    let form = canonical_form(one(signed_info, "CanonicalizationMethod")?)?;
    let method = algorithm(one(signed_info, "SignatureMethod")?);
    let (parameters, mut old_algorithm): (&'static RsaParameters, bool) = match method {
        RSA_SHA256 => (PARAMETERS_SHA256, false),
        RSA_SHA1 => (&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, true),
        other => return Err(SignatureProblem::Algorithm(other.to_owned())),
    };

    let mut covered = Vec::new();
    for reference in in_dsig(signed_info, "Reference") {
        if covered.len() == REFERENCES_MAX {
            return Err(SignatureProblem::Structure("Reference"));
        }
        let (target, old_digest) = check_reference(reference, signature, source, index)?;
        old_algorithm |= old_digest;
        covered.push(target);
    }
    if covered.is_empty() {
        return Err(SignatureProblem::Structure("Reference"));
    }

    let value_bytes = decode(one(signature, "SignatureValue")?)
        .ok_or(SignatureProblem::Structure("SignatureValue"))?;
    let message = canonical(signed_info, source, &form, None);
    let certificate = signers(one(signature, "KeyInfo")?)?
        .into_iter()
        .find(|signer| signer.signed(parameters, &message, &value_bytes))
        .map(|signer| Arc::clone(&signer.certificate))
        .ok_or(SignatureProblem::Value)?;
    Ok(Checked {
        signing_time: signing_time(signature, &covered),
        covered,
        certificate,
        old_algorithm,
    })
}

fn check_reference<'a, 'i>(
    reference: Node<'a, 'i>,
    signature: Node<'a, 'i>,
    source: &str,
    index: &Index<'a, 'i>,
) -> Result<(Node<'a, 'i>, bool), SignatureProblem> {
    let uri = reference.attribute("URI").unwrap_or_default();
    // Nothing outside its own invoice is a signature's business.
    let scope = signature.ancestors().find(|node| is(*node, "HDon"));
    let target = uri
        .strip_prefix('#')
        .and_then(|id| index.get(id))
        .filter(|target| scope.is_none_or(|scope| target.ancestors().any(|node| node == scope)))
        .ok_or_else(|| SignatureProblem::Reference(uri.to_owned()))?;
    let mut form = Form::Inclusive;
    let mut without = None;
    for transform in in_dsig(reference, "Transforms").flat_map(|list| in_dsig(list, "Transform")) {
        match algorithm(transform) {
            // Java and .NET treat it as nothing where the signature holds the target (einvoice §3.2).
            ENVELOPED => {
                if signature.ancestors().any(|ancestor| ancestor == target) && signature != target {
                    without = Some(signature);
                }
            }
            _ => form = canonical_form(transform)?,
        }
    }
    let (kind, old) = match algorithm(one(reference, "DigestMethod")?) {
        SHA256 => (&digest::SHA256, false),
        SHA1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, true),
        other => return Err(SignatureProblem::Algorithm(other.to_owned())),
    };
    let stated =
        decode(one(reference, "DigestValue")?).ok_or(SignatureProblem::Structure("DigestValue"))?;
    let found = digest(kind, &canonical(target, source, &form, without));
    if found.as_ref() != stated {
        return Err(SignatureProblem::Digest {
            place: path(target),
        });
    }
    Ok((target, old))
}

/// Values of the attributes that may name an element.
pub fn ids<'a>(node: Node<'a, '_>) -> impl Iterator<Item = &'a str> {
    node.attributes()
        .filter(|attribute| {
            attribute.namespace().is_none() && matches!(attribute.name(), "Id" | "ID" | "id")
        })
        .map(|attribute| attribute.value())
}

/// Child elements in the namespace of XML signatures.
pub fn in_dsig<'a, 'i: 'a>(parent: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    elements(parent).filter(move |child| child.is_named(Some(DSIG), name))
}

fn one<'a, 'i>(parent: Node<'a, 'i>, name: &'static str) -> Result<Node<'a, 'i>, SignatureProblem> {
    let mut found = in_dsig(parent, name);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(SignatureProblem::Structure(name)),
    }
}

fn algorithm<'a>(method: Node<'a, '_>) -> &'a str {
    method.attribute("Algorithm").unwrap_or_default()
}

fn canonical_form(method: Node<'_, '_>) -> Result<Form, SignatureProblem> {
    match algorithm(method) {
        C14N => Ok(Form::Inclusive),
        EXCLUSIVE => Ok(Form::Exclusive(
            elements(method)
                .filter(|child| child.is_named(Some(EXCLUSIVE), "InclusiveNamespaces"))
                .filter_map(|child| child.attribute("PrefixList"))
                .flat_map(str::split_ascii_whitespace)
                .map(|prefix| match prefix {
                    "#default" => String::new(),
                    named => named.to_owned(),
                })
                .collect(),
        )),
        other => Err(SignatureProblem::Algorithm(other.to_owned())),
    }
}

fn decode(node: Node<'_, '_>) -> Option<Vec<u8>> {
    decoded(&value(node))
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    if !text.contains(|found: char| found.is_ascii_whitespace()) {
        return STANDARD.decode(text).ok();
    }
    let joined: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(joined).ok()
}

/// A certificate with its key made ready for RSA with SHA-256, which almost every signature has.
struct Signer {
    certificate: Arc<Certificate>,
    key: Option<ParsedPublicKey>,
}

impl Signer {
    fn of(text: &str) -> Result<Self, SignatureProblem> {
        let der = decoded(text).ok_or(SignatureProblem::Structure("X509Certificate"))?;
        let certificate = Certificate::from_der(&der)
            .map_err(|error| SignatureProblem::Certificate(error.to_string()))?;
        Ok(Self {
            key: ParsedPublicKey::new(PARAMETERS_SHA256, certificate.public_key()).ok(),
            certificate: Arc::new(certificate),
        })
    }

    fn signed(&self, parameters: &'static RsaParameters, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Some(key) if std::ptr::eq(parameters, PARAMETERS_SHA256) => {
                key.verify_sig(message, signature).is_ok()
            }
            _ => UnparsedPublicKey::new(parameters, self.certificate.public_key())
                .verify(message, signature)
                .is_ok(),
        }
    }
}

fn signers(key_info: Node<'_, '_>) -> Result<Vec<Arc<Signer>>, SignatureProblem> {
    let found = in_dsig(key_info, "X509Data")
        .flat_map(|data| in_dsig(data, "X509Certificate"))
        .map(|node| known(&value(node)))
        .collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        return Err(SignatureProblem::Structure("X509Certificate"));
    }
    Ok(found)
}

/// Signers that each thread keeps: a seller signs thousands of invoices with one certificate.
const KEPT_MAX: usize = 64;

thread_local! {
    /// By the certificate as it is written, the last one used at the end.
    static KEPT: RefCell<Vec<(String, Arc<Signer>)>> = RefCell::default();
}

fn known(text: &str) -> Result<Arc<Signer>, SignatureProblem> {
    let found = KEPT.with_borrow_mut(|kept| {
        let at = kept.iter().rposition(|(known, _)| known == text)?;
        kept[at..].rotate_left(1);
        kept.last().map(|(_, signer)| Arc::clone(signer))
    });
    if let Some(signer) = found {
        return Ok(signer);
    }
    let signer = Arc::new(Signer::of(text)?);
    KEPT.with_borrow_mut(|kept| {
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((text.to_owned(), Arc::clone(&signer)));
    });
    Ok(signer)
}

/// The only SigningTime of the signature, if a reference covers it. Its namespace varies in real
/// files (some reset it to none, XAdES has its own).
fn signing_time(signature: Node<'_, '_>, covered: &[Node<'_, '_>]) -> Option<String> {
    let mut times = signature
        .descendants()
        .filter(|node| node.is_element() && node.tag_name().name() == "SigningTime");
    let (Some(time), None) = (times.next(), times.next()) else {
        return None;
    };
    time.ancestors()
        .any(|ancestor| covered.contains(&ancestor))
        .then(|| value(time).into_owned())
}
