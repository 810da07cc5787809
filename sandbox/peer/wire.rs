//! Requests and answers as bytes, and places in them.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::forms;

/// A request as it crosses the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// What follows the address it is sent to; empty, or beginning with a slash.
    pub path: String,
    /// Raw, without the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl RawRequest {
    pub fn get(path: &str, query: String) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            query,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn post(path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST",
            path: path.to_owned(),
            query: String::new(),
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
        }
    }

    pub fn post_json(path: &str, value: &Value) -> Self {
        Self::post(path, "application/json", value.to_string())
    }

    /// `fields` in the given order, form-encoded.
    pub fn post_form(path: &str, fields: &[(&str, String)]) -> Self {
        Self::post(
            path,
            "application/x-www-form-urlencoded",
            forms::join(fields.iter().map(|(name, value)| (*name, value.as_str()))),
        )
    }

    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The decoded pairs of a form body.
    pub(crate) fn form(&self) -> Option<Vec<(String, String)>> {
        forms::pairs(std::str::from_utf8(&self.body).ok()?)
    }

    /// The decoded pairs of the query.
    pub(crate) fn query_pairs(&self) -> Option<Vec<(String, String)>> {
        forms::pairs(&self.query)
    }

    /// A browser asks, not a program.
    pub(crate) fn wants_page(&self) -> bool {
        self.header("accept")
            .is_some_and(|accept| accept.contains("text/html"))
            || self.path.starts_with("/page/")
            || [".html", ".op", "/portal", "/checkout/init"]
                .iter()
                .any(|end| self.path.ends_with(end))
    }
}

