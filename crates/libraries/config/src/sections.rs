//! Which programs there are, and which tables of the file are theirs: a program knows that others
//! have tables, and refuses a key that none of them knows, for nobody else would notice the
//! mistake.

use std::ops::Range;

#[cfg(any(test, fuzzing))]
use toml::Spanned;
#[cfg(any(test, fuzzing))]
use toml::de::ValueDeserializer;
use toml::de::{DeTable, DeValue};

use crate::keys::{Keys, keys_of};
use crate::section::{CAMERA, Section};
use crate::{
    CameraOptions, PushedCameraOptions, PushedRtpDestinationOptions, PushedVideoCameraOptions,
    PushedWatchCameraOptions, PushedWatchRuleOptions, ReceiveOptions, RelayOptions,
    RtpDestinationOptions, RtpOptions, ServerOptions, VideoCameraOptions, VideoOptions,
    WatchCameraOptions, WatchModelOptions, WatchNotifyOptions, WatchOptions, WatchRuleOptions,
};

/// All tables. A new program adds a row for each of its own.
pub(crate) const TABLES: &[Table] = &[
    Table::of::<ServerOptions>(),
    Table::of::<CameraOptions>(),
    Table::of::<ReceiveOptions>(),
    Table::of::<PushedCameraOptions>(),
    Table::of::<RelayOptions>(),
    Table::of::<RtpOptions>(),
    Table::of::<RtpDestinationOptions>(),
    Table::of::<PushedRtpDestinationOptions>(),
    Table::of::<VideoOptions>(),
    Table::of::<VideoCameraOptions>(),
    Table::of::<PushedVideoCameraOptions>(),
    Table::of::<WatchOptions>(),
    Table::of::<WatchModelOptions>(),
    Table::of::<WatchNotifyOptions>(),
    Table::of::<WatchCameraOptions>(),
    Table::of::<PushedWatchCameraOptions>(),
    Table::of::<WatchRuleOptions>(),
    Table::of::<PushedWatchRuleOptions>(),
];

/// One of the tables.
pub(crate) struct Table {
    place: &'static [&'static str],
    keys: fn() -> Keys,
    #[cfg(any(test, fuzzing))]
    pub(crate) read_again: fn(Spanned<DeValue<'_>>) -> Result<(), toml::de::Error>,
}

/// A key that no program knows.
pub(crate) struct UnknownKey {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
}

impl Table {
    pub(crate) const fn of<S: Section>() -> Self {
        Self {
            place: S::PLACE,
            keys: keys_of::<S>,
            #[cfg(any(test, fuzzing))]
            read_again: read_again::<S>,
        }
    }

    #[cfg(test)]
    pub(crate) fn keys(&self) -> Keys {
        (self.keys)()
    }

    /// Says whether the table is at a place.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn is_at(&self, place: &[&str]) -> bool {
        self.place.len() == place.len() && self.is_at_or_below(place)
    }

    fn is_at_or_below(&self, place: &[&str]) -> bool {
        let mut steps = self.place.iter().zip(place);
        self.place.len() >= place.len()
            && steps.all(|(pattern, key)| *pattern == CAMERA || pattern == key)
    }
}

/// Finds the first key in a file's tables that none of them has.
pub(crate) fn find_unknown_key(root: &DeTable<'_>, tables: &[Table]) -> Option<UnknownKey> {
    unknown_key_in(root, &mut Vec::new(), tables)
}

fn unknown_key_in<'t>(
    table: &'t DeTable<'_>,
    place: &mut Vec<&'t str>,
    tables: &[Table],
) -> Option<UnknownKey> {
    let mut known = Vec::new();
    let mut is_any_known = false;
    for table in tables.iter().filter(|table| table.is_at_or_below(place)) {
        match table.place.get(place.len()) {
            Some(&CAMERA) => is_any_known = true,
            Some(key) if !known.contains(key) => known.push(*key),
            Some(_) => {}
            None => known.extend_from_slice((table.keys)()),
        }
    }
    if known.is_empty() && !is_any_known {
        // The value of an option, which is its owner's to read.
        return None;
    }
    for (key, value) in table {
        if !is_any_known && !known.contains(&key.get_ref().as_ref()) {
            return Some(UnknownKey {
                span: key.span(),
                message: unknown(key.get_ref(), &known),
            });
        }
        place.push(key.get_ref());
        let unknown = match value.get_ref() {
            DeValue::Table(table) => unknown_key_in(table, place, tables),
            DeValue::Array(values) => values
                .iter()
                .filter_map(|value| value.get_ref().as_table())
                .find_map(|table| unknown_key_in(table, place, tables)),
            _ => None,
        };
        place.pop();
        if unknown.is_some() {
            return unknown;
        }
    }
    None
}

