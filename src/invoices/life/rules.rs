//! Which correction an invoice may get. Pure.

use crate::ids::InvoiceId;
use crate::invoices::document::{Correction, CorrectionReason};
use crate::invoices::store::{InvoiceKind, InvoiceState};

/// Why there is a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// A mistake (TT 91/2026 art. 10.1 b): adjusted or replaced, and always the same way again
    /// (art. 10.6 a).
    Error,
    /// The law asks for an adjustment (art. 10.5): a service that ended, goods returned, a price that
    /// an authority set later.
    Law,
}

impl Ground {
    pub const fn of(reason: CorrectionReason) -> Self {
        match reason {
            CorrectionReason::WronglyMade => Self::Error,
            CorrectionReason::Authority
            | CorrectionReason::GoodsReturned
            | CorrectionReason::ServiceCancelled => Self::Law,
        }
    }
}

/// One invoice of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub invoice_id: InvoiceId,
    pub kind: InvoiceKind,
    pub state: InvoiceState,
    /// The invoice that it adjusts or replaces.
    pub related: Option<InvoiceId>,
    /// Of corrections.
    pub ground: Option<Ground>,
}

/// Why a correction is not made; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no such invoice")]
    NoInvoice,
    /// Only what the authority has taken can be corrected; what it refused is mended instead.
    #[error("an invoice in state {0} cannot be corrected")]
    NotAccepted(InvoiceState),
    #[error("the invoice has been replaced")]
    Replaced,
    #[error("another correction is still on its way")]
    Pending,
    #[error("errors of this invoice were first corrected otherwise")]
    BoundTo(Correction),
    #[error("on this ground an invoice is adjusted, not replaced")]
    LawAdjusts,
    /// What a replacement would have to say about adjusted money, no rule tells.
    #[error("the invoice has been adjusted since")]
    AdjustedSince,
    #[error("nothing would change")]
    NothingChanges,
    #[error("the content has {found} lines, the invoice {expected}")]
    OtherLines { expected: usize, found: usize },
    #[error("an invoice does not document less than nothing")]
    BelowZero,
    /// A buyer who is an organisation agrees in writing before the correction.
    #[error("the agreement of the organisation is missing")]
    NoAgreement,
    #[error("the form was used before for another correction")]
    FormUsed,
    #[error("a refused invoice is mended in its words, not in its amounts")]
    AmountsStay,
    #[error("only a refused invoice can be mended")]
    NotRefused(InvoiceState),
}

/// The invoice that counts: the last replacement, or the root.
pub fn in_force(chain: &[Link]) -> Option<&Link> {
    let mut current = chain.iter().find(|link| link.related.is_none())?;
    // A chain has as many replacements as links at most.
    for _ in chain {
        let next = chain.iter().find(|link| {
            link.kind == InvoiceKind::Replacing
                && link.related.as_ref() == Some(&current.invoice_id)
        });
        match next {
            Some(next) => current = next,
            None => break,
        }
    }
    Some(current)
}

/// Whether `target` may be corrected this way now.
///
/// # Errors
/// [`Refusal`].
pub fn may_correct(
    chain: &[Link],
    target: &InvoiceId,
    method: Correction,
    ground: Ground,
) -> Result<(), Refusal> {
    let current = in_force(chain).ok_or(Refusal::NoInvoice)?;
    if current.invoice_id != *target {
        return Err(if chain.iter().any(|link| link.invoice_id == *target) {
            Refusal::Replaced
        } else {
            Refusal::NoInvoice
        });
    }
    if current.state != InvoiceState::Coded {
        return Err(match current.kind {
            InvoiceKind::Replacing if current.state != InvoiceState::Refused => Refusal::Pending,
            _ => Refusal::NotAccepted(current.state),
        });
    }
    let adjusted = chain.iter().filter(|link| {
        link.kind == InvoiceKind::Adjusting && link.related.as_ref() == Some(target)
    });
    if ground == Ground::Law {
        return match method {
            Correction::Adjusting => Ok(()),
            Correction::Replacing => Err(Refusal::LawAdjusts),
        };
    }
    if let Some(first) = first_method(chain)
        && first != method
    {
        return Err(Refusal::BoundTo(first));
    }
    match method {
        Correction::Adjusting => Ok(()),
        Correction::Replacing => match adjusted.clone().next() {
            Some(_) => Err(Refusal::AdjustedSince),
            None => Ok(()),
        },
    }
}

