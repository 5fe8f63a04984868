//! The figures of `eyelid-receive`, as they go over its socket.

use std::collections::HashMap;

use eyelid_slot::CameraName;
use serde_json::{Value, json};

/// What is so now of each camera that pushes: what its `state.json` says, too, as of some moment
/// (docs/esp32.md).
pub type PushFigures = HashMap<CameraName, Value>;

/// Gives what is left of what a program told of a camera that was killed then.
pub fn without_connection(mut told: Value) -> Value {
    if let Some(fields) = told.as_object_mut() {
        fields.remove("address");
        for (key, value) in [
            ("connected", json!(false)),
            ("sleeps", json!(false)),
            ("fps", Value::Null),
        ] {
            fields.insert(key.to_owned(), value);
        }
    }
    told
}