/// Visits each table of a file, and each element of a list of tables, with its place.
#[cfg(any(test, fuzzing))]
pub(crate) fn each_table<'t, 'f>(
    root: &'t DeTable<'f>,
    place: &mut Vec<&'t str>,
    visit: &mut dyn FnMut(&[&str], &'t Spanned<DeValue<'f>>),
) {
    for (key, value) in root {
        place.push(key.get_ref());
        let values = match value.get_ref() {
            DeValue::Array(values) => values.iter().collect(),
            _ => vec![value],
        };
        for value in values {
            if let DeValue::Table(table) = value.get_ref() {
                visit(place, value);
                each_table(table, place, visit);
            }
        }
        place.pop();
    }
}

/// Reads a table as its program does, and what that writes down of it.
///
/// # Errors
/// That of the program.
///
/// # Panics
/// Where what is written down is another table.
#[cfg(any(test, fuzzing))]
fn read_again<S: Section>(table: Spanned<DeValue<'_>>) -> Result<(), toml::de::Error> {
    let options = S::deserialize(ValueDeserializer::from(table))?;
    let written =
        toml::to_string(&options).unwrap_or_else(|error| panic!("{error} in {options:?}"));
    let unknown = DeTable::parse(&written).map(|table| {
        let mut keys = table.into_inner().into_iter().map(|(key, _)| key);
        keys.find(|key| !keys_of::<S>().contains(&key.get_ref().as_ref()))
    });
    assert!(matches!(unknown, Ok(None)), "{unknown:?} in {written}");
    match toml::from_str::<S>(&written) {
        Ok(again) => assert_eq!(again, options, "{written}"),
        Err(error) => panic!("{error}: {written}"),
    }
    Ok(())
}

/// How alike two words are, 0 to 1, of which the one is a slip of the other: two letters of `fps`
/// that have changed places leave 0.67, another letter in a word of four leaves 0.75, and half a
/// word 0.5.
const ALIKE: f64 = 0.6;

/// What serde says of a field that a structure does not have, and which key may be meant.
fn unknown(key: &str, known: &[&str]) -> String {
    let listed: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    let expected = match &listed[..] {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [one, other] => format!("{one} or {other}"),
        all => format!("one of {}", all.join(", ")),
    };
    let alike = known
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(key, known), known))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    let meant = alike.map_or_else(String::new, |(_, known)| {
        format!("; did you mean `{known}`?")
    });
    format!("unknown field `{key}`, expected {expected}{meant}")
}

/// A program that does not exist, for tests: it has a section, tables of cameras, and something of
/// each camera's own.
#[cfg(test)]
pub(crate) mod made_up {
    use serde::{Deserialize, Serialize};

    use super::{TABLES, Table};
    use crate::section::{CAMERA, Section};
    use crate::{
        CameraOptions, Fps, PushedCameraOptions, PushedRtpDestinationOptions,
        PushedVideoCameraOptions, PushedWatchCameraOptions, PushedWatchRuleOptions, ReceiveOptions,
        RelayOptions, RtpDestinationOptions, RtpOptions, ServerOptions, VideoCameraOptions,
        VideoOptions, WatchCameraOptions, WatchModelOptions, WatchNotifyOptions, WatchOptions,
        WatchRuleOptions,
    };

    /// `[telescope]`
    #[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
    #[serde(rename_all = "kebab-case", default)]
    pub(crate) struct Telescope {
        pub(crate) tube_length: Option<u32>,
    }

    /// `[telescope.cameras.NAME]`
    #[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
    #[serde(default)]
    pub(crate) struct Eyepiece {
        pub(crate) fps: Option<Fps>,
    }

    /// `[[cameras.NAME.star]]`
    #[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
    #[serde(default)]
    pub(crate) struct Star {
        pub(crate) name: String,
    }

    impl Section for Telescope {
        const PLACE: &'static [&'static str] = &["telescope"];
    }

    impl Section for Eyepiece {
        const PLACE: &'static [&'static str] = &["telescope", "cameras", CAMERA];
    }

    impl Section for Star {
        const PLACE: &'static [&'static str] = &["cameras", CAMERA, "star"];
    }

    /// The tables where that program is one of them.
    pub(crate) const WITH_TELESCOPE: &[Table] = &[
        Table::of::<ServerOptions>(),
        Table::of::<CameraOptions>(),
        Table::of::<ReceiveOptions>(),
        Table::of::<PushedCameraOptions>(),
        Table::of::<RelayOptions>(),
        Table::of::<RtpOptions>(),
        Table::of::<RtpDestinationOptions>(),
        Table::of::<PushedRtpDestinationOptions>(),
        Table::of::<VideoOptions>(),
        Table::of::<VideoCameraOptions>(),
        Table::of::<PushedVideoCameraOptions>(),
        Table::of::<WatchOptions>(),
        Table::of::<WatchModelOptions>(),
        Table::of::<WatchNotifyOptions>(),
        Table::of::<WatchCameraOptions>(),
        Table::of::<PushedWatchCameraOptions>(),
        Table::of::<WatchRuleOptions>(),
        Table::of::<PushedWatchRuleOptions>(),
        Table::of::<Telescope>(),
        Table::of::<Eyepiece>(),
        Table::of::<Star>(),
    ];
    const _: () = assert!(WITH_TELESCOPE.len() == TABLES.len() + 3);
}