/// How the first error of the chain was corrected. `chain` is in the order of its corrections.
pub fn first_method(chain: &[Link]) -> Option<Correction> {
    chain
        .iter()
        .find(|link| link.ground == Some(Ground::Error))
        .and_then(|link| match link.kind {
            InvoiceKind::Adjusting => Some(Correction::Adjusting),
            InvoiceKind::Replacing => Some(Correction::Replacing),
            InvoiceKind::Original => None,
        })
}

/// The methods that a person may choose for an error, with the reason why not for the others.
pub fn choices(chain: &[Link], target: &InvoiceId) -> Vec<(Correction, Result<(), Refusal>)> {
    [Correction::Adjusting, Correction::Replacing]
        .into_iter()
        .map(|method| (method, may_correct(chain, target, method, Ground::Error)))
        .collect()
}

pub const fn kind_of(method: Correction) -> InvoiceKind {
    match method {
        Correction::Adjusting => InvoiceKind::Adjusting,
        Correction::Replacing => InvoiceKind::Replacing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> InvoiceId {
        InvoiceId::new(name)
    }

    fn link(name: &str, kind: InvoiceKind, of: Option<&str>, ground: Option<Ground>) -> Link {
        Link {
            invoice_id: id(name),
            kind,
            state: InvoiceState::Coded,
            related: of.map(id),
            ground,
        }
    }

    fn root() -> Link {
        link("o", InvoiceKind::Original, None, None)
    }

    #[test]
    fn the_first_method_binds_all_later_corrections_of_errors() {
        use Correction::{Adjusting, Replacing};
        let error = Some(Ground::Error);
        let adjusted = [root(), link("a", InvoiceKind::Adjusting, Some("o"), error)];
        assert_eq!(
            may_correct(&adjusted, &id("o"), Adjusting, Ground::Error),
            Ok(())
        );
        assert_eq!(
            may_correct(&adjusted, &id("o"), Replacing, Ground::Error),
            Err(Refusal::BoundTo(Adjusting))
        );
        let replaced = [root(), link("r", InvoiceKind::Replacing, Some("o"), error)];
        assert_eq!(
            may_correct(&replaced, &id("o"), Replacing, Ground::Error),
            Err(Refusal::Replaced)
        );
        assert_eq!(
            may_correct(&replaced, &id("r"), Replacing, Ground::Error),
            Ok(())
        );
        assert_eq!(
            may_correct(&replaced, &id("r"), Adjusting, Ground::Error),
            Err(Refusal::BoundTo(Replacing))
        );
    }

    #[test]
    fn the_law_adjusts_whatever_was_chosen_for_errors_and_binds_nobody() {
        use Correction::{Adjusting, Replacing};
        let (error, law) = (Some(Ground::Error), Some(Ground::Law));
        let replaced = [root(), link("r", InvoiceKind::Replacing, Some("o"), error)];
        assert_eq!(
            may_correct(&replaced, &id("r"), Adjusting, Ground::Law),
            Ok(())
        );
        assert_eq!(
            may_correct(&replaced, &id("r"), Replacing, Ground::Law),
            Err(Refusal::LawAdjusts)
        );
        let refunded = [root(), link("a", InvoiceKind::Adjusting, Some("o"), law)];
        assert_eq!(first_method(&refunded), None);
        assert_eq!(
            may_correct(&refunded, &id("o"), Adjusting, Ground::Error),
            Ok(())
        );
        assert_eq!(
            may_correct(&refunded, &id("o"), Replacing, Ground::Error),
            Err(Refusal::AdjustedSince)
        );
    }

    #[test]
    fn only_what_the_authority_took_is_corrected() {
        for state in [
            InvoiceState::Numbered,
            InvoiceState::Signed,
            InvoiceState::Sent,
            InvoiceState::Refused,
        ] {
            let mut original = root();
            original.state = state;
            for (_, choice) in choices(&[original.clone()], &id("o")) {
                assert_eq!(choice, Err(Refusal::NotAccepted(state)));
            }
            let mut second = link("r", InvoiceKind::Replacing, Some("o"), Some(Ground::Error));
            second.state = state;
            let expected = match state {
                InvoiceState::Refused => Refusal::NotAccepted(state),
                _ => Refusal::Pending,
            };
            assert_eq!(
                may_correct(
                    &[root(), second],
                    &id("r"),
                    Correction::Replacing,
                    Ground::Error
                ),
                Err(expected)
            );
        }
    }
}
