//! DynamoDB, SQS and SSM as far as the functions under measurement use them.
//!
//! Reads are answered from a fixed set of items; writes are answered with success and change nothing, so that every
//! invocation meets the same world. Every operation is counted, and what is written is kept when asked for.

use std::collections::BTreeMap;
use std::io::Result;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use crate::http::{Connection, listen};
use crate::md5;

/// Names of operations and how often each was called.
pub(crate) type Calls = BTreeMap<String, u64>;

/// What came in.
#[derive(Default)]
pub(crate) struct Seen {
    /// Operations since they were last taken.
    pub(crate) calls: Calls,
    /// Items of all puts and updates, if they are kept.
    pub(crate) written: Vec<Value>,
    /// Bodies of all queue messages, if they are kept.
    pub(crate) sent: Vec<Value>,
}

/// The services.
pub(crate) struct Aws {
    items: Vec<Map<String, Value>>,
    parameters: Vec<Value>,
    keep: bool,
    seen: Mutex<Seen>,
}

impl Aws {
    /// Services that hold what the specification lists under `items` and `parameters`. With `keep`, writes are kept.
    pub(crate) fn new(spec: &Value) -> Self {
        let list = |name: &str| spec[name].as_array().cloned().unwrap_or_default();
        Self {
            items: list("items").into_iter().filter_map(|item| item.as_object().cloned()).collect(),
            parameters: list("parameters"),
            keep: spec["keep"] == true,
            seen: Mutex::default(),
        }
    }

    /// Starts serving on one port.
    pub(crate) fn start(self: Arc<Self>) -> Result<SocketAddr> {
        listen(move |connection| self.serve(connection))
    }

    /// What came in so far.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut connection: Connection) -> Result<()> {
        while let Some(request) = connection.read()? {
            if request.line.starts_with("GET ") {
                connection.write("HTTP/1.1 200 OK\r\nserver: Server\r\n", b"healthy")?;
                continue;
            }
            let (service, operation) = request.target.rsplit_once('.').unwrap_or(("", &request.target));
            let content_type = if service.starts_with("AmazonSSM") { "1.1" } else { "1.0" };
            *self.seen().calls.entry(operation.to_owned()).or_default() += 1;
            let input: Value = serde_json::from_slice(&request.body)?;
            let (status, answer) = match self.answer(operation, &input) {
                Some(answer) => ("200 OK", answer),
                None => ("400 Bad Request", json!({"__type": "UnknownOperationException"})),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-{content_type}\r\n\
                 x-amzn-requestid: 0VQK6I2GG0J4OJ3PR8O5ER5H0VVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n\
                 server: Server\r\ndate: Mon, 02 Mar 2026 09:00:00 GMT\r\n"
            );
            connection.write(&head, &serde_json::to_vec(&answer)?)?;
        }
        Ok(())
    }

    fn answer(&self, operation: &str, input: &Value) -> Option<Value> {
        Some(match operation {
            "GetItem" => self.item(&input["Key"]).map_or_else(|| json!({}), |item| json!({"Item": item})),
            "BatchGetItem" => {
                let responses: Map<_, _> =
                    input["RequestItems"].as_object()?.iter().map(|(table, asked)| (table.clone(), self.batch(asked))).collect();
                json!({"Responses": responses, "UnprocessedKeys": {}})
            }
            "Query" => {
                let found: Vec<_> = self.items.iter().filter(|item| is_asked_for(item, input)).collect();
                json!({"Items": found, "Count": found.len(), "ScannedCount": found.len()})
            }
            "PutItem" | "UpdateItem" => {
                self.keep(input);
                match input["ReturnValues"].as_str() {
                    None | Some("NONE") => json!({}),
                    Some(_) => json!({"Attributes": first_update(input)}),
                }
            }
            "DeleteItem" => json!({}),
            "TransactWriteItems" => {
                for action in input["TransactItems"].as_array()? {
                    self.keep(&action["Put"]);
                    self.keep(&action["Update"]);
                }
                json!({})
            }
            "SendMessage" => self.sent(input),
            "SendMessageBatch" => {
                let results: Vec<_> = input["Entries"]
                    .as_array()?
                    .iter()
                    .map(|entry| {
                        let mut result = self.sent(entry);
                        result["Id"] = entry["Id"].clone();
                        result
                    })
                    .collect();
                json!({"Successful": results, "Failed": []})
            }
            "GetParametersByPath" => {
                let path = input["Path"].as_str()?.trim_end_matches('/');
                let below = |parameter: &&Value| {
                    parameter["Name"].as_str().and_then(|name| name.strip_prefix(path)).is_some_and(|rest| rest.starts_with('/'))
                };
                json!({"Parameters": self.parameters.iter().filter(below).collect::<Vec<_>>()})
            }
            _ => return None,
        })
    }

    fn batch(&self, asked: &Value) -> Value {
        asked["Keys"].as_array().into_iter().flatten().filter_map(|key| self.item(key)).cloned().map(Value::Object).collect()
    }

    fn item(&self, key: &Value) -> Option<&Map<String, Value>> {
        let key = key.as_object()?;
        self.items.iter().find(|item| key.iter().all(|(name, value)| item.get(name) == Some(value)))
    }

    fn keep(&self, write: &Value) {
        if self.keep
            && let Some(item) = write["Item"].as_object().cloned().or_else(|| first_update(write))
        {
            self.seen().written.push(Value::Object(item));
        }
    }

    fn sent(&self, message: &Value) -> Value {
        let body = message["MessageBody"].as_str().unwrap_or_default();
        if self.keep {
            self.seen().sent.push(body.into());
        }
        json!({"MessageId": "5fea7756-0ea4-451a-a703-a558b933e274", "MD5OfMessageBody": md5::hex(body.as_bytes())})
    }
}

