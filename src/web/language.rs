//! Which language a page speaks, and the catalogue of its texts.
//!
//! A text is added to `messages/vi.ftl` first, then to `messages/en.ftl`; a test holds both files
//! and every use together.

use std::fmt::Display;
use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};

/// Holds the choice between visits.
const LANGUAGE_COOKIE: &str = "hocphi-lang";

static VIETNAMESE: LazyLock<Catalogue> =
    LazyLock::new(|| catalogue("vi", include_str!("messages/vi.ftl")));
static ENGLISH: LazyLock<Catalogue> =
    LazyLock::new(|| catalogue("en", include_str!("messages/en.ftl")));

type Catalogue = FluentBundle<FluentResource>;

fn catalogue(tag: &str, source: &str) -> Catalogue {
    let mut bundle =
        FluentBundle::new_concurrent(vec![tag.parse().expect("a language tag of our own")]);
    // Isolation marks would end up in copied account numbers and memos.
    bundle.set_use_isolating(false);
    let resource =
        FluentResource::try_new(source.to_owned()).expect("the catalogue is part of the program");
    bundle
        .add_resource(resource)
        .expect("every key stands once in the catalogue");
    bundle
}

/// A language of the pages. Texts of law, fee lists and schools stay in the language of their source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    Vietnamese,
    English,
}

impl Language {
    /// The tag of the `lang` attribute and of `?lang=`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Vietnamese => "vi",
            Self::English => "en",
        }
    }

    fn parse(tag: &str) -> Option<Self> {
        match tag.trim().get(..2)?.to_ascii_lowercase().as_str() {
            "vi" => Some(Self::Vietnamese),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    /// The text of `key`. An unknown key is shown as itself: a page with one odd word is better than none.
    pub fn t(self, key: &str) -> String {
        self.text(key, None)
    }

    /// The text of `key` with one value filled in.
    pub fn t1(self, key: &str, name: &str, value: impl Display) -> String {
        let mut values = FluentArgs::new();
        values.set(name.to_owned(), value.to_string());
        self.text(key, Some(&values))
    }

    /// The text of `key` with two values filled in.
    pub fn t2(
        self,
        key: &str,
        first: (&str, &dyn Display),
        second: (&str, &dyn Display),
    ) -> String {
        let mut values = FluentArgs::new();
        values.set(first.0.to_owned(), first.1.to_string());
        values.set(second.0.to_owned(), second.1.to_string());
        self.text(key, Some(&values))
    }

    fn text(self, key: &str, values: Option<&FluentArgs<'_>>) -> String {
        let bundle = match self {
            Self::Vietnamese => &*VIETNAMESE,
            Self::English => &*ENGLISH,
        };
        let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
            return key.to_owned();
        };
        bundle
            .format_pattern(pattern, values, &mut Vec::new())
            .into_owned()
    }

    /// `?lang=`, then the cookie, then Vietnamese: the law's language, whatever a telephone is set to.
    pub fn of(query: Option<&str>, headers: &HeaderMap) -> Self {
        asked(query)
            .or_else(|| Self::parse(&cookie(headers, LANGUAGE_COOKIE)?))
            .unwrap_or_default()
    }
}

fn asked(query: Option<&str>) -> Option<Language> {
    query?
        .split('&')
        .find_map(|pair| pair.strip_prefix("lang="))
        .and_then(Language::parse)
}

/// The value of a cookie of the request.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then(|| value.to_owned())
        })
}

/// Puts the [`Language`] beside the request and remembers a choice made by `?lang=`.
pub async fn choose_language(mut request: Request, next: Next) -> Response {
    let chosen = asked(request.uri().query());
    let language = Language::of(request.uri().query(), request.headers());
    request.extensions_mut().insert(language);
    let mut response = next.run(request).await;
    if let Some(chosen) = chosen {
        let cookie = format!(
            "{LANGUAGE_COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
            chosen.tag()
        );
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn keys(source: &str) -> BTreeSet<&str> {
        source
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter_map(|line| line.split_once(" =").map(|(key, _)| key))
            .collect()
    }

    fn used_in(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                used_in(&path, found);
            } else if path
                .extension()
                .is_some_and(|ext| ext == "html" || ext == "rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                for call in [".t(\"", ".t1(\"", ".t2(\""] {
                    for rest in text.split(call).skip(1) {
                        if let Some((key, _)) = rest.split_once('"') {
                            found.insert(key.to_owned());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn both_catalogues_say_the_same_things_and_every_text_used_exists() {
        let vietnamese = keys(include_str!("messages/vi.ftl"));
        let english = keys(include_str!("messages/en.ftl"));
        assert_eq!(
            vietnamese
                .symmetric_difference(&english)
                .collect::<Vec<_>>(),
            Vec::<&&str>::new()
        );
        let mut used = BTreeSet::new();
        used_in(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut used,
        );
        used.retain(|key| !key.contains('{') && key.len() > 2);
        let missing: Vec<_> = used
            .iter()
            .filter(|key| !vietnamese.contains(key.as_str()))
            .collect();
        assert!(missing.is_empty(), "not in the catalogue: {missing:?}");
    }

    #[test]
    fn vietnamese_comes_first_unless_a_link_or_a_cookie_says_otherwise() {
        let mut headers = HeaderMap::new();
        assert_eq!(Language::of(None, &headers), Language::Vietnamese);
        headers.insert(COOKIE, HeaderValue::from_static("a=b; hocphi-lang=en"));
        assert_eq!(Language::of(None, &headers), Language::English);
        assert_eq!(
            Language::of(Some("x=1&lang=vi"), &headers),
            Language::Vietnamese
        );
    }
}
