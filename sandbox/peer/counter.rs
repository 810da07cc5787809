//! The payment page all providers share: what is asked for, and a button for every way it can end.

use std::time::Duration;

use super::{
    Announced, Event, NoticeLever, Order, OrderState, Outcome, Peer, RawRequest, RawResponse,
    Reply, Served,
};
use crate::page::{dong, escape, render};
use crate::{forms, moment};

/// Where the page is; the order's handle follows as `order`.
pub(crate) const PATH: &str = "/page/pay";

/// What differs between providers.
pub(crate) struct Counter<'a> {
    /// `Ví MoMo (mô phỏng)`
    pub title: &'a str,
    /// Shown to the payer.
    pub merchant: &'a str,
    /// Code and name of banks to choose from; the code comes back as the event's `bank`.
    pub banks: &'a [(&'a str, &'a str)],
    /// Where the browser goes, with what the provider signs for it.
    pub back: &'a dyn Fn(&Order, &Event) -> String,
}

/// The address of the page for an order.
pub(crate) fn address(base_url: &str, handle: &str) -> String {
    format!("{base_url}{PATH}?order={}", forms::encode(handle))
}

/// Buttons, with the words they post.
const ENDINGS: [(&str, Outcome, &str); 3] = [
    ("paid", Outcome::Paid, "Thanh toán thành công"),
    ("cancelled", Outcome::Cancelled, "Huỷ giao dịch"),
    ("no-funds", Outcome::Failed, "Không đủ tiền"),
];

pub(crate) fn word(outcome: Outcome) -> &'static str {
    ENDINGS
        .iter()
        .find(|(_, ending, _)| *ending == outcome)
        .map_or("no-funds", |(word, ..)| word)
}

/// Serves the page and its buttons; `None` for any other path.
pub(crate) fn serve(
    peer: &dyn Peer,
    counter: &Counter<'_>,
    request: &RawRequest,
    base_url: &str,
    now: i64,
) -> Option<Served> {
    if request.path != PATH {
        return None;
    }
    let pairs = if request.method == "GET" {
        request.query_pairs()
    } else {
        request.form()
    }
    .unwrap_or_default();
    let handle = forms::value(&pairs, "order").unwrap_or("");
    let Some(order) = peer.book().order_by_handle(handle) else {
        return Some(refuse("Không có giao dịch này.", "unknown"));
    };
    if request.method == "GET" {
        return Some(Served::answer(show(counter, &order, base_url)));
    }
    let ending = forms::value(&pairs, "result").unwrap_or("");
    let Some((_, outcome, _)) = ENDINGS.iter().find(|(word, ..)| *word == ending) else {
        return Some(refuse("Hãy chọn một kết quả.", "result"));
    };
    let bank = forms::value(&pairs, "bank").unwrap_or("");
    let bank = counter
        .banks
        .iter()
        .find(|(code, _)| *code == bank)
        .or(counter.banks.first());
    Some(press(
        peer,
        counter,
        &order,
        *outcome,
        bank.map(|(code, _)| *code),
        now,
    ))
}

pub(crate) fn refuse(reason: &str, code: &str) -> Served {
    let body = format!(
        "<p>{}</p><p>Mã lỗi: {}</p><p>Hãy quay lại trang hóa đơn và thử lại.</p>",
        escape(reason),
        escape(code)
    );
    Served::answer(render(400, "Không thể thanh toán", &body, &[]))
}

