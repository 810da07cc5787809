//! Texts with places that are filled in: `{name}`, `{name:..6}`, `{name:6..}`.

/// Longest filled-in text.
const FILLED_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    Place {
        name: String,
        from: usize,
        to: Option<usize>,
    },
}

impl Template {
    /// Braces that are no place, as in JSON, stand for themselves.
    pub(super) fn new(text: &str) -> Self {
        let mut segments = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            let place = after
                .split_once('}')
                .and_then(|(inner, tail)| Some((place(inner)?, tail)));
            match place {
                Some((place, tail)) => {
                    if !plain.is_empty() {
                        segments.push(Segment::Text(std::mem::take(&mut plain)));
                    }
                    segments.push(place);
                    rest = tail;
                }
                None => {
                    plain.push('{');
                    rest = after;
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            segments.push(Segment::Text(plain));
        }
        Self(segments)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Place { name, .. } => Some(name.as_str()),
            Segment::Text(_) => None,
        })
    }

    /// The text with every place filled in, or the name of the place that could not be.
    pub(super) fn fill(
        &self,
        mut value: impl FnMut(&str) -> Option<String>,
    ) -> Result<String, String> {
        let mut filled = String::new();
        for segment in &self.0 {
            match segment {
                Segment::Text(text) => filled.push_str(text),
                Segment::Place { name, from, to } => {
                    let text = value(name).ok_or_else(|| name.clone())?;
                    let count = to.unwrap_or(usize::MAX).saturating_sub(*from);
                    filled.extend(text.chars().skip(*from).take(count));
                }
            }
            if filled.len() > FILLED_BYTES_MAX {
                return Err("the text is too long".to_owned());
            }
        }
        Ok(filled)
    }
}

fn place(inner: &str) -> Option<Segment> {
    let (name, slice) = inner.split_once(':').unwrap_or((inner, ".."));
    let named = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@'))
        && !name.as_bytes()[0].is_ascii_digit();
    let (from, to) = slice.split_once("..")?;
    let number = |text: &str| -> Option<Option<usize>> {
        if text.is_empty() {
            Some(None)
        } else {
            text.parse().ok().map(Some)
        }
    };
    named.then(|| {
        Some(Segment::Place {
            name: name.to_owned(),
            from: number(from)?.unwrap_or_default(),
            to: number(to)?,
        })
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_json_stays() {
        let template = Template::new("{\"id\":\"{id}\",\"o\":{},\"d\":\"{day:..2}/{day:2..4}\"}");
        let filled = template.fill(|name| match name {
            "id" => Some("7".to_owned()),
            "day" => Some("260905".to_owned()),
            _ => None,
        });
        assert_eq!(
            filled.as_deref(),
            Ok("{\"id\":\"7\",\"o\":{},\"d\":\"26/09\"}")
        );
        assert_eq!(template.fill(|_| None), Err("id".to_owned()));
        assert_eq!(template.names().collect::<Vec<_>>(), ["id", "day", "day"]);
    }
}