/// An answer as it crosses the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl RawResponse {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
        }
    }

    pub fn json(value: &Value) -> Self {
        Self::json_as(200, value)
    }

    pub fn json_as(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    pub fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text)
    }

    /// Sends a browser elsewhere.
    pub fn see(location: &str) -> Self {
        Self {
            status: 302,
            headers: vec![("location".to_owned(), location.to_owned())],
            body: Vec::new(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body read as JSON, whatever the content type says.
    pub fn read_json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Changes every digit 1 to 2 and 0 to 1 in the body, so that what it says no longer is what was
    /// signed.
    pub(crate) fn spoil_numbers(&mut self) {
        for byte in &mut self.body {
            match *byte {
                b'1' => *byte = b'2',
                b'0' => *byte = b'1',
                _ => {}
            }
        }
    }
}

impl IntoResponse for RawResponse {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(&value),
            ) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// Where a value stands in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Query,
    Form,
    Header,
    /// A member of a header's `k=v,k=v` list; the field's name is `header/key`.
    HeaderPart,
    /// A JSON body; the name is a pointer without its first slash: `data/amount`.
    Json,
    /// JSON written as text in a member of a JSON body: the member, then a pointer inside the text.
    JsonText(&'static str),
    /// JSON in base64 in a field of a form: the field, then a pointer inside.
    FormBase64(&'static str),
    /// The whole body.
    Body,
}

/// A named value of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub place: Place,
    pub name: String,
}

impl Field {
    pub fn new(place: Place, name: impl Into<String>) -> Self {
        Self {
            place,
            name: name.into(),
        }
    }

    pub fn all(place: &Place, names: &[&str]) -> Vec<Self> {
        names
            .iter()
            .map(|name| Self::new(place.clone(), *name))
            .collect()
    }

    /// The value as text; `None` when it is absent or null.
    pub fn read(&self, request: &RawRequest) -> Option<String> {
        match &self.place {
            Place::Query => forms::value(&request.query_pairs()?, &self.name).map(str::to_owned),
            Place::Form => forms::value(&request.form()?, &self.name).map(str::to_owned),
            Place::Header => request.header(&self.name).map(str::to_owned),
            Place::HeaderPart => {
                let (header, key) = self.name.split_once('/')?;
                request.header(header)?.split(',').find_map(|part| {
                    part.trim()
                        .strip_prefix(key)?
                        .strip_prefix('=')
                        .map(str::to_owned)
                })
            }
            Place::Json => text_of(request.json()?.pointer(&format!("/{}", self.name))?),
            Place::JsonText(member) => {
                let inner = request.json()?[*member].as_str()?.to_owned();
                let inner: Value = serde_json::from_str(&inner).ok()?;
                text_of(inner.pointer(&format!("/{}", self.name))?)
            }
            Place::FormBase64(field) => {
                text_of(base64_json(request, field)?.pointer(&format!("/{}", self.name))?)
            }
            Place::Body => String::from_utf8(request.body.clone()).ok(),
        }
    }

    /// The request with another value there, everything else as it was. A JSON number stays a number
    /// when the new text is one.
    pub fn write(&self, request: &RawRequest, text: &str) -> RawRequest {
        self.replace(request, Some(text))
    }

    /// The request without the value.
    pub fn remove(&self, request: &RawRequest) -> RawRequest {
        self.replace(request, None)
    }

    /// The request with a value there that differs in one character or unit.
    pub fn tamper(&self, request: &RawRequest) -> RawRequest {
        if self.place == Place::Body {
            let mut changed = request.clone();
            changed.body.push(b' ');
            return changed;
        }
        self.write(request, &other(&self.read(request).unwrap_or_default()))
    }

    fn replace(&self, request: &RawRequest, text: Option<&str>) -> RawRequest {
        let mut changed = request.clone();
        match &self.place {
            Place::Query => changed.query = replace_piece(&request.query, &self.name, text),
            Place::Form => {
                let body = String::from_utf8_lossy(&request.body);
                changed.body = replace_piece(&body, &self.name, text).into_bytes();
            }
            Place::Header => {
                changed.headers.retain(|(name, _)| *name != self.name);
                if let Some(text) = text {
                    changed.headers.push((self.name.clone(), text.to_owned()));
                }
            }
            Place::HeaderPart => {
                let Some((header, key)) = self.name.split_once('/') else {
                    return changed;
                };
                for (name, value) in &mut changed.headers {
                    if name == header {
                        let parts: Vec<String> = value
                            .split(',')
                            .filter_map(|part| match part.split_once('=') {
                                Some((name, _)) if name.trim() == key => {
                                    text.map(|text| format!("{key}={text}"))
                                }
                                _ => Some(part.to_owned()),
                            })
                            .collect();
                        *value = parts.join(",");
                    }
                }
            }
            Place::Json => {
                if let Some(mut body) = request.json() {
                    put(&mut body, &self.name, text);
                    changed.body = body.to_string().into_bytes();
                }
            }
            Place::JsonText(member) => {
                if let Some(mut body) = request.json()
                    && let Some(mut inner) = body[*member]
                        .as_str()
                        .and_then(|inner| serde_json::from_str(inner).ok())
                {
                    put(&mut inner, &self.name, text);
                    body[*member] = Value::String(inner.to_string());
                    changed.body = body.to_string().into_bytes();
                }
            }
            Place::FormBase64(field) => {
                if let Some(mut inner) = base64_json(request, field) {
                    put(&mut inner, &self.name, text);
                    let body = String::from_utf8_lossy(&request.body);
                    changed.body =
                        replace_piece(&body, field, Some(&BASE64.encode(inner.to_string())))
                            .into_bytes();
                }
            }
            Place::Body => changed.body = text.unwrap_or_default().as_bytes().to_vec(),
        }
        changed
    }
}

/// A JSON scalar as providers write it into the text they sign: null is empty.
pub(crate) fn plain(value: &Value) -> String {
    text_of(value).unwrap_or_default()
}

/// An address with further query pairs.
pub(crate) fn with_query(address: &str, pairs: &[(&str, String)]) -> String {
    let mark = if address.contains('?') { '&' } else { '?' };
    let query = forms::join(pairs.iter().map(|(name, value)| (*name, value.as_str())));
    format!("{address}{mark}{query}")
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn base64_json(request: &RawRequest, field: &str) -> Option<Value> {
    let form = request.form()?;
    let bytes = BASE64.decode(forms::value(&form, field)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn put(body: &mut Value, pointer: &str, text: Option<&str>) {
    let (parent, last) = match pointer.rsplit_once('/') {
        Some((parent, last)) => (format!("/{parent}"), last),
        None => (String::new(), pointer),
    };
    let Some(parent) = body.pointer_mut(&parent) else {
        return;
    };
    match (parent, text) {
        (Value::Object(members), None) => {
            members.shift_remove(last);
        }
        (Value::Object(members), Some(text)) => {
            let value = match members.get(last) {
                Some(Value::Number(_)) => serde_json::from_str::<serde_json::Number>(text)
                    .map_or_else(|_| Value::from(text), Value::Number),
                _ => Value::from(text),
            };
            members.insert(last.to_owned(), value);
        }
        (Value::Array(items), Some(text)) => {
            if let Some(item) = last.parse().ok().and_then(|at: usize| items.get_mut(at)) {
                *item = Value::from(text);
            }
        }
        _ => {}
    }
}

fn replace_piece(pieces: &str, name: &str, text: Option<&str>) -> String {
    let mut found = false;
    let mut kept: Vec<String> = pieces
        .split('&')
        .filter(|piece| !piece.is_empty())
        .filter_map(|piece| {
            let key = piece.split('=').next().unwrap_or("");
            if forms::decode(key).as_deref() == Some(name) {
                found = true;
                text.map(|text| format!("{key}={}", forms::encode(text)))
            } else {
                Some(piece.to_owned())
            }
        })
        .collect();
    if let (false, Some(text)) = (found, text) {
        kept.push(format!("{}={}", forms::encode(name), forms::encode(text)));
    }
    kept.join("&")
}

/// A text of the same kind: a number one unit further, another last character otherwise.
fn other(text: &str) -> String {
    let mut changed = text.to_owned();
    match changed.pop() {
        None => "1".to_owned(),
        Some(last) => {
            changed.push(match last {
                '0'..='8' => char::from(last as u8 + 1),
                '9' => '8',
                'a'..='e' | 'A'..='E' => char::from(last as u8 + 1),
                // The last character of base64 may carry unused bits; the padding certainly does.
                '=' => {
                    return other(text.trim_end_matches('='))
                        + text.trim_start_matches(|c| c != '=');
                }
                _ => '1',
            });
            changed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_changed_and_taken_away_wherever_it_stands() {
        let request = RawRequest::post_json(
            "",
            &serde_json::json!({"data": {"amount": 5, "note": ""}, "text": "{\"id\":7}"}),
        )
        .with_header("x-sign", "t=1,v1=ab");
        let cases = [
            (Field::new(Place::Json, "data/amount"), "5", "6"),
            (Field::new(Place::JsonText("text"), "id"), "7", "8"),
            (Field::new(Place::HeaderPart, "x-sign/v1"), "ab", "ac"),
            (
                Field::new(Place::Header, "x-sign"),
                "t=1,v1=ab",
                "t=1,v1=ac",
            ),
        ];
        for (field, before, after) in cases {
            assert_eq!(field.read(&request).as_deref(), Some(before), "{field:?}");
            let changed = field.tamper(&request);
            assert_eq!(field.read(&changed).as_deref(), Some(after), "{field:?}");
            assert_eq!(field.read(&field.remove(&request)), None, "{field:?}");
        }
        let amount = Field::new(Place::Json, "data/amount").tamper(&request);
        assert!(String::from_utf8_lossy(&amount.body).contains("\"amount\":6,"));
        let result = BASE64.encode("{\"status\":5}");
        let form = RawRequest::post_form("", &[("result", result), ("checksum", "AB".to_owned())]);
        let status = Field::new(Place::FormBase64("result"), "status");
        assert_eq!(status.read(&status.tamper(&form)).as_deref(), Some("6"));
        let query = RawRequest::get("", "a=x+y&b=1".to_owned());
        assert_eq!(Field::new(Place::Query, "a").remove(&query).query, "b=1");
        assert_eq!(
            Field::new(Place::Query, "a").tamper(&query).query,
            "a=x+1&b=1"
        );
    }

    #[test]
    fn tampering_changes_every_kind_of_text() {
        for text in ["", "0", "9", "f", "F", "abc=", "a+b==", "học", "19"] {
            assert_ne!(other(text), text);
        }
        assert_eq!(other("abcA=="), "abcB==");
    }
}
