//! The messages between a provider and us.

use serde::{Deserialize, Serialize};

/// Which message of a provider is meant; the names are those of vector files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// Server-to-server report of a payment.
    Ipn,
    /// The payer's browser coming back. Display only.
    Return,
    /// Report of a bank credit.
    Webhook,
    /// The same in a provider's earlier form, still in use.
    WebhookV1,
    /// Report of a payment by a bank's bill-collection host.
    Notify,
    /// A bank asks for the open bills of a customer.
    BillInquiry,
    /// A bank pays a bill; it debits the payer only if we agree.
    BillPayment,
    /// The provider fetches the bearer token its notices will carry.
    Token,
    /// Our request to start a payment.
    Create,
    /// Our question about a payment.
    Query,
    /// Our request to send money back.
    Refund,
    /// Our question about a refund.
    QueryRefund,
    /// Our request to capture an authorised payment.
    Confirm,
    /// Our request to end an order nobody has paid.
    Cancel,
    /// Our question for the movements of an account, whose notices may have been lost.
    List,
    /// Replies to the requests above.
    CreateResponse,
    QueryResponse,
    RefundResponse,
    QueryRefundResponse,
    ConfirmResponse,
    CancelResponse,
    ListResponse,
}

impl Flow {
    pub const ALL: [Self; 22] = [
        Self::Ipn,
        Self::Return,
        Self::Webhook,
        Self::WebhookV1,
        Self::Notify,
        Self::BillInquiry,
        Self::BillPayment,
        Self::Token,
        Self::Create,
        Self::Query,
        Self::Refund,
        Self::QueryRefund,
        Self::Confirm,
        Self::Cancel,
        Self::List,
        Self::CreateResponse,
        Self::QueryResponse,
        Self::RefundResponse,
        Self::QueryRefundResponse,
        Self::ConfirmResponse,
        Self::CancelResponse,
        Self::ListResponse,
    ];

    /// The stable code, as in recipes, vector files and on the command line.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ipn => "ipn",
            Self::Return => "return",
            Self::Webhook => "webhook",
            Self::WebhookV1 => "webhook_v1",
            Self::Notify => "notify",
            Self::BillInquiry => "bill_inquiry",
            Self::BillPayment => "bill_payment",
            Self::Token => "token",
            Self::Create => "create",
            Self::Query => "query",
            Self::Refund => "refund",
            Self::QueryRefund => "query_refund",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
            Self::List => "list",
            Self::CreateResponse => "create_response",
            Self::QueryResponse => "query_response",
            Self::RefundResponse => "refund_response",
            Self::QueryRefundResponse => "query_refund_response",
            Self::ConfirmResponse => "confirm_response",
            Self::CancelResponse => "cancel_response",
            Self::ListResponse => "list_response",
        }
    }

    /// The flow of a code; `None` for one this contract does not know.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.code() == code)
    }

    /// Whether the message reports payments, so that [`read_notice`](super::Adapter::read_notice)
    /// reads it.
    pub const fn is_notice(self) -> bool {
        matches!(
            self,
            Self::Ipn
                | Self::Return
                | Self::Webhook
                | Self::WebhookV1
                | Self::Notify
                | Self::BillPayment
        )
    }

    /// Whether the message comes in by a call of the provider or of a browser.
    pub const fn is_inbound(self) -> bool {
        self.is_notice() || matches!(self, Self::BillInquiry | Self::Token)
    }

    /// The reply to a request of ours; `None` for everything else.
    pub const fn response(self) -> Option<Self> {
        match self {
            Self::Create => Some(Self::CreateResponse),
            Self::Query => Some(Self::QueryResponse),
            Self::Refund => Some(Self::RefundResponse),
            Self::QueryRefund => Some(Self::QueryRefundResponse),
            Self::Confirm => Some(Self::ConfirmResponse),
            Self::Cancel => Some(Self::CancelResponse),
            Self::List => Some(Self::ListResponse),
            _ => None,
        }
    }

    /// The request a reply answers; `None` for everything else.
    pub fn request(self) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|flow| flow.response() == Some(self))
    }
}