/// The page of an order.
pub(crate) fn show(counter: &Counter<'_>, order: &Order, base_url: &str) -> RawResponse {
    let mut facts = format!(
        "<dl><dt>Đơn vị</dt><dd>{}</dd><dt>Số tiền</dt><dd><strong>{}</strong></dd>\
         <dt>Nội dung</dt><dd>{}</dd><dt>Mã đơn hàng</dt><dd>{}</dd>",
        escape(counter.merchant),
        dong(order.amount),
        escape(&order.info),
        escape(&order.reference),
    );
    if let Some(end) = order.expires_at {
        facts.push_str(&format!("<dt>Hết hạn</dt><dd>{}</dd>", moment::shown(end)));
    }
    facts.push_str("</dl>");
    let banks: String = counter
        .banks
        .iter()
        .enumerate()
        .map(|(index, (code, name))| {
            let checked = if index == 0 { " checked" } else { "" };
            format!(
                "<label><input type=\"radio\" name=\"bank\" value=\"{code}\"{checked}> {name}</label>"
            )
        })
        .collect();
    let banks = if banks.is_empty() {
        banks
    } else {
        format!("<fieldset><legend>Chọn ngân hàng</legend>{banks}</fieldset>")
    };
    let buttons: String = ENDINGS
        .iter()
        .enumerate()
        .map(|(index, (word, _, label))| {
            let main = if index == 0 { " class=\"main\"" } else { "" };
            format!("<button{main} name=\"result\" value=\"{word}\">{label}</button>")
        })
        .collect();
    let body = format!(
        "{facts}<form method=\"post\" action=\"{base_url}{PATH}\">\
         <input type=\"hidden\" name=\"order\" value=\"{handle}\">{banks}{buttons}</form>",
        base_url = escape(base_url),
        handle = escape(&order.handle),
    );
    let mut leaves_to = vec![order.return_url.as_str()];
    leaves_to.extend(order.cancel_url.as_deref());
    render(200, counter.title, &body, &leaves_to)
}

/// A button was pressed: the order ends, the notices that follow are announced, the browser goes back.
fn press(
    peer: &dyn Peer,
    counter: &Counter<'_>,
    order: &Order,
    outcome: Outcome,
    bank: Option<&str>,
    now: i64,
) -> Served {
    let Some(order) = peer.book().finish(&order.reference, outcome, now) else {
        let ended = peer.book().order(&order.reference);
        return match ended.map(|order| order.state) {
            Some(OrderState::Expired) => {
                refuse("Giao dịch đã quá thời gian chờ thanh toán.", "expired")
            }
            _ => refuse("Giao dịch đã được thực hiện trước đó.", "ended"),
        };
    };
    let mut event = event_of(peer, &order, outcome, now);
    if let Some(bank) = bank {
        event.echo.push(("bank", bank.to_owned()));
    }
    Served {
        reply: Reply::Answer(RawResponse::see(&(counter.back)(&order, &event))),
        notices: announce(peer, &order, &event),
    }
}

/// What a provider would report of an order now.
pub(crate) fn event_of(peer: &dyn Peer, order: &Order, outcome: Outcome, now: i64) -> Event {
    let number = match order.transactions.last() {
        Some(transaction) if outcome == Outcome::Paid => transaction.number,
        _ => peer.book().next_number(),
    };
    let mut event = Event::paid(&order.reference, order.amount, number, now)
        .ending(outcome)
        .about(&order.info);
    event.echo.clone_from(&order.echo);
    event
}

/// The notices of an event under the levers of the book.
fn announce(peer: &dyn Peer, order: &Order, event: &Event) -> Vec<Announced> {
    let reported = peer.abilities().reports;
    let mut events = vec![event.clone()];
    let (mut copies, mut delay) = (1, Duration::ZERO);
    for lever in &peer.book().levers().notices {
        match lever {
            NoticeLever::Together(times) => copies = *times,
            NoticeLever::Late(wait) => delay = *wait,
            NoticeLever::Dropped => events.clear(),
            NoticeLever::FailedThenPaid if event.outcome == Outcome::Paid => {
                let failed = event.clone().as_transaction(peer.book().next_number());
                events.insert(0, failed.ending(Outcome::Failed));
            }
            NoticeLever::PaidThenFailed if event.outcome == Outcome::Paid => {
                let failed = event.clone().as_transaction(peer.book().next_number());
                events.push(failed.ending(Outcome::Failed));
            }
            NoticeLever::Twice if event.outcome == Outcome::Paid => {
                let number = peer.book().next_number();
                peer.book().record(
                    &order.reference,
                    super::Transaction {
                        number,
                        amount: event.amount,
                        at: event.at,
                    },
                );
                events.push(event.clone().as_transaction(number));
            }
            NoticeLever::OtherAmount(amount) => {
                events = events
                    .into_iter()
                    .map(|event| event.of_amount(*amount))
                    .collect();
            }
            NoticeLever::FailedThenPaid | NoticeLever::PaidThenFailed | NoticeLever::Twice => {}
        }
    }
    events
        .into_iter()
        .filter(|event| reported.contains(&event.outcome))
        .map(|event| Announced {
            address: order.notify_url.clone(),
            event,
            copies,
            delay,
        })
        .collect()
}
