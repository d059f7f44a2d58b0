//! The schemas of the contract (`tests/schemas/iadvize`): what every answer has to be.

use std::path::Path;
use std::sync::LazyLock;

use jsonschema::{Registry, Validator};
use serde_json::Value;

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
}