/// Whether a query asks for an item: by its partition key, and by a range of the other key if it names one.
fn is_asked_for(item: &Map<String, Value>, query: &Value) -> bool {
    let values = &query["ExpressionAttributeValues"];
    let attribute = |name: &str| item.get(query["ExpressionAttributeNames"][name].as_str()?);
    if values[":first"].is_null() {
        return values.as_object().is_some_and(|wanted| wanted.values().all(|value| item.values().any(|v| v == value)));
    }
    let is_within = |at: &str| values[":first"]["S"].as_str() <= Some(at) && Some(at) <= values[":last"]["S"].as_str();
    attribute("#pk") == Some(&values[":pk"]) && attribute("#sk").and_then(|at| at["S"].as_str()).is_some_and(is_within)
}

/// What an update makes of an item that is not there yet: its key and, of each assignment, the last value named, as in
/// `#a = :v`, `#a = if_not_exists(#a, :v)` and `#a = list_append(if_not_exists(#a, :none), :v)`; and what it adds.
fn first_update(update: &Value) -> Option<Map<String, Value>> {
    let mut item = update["Key"].as_object()?.clone();
    let (mut name, mut gives) = ("", true);
    let words = update["UpdateExpression"].as_str()?.split(|c: char| " ,()".contains(c));
    for word in words.filter(|word| !word.is_empty()) {
        match word.as_bytes()[0] {
            b'#' => name = update["ExpressionAttributeNames"][word].as_str()?,
            b':' if gives => drop(item.insert(name.to_owned(), update["ExpressionAttributeValues"][word].clone())),
            _ if matches!(word, "SET" | "ADD" | "REMOVE" | "DELETE") => gives = matches!(word, "SET" | "ADD"),
            _ => {}
        }
    }
    Some(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn update_of_an_absent_item_keeps_the_last_value_of_each_assignment() {
        let update = json!({
            "Key": {"pk": {"S": "p"}},
            "UpdateExpression": "SET #a = :v0, #b = list_append(if_not_exists(#b, :v1), :v2), #c = if_not_exists(#c, :v0) REMOVE #d ADD #e :v3 DELETE #f :v0",
            "ExpressionAttributeNames": {"#a": "a", "#b": "b", "#c": "c", "#d": "d", "#e": "e", "#f": "f"},
            "ExpressionAttributeValues": {":v0": {"S": "x"}, ":v1": {"L": []}, ":v2": {"L": [{"S": "y"}]}, ":v3": {"N": "2"}}
        });
        let expected = json!({"pk": {"S": "p"}, "a": {"S": "x"}, "b": {"L": [{"S": "y"}]}, "c": {"S": "x"}, "e": {"N": "2"}});
        assert_eq!(first_update(&update).map(Value::Object), Some(expected));
    }

    #[test]
    fn query_is_answered_by_partition_and_range() {
        let item = |sk: &str| json!({"pk": {"S": "p"}, "sk": {"S": sk}}).as_object().unwrap().clone();
        let all = json!({"ExpressionAttributeNames": {"#pk": "pk"}, "ExpressionAttributeValues": {":pk": {"S": "p"}}});
        let range = |pk: &str| {
            json!({
                "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
                "ExpressionAttributeValues": {":pk": {"S": pk}, ":first": {"S": "B"}, ":last": {"S": "D"}}
            })
        };
        assert!(is_asked_for(&item("A"), &all));
        assert_eq!(["A", "B", "D", "E"].map(|sk| is_asked_for(&item(sk), &range("p"))), [false, true, true, false]);
        assert!(!is_asked_for(&item("B"), &range("q")));
    }
}
