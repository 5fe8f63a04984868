//! What of a request an endpoint takes. They all speak OpenAI's chat completions, of several years.

use serde_json::Value;

/// A sentence on the scene and one a rule: some 40 tokens each.
const MOST_TOKENS: u32 = 800;

/// For models that think first, by tokens that are counted and not shown.
const MOST_TOKENS_OF_THINKERS: u32 = 6000;

/// What is looked at of a refusal.
const MOST_REFUSAL_BYTES: usize = 16 << 10;

/// How a request is said to one endpoint, to be kept for as long as it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub(crate) tokens: Tokens,
    pub(crate) thinks: bool,
    pub(crate) schema: bool,
    pub(crate) seed: bool,
    pub(crate) temperature: bool,
}

/// How the length of an answer is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tokens {
    /// By `max_completion_tokens`, which OpenAI's models that think insist on.
    MaxCompletion,
    /// By `max_tokens`, which older servers know.
    Max,
    /// Not at all.
    Unbounded,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            tokens: Tokens::MaxCompletion,
            thinks: false,
            schema: true,
            seed: true,
            temperature: true,
        }
    }
}

impl Dialect {
    /// What to say instead after a refusal (400, 422) of this body, where it names something that
    /// there is another way for, or that can be left out. Each such thing goes once, so this comes
    /// to an end.
    pub fn without(&self, refusal: &[u8]) -> Option<Self> {
        let refusal = &refusal[..refusal.len().min(MOST_REFUSAL_BYTES)];
        let text = String::from_utf8_lossy(refusal);
        // OpenAI says in a field of its own which it is; its text may speak of others.
        let field = serde_json::from_str::<Value>(&text).ok();
        let field = field.as_ref().and_then(|it| it["error"]["param"].as_str());
        field
            .and_then(|named| self.without_named(named))
            .or_else(|| self.without_named(&text))
    }

    fn without_named(&self, named: &str) -> Option<Self> {
        let mut other = self.clone();
        let schema_named = || {
            let names = ["response_format", "json_schema", "schema", "grammar"];
            names.iter().any(|name| named.contains(name))
        };
        if self.tokens == Tokens::MaxCompletion && named.contains("max_completion_tokens") {
            other.tokens = Tokens::Max;
        } else if self.tokens == Tokens::Max && named.contains("max_tokens") {
            other.tokens = Tokens::Unbounded;
        } else if self.schema && schema_named() {
            other.schema = false;
        } else if self.seed && named.contains("seed") {
            other.seed = false;
        } else if self.temperature && named.contains("temperature") {
            other.temperature = false;
        } else {
            return None;
        }
        Some(other)
    }

    /// What to say after an answer that its length had cut: room to think, once.
    pub fn with_room_to_think(&self) -> Option<Self> {
        (!self.thinks).then(|| Self {
            thinks: true,
            ..self.clone()
        })
    }

    /// `max_completion_tokens` and `max_tokens`.
    pub(crate) fn token_limits(&self) -> (Option<u32>, Option<u32>) {
        let most = if self.thinks {
            MOST_TOKENS_OF_THINKERS
        } else {
            MOST_TOKENS
        };
        match self.tokens {
            Tokens::MaxCompletion => (Some(most), None),
            Tokens::Max => (None, Some(most)),
            Tokens::Unbounded => (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn says_it_in_the_way_that_is_known() {
        let new = Dialect::default();
        let refused = br#"{"detail":[{"type":"extra_forbidden","loc":["body",
            "max_completion_tokens"],"msg":"Extra inputs are not permitted"}]}"#;
        let older = new.without(refused).unwrap();
        assert_eq!(older.token_limits(), (None, Some(MOST_TOKENS)));
        // It is not to be refused for the same thing again.
        assert_eq!(older.without(refused), None);
        let neither = older.without(b"unknown field max_tokens").unwrap();
        assert_eq!(neither.token_limits(), (None, None));
    }

    #[test]
    fn believes_the_field_before_the_text() {
        let refused = br#"{"error":{"message":"response_format: no seed with temperature",
            "param":"temperature","code":"unsupported_value"}}"#;
        let other = Dialect::default().without(refused).unwrap();
        assert!(!other.temperature && other.seed && other.schema);
    }

    #[test]
    fn changes_nothing_for_what_is_no_matter_of_dialect() {
        for refused in [
            &b"model \"qwen\" not found"[..],
            b"",
            b"{\"error\":{\"param\":null,\"message\":\"image too large\"}}",
            b"\xff\xfe",
        ] {
            assert_eq!(Dialect::default().without(refused), None);
        }
    }

    #[test]
    fn thinks_once() {
        let thinker = Dialect::default().with_room_to_think().unwrap();
        assert_eq!(
            thinker.token_limits(),
            (Some(MOST_TOKENS_OF_THINKERS), None)
        );
        assert_eq!(thinker.with_room_to_think(), None);
    }

    proptest! {
        #[test]
        fn comes_to_an_end(refusals in proptest::collection::vec(
            "(seed|temperature|max_tokens|max_completion_tokens|schema| |x){0,9}", 20)
        ) {
            let mut dialect = Dialect::default();
            let mut changes = 0;
            for refusal in refusals {
                while let Some(other) = dialect.without(refusal.as_bytes()) {
                    dialect = other;
                    changes += 1;
                }
            }
            prop_assert!(changes <= 5);
        }
    }
}
