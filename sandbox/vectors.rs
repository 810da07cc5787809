//! Published vectors, for the tests of each peer.

use serde_json::Value;

use crate::peer::RawRequest;

/// One message of `testdata/`.
pub(crate) struct Vector {
    pub name: String,
    pub flow: String,
    value: Value,
}

/// The vectors of a file, those of one flow if a flow is named.
pub(crate) fn read(file: &str, flow: &str) -> Vec<Vector> {
    let read: Value = serde_json::from_str(file).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let vectors: Vec<Vector> = read["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| Vector {
            name: text(&value["name"]),
            flow: text(&value["flow"]),
            value: value.clone(),
        })
        .filter(|vector| flow.is_empty() || vector.flow == flow)
        .collect();
    assert!(!vectors.is_empty(), "no vectors of flow {flow}");
    vectors
}

impl Vector {
    pub fn secret(&self, name: &str) -> String {
        match &self.value["secrets"][name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    pub fn valid(&self) -> bool {
        self.value["expected"]["valid"] == true
    }

    pub fn expected(&self, name: &str) -> Option<String> {
        match &self.value["expected"][name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    pub fn fields(&self) -> Vec<(String, String)> {
        let fields = &self.value["request"]["fields"];
        let params = &self.value["request"]["params"];
        fields
            .as_object()
            .or(params.as_object())
            .unwrap()
            .iter()
            .map(|(name, value)| {
                let text = value.as_str().map(str::to_owned);
                (name.clone(), text.unwrap_or_else(|| value.to_string()))
            })
            .collect()
    }

    pub fn request(&self) -> RawRequest {
        let request = &self.value["request"];
        let headers = request["headers"].as_object();
        RawRequest {
            method: if request["method"] == "GET" {
                "GET"
            } else {
                "POST"
            },
            path: String::new(),
            query: request["query"].as_str().unwrap_or("").to_owned(),
            headers: headers
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect(),
            body: request["body"].as_str().unwrap_or("").as_bytes().to_vec(),
        }
    }
}
