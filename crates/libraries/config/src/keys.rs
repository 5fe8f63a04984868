//! The keys of a structure, as serde knows them: so that the check of keys needs no list of its
//! own.

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

/// The keys of a structure, in its order.
pub(crate) type Keys = &'static [&'static str];

/// Gives the keys of a structure whose implementation of `Deserialize` is derived. One with
/// `#[serde(flatten)]` tells none.
pub(crate) fn keys_of<'de, T: Deserialize<'de>>() -> Keys {
    let mut keys: Keys = &[];
    // It ends with an error once the keys are known.
    let _ = T::deserialize(Listener(&mut keys));
    keys
}

/// Listens to which keys a structure asks for, and gives it no value.
struct Listener<'k>(&'k mut Keys);

impl<'de> Deserializer<'de> for Listener<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("not a structure"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: Keys,
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = keys;
        Err(Error::custom("only its keys were asked for"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_in_a_file() {
        let keys = keys_of::<crate::ServerOptions>();
        assert!(
            keys.starts_with(&["listen", "slots", "max-age"]),
            "{keys:?}"
        );
        assert!(keys_of::<String>().is_empty());
    }
}
