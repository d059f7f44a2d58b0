//! The schemas of the contract (`tests/schemas/iadvize`): what every answer has to be.

use std::path::Path;
use std::sync::LazyLock;

use jsonschema::{Registry, Validator};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::world::Answer;

/// Cases for each route.
pub(crate) const CASES: u32 = 10_000;

/// Runs as many cases as a route needs.
pub(crate) fn runner() -> TestRunner {
    TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(CASES) })
}

/// Waits for what a case does.
pub(crate) fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Every schema by its id.
static SCHEMAS: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/schemas/iadvize");
    let read = |path: &Path| serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| read(&entry.unwrap().path()));
    files.map(|schema| (schema["$id"].as_str().unwrap().to_owned(), schema)).collect()
});

/// What a schema says of a value.
pub(crate) struct Schema(Validator);

impl Schema {
    /// The schema `urn:connector:iadvize:<name>`.
    pub(crate) fn named(name: &str) -> Self {
        let id = format!("urn:connector:iadvize:{name}");
        let registry = Registry::new().extend(SCHEMAS.iter().map(|(id, schema)| (id.as_str(), schema))).unwrap();
        let registry = registry.prepare().unwrap();
        let (_, schema) = SCHEMAS.iter().find(|(known, _)| *known == id).unwrap();
        let options = jsonschema::options().with_registry(&registry).should_validate_formats(true);
        Self(options.build(schema).unwrap())
    }

    /// What of the value is not as the schema says.
    pub(crate) fn problems(&self, value: &Value) -> Vec<String> {
        self.0.iter_errors(value).map(|error| format!("{error} at {}", error.instance_path())).collect()
    }
    /// Whether an answer is one of the route's, or an error that says so.
    pub(crate) fn check(&self, answer: &Answer) -> Result<(), TestCaseError> {
        prop_assert!(answer.status < 500, "{}", answer.status);
        if answer.status == 200 {
            let problems = self.problems(&answer.body);
            prop_assert!(problems.is_empty(), "{problems:?} in {}", answer.body);
        } else {
            prop_assert!(answer.body["error"]["code"].is_string() && answer.body["error"]["message"].is_string());
        }
        Ok(())
    }
}
