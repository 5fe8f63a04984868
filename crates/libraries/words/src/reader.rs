//! Finding the answer in what an endpoint sends. Models obey formats when they like to: this takes
//! JSON in fences, between sentences, behind a train of thought and in the wrong field, and nothing
//! that has to be guessed.

use serde::Deserialize;
use serde_json::Value;

use crate::answer::NoAnswer;

/// What is read of an answer.
pub const MOST_ANSWER_BYTES: usize = 64 << 10;

/// Characters of a text by a model that are kept.
pub const MOST_TEXT_CHARS: usize = 500;

/// Entries of an answer that are looked at: twice the rules of the largest question.
const MOST_ENTRIES: usize = 64;

/// Braces at which JSON is looked for: prose has few, and each may cost the rest of the text.
const MOST_BRACES: usize = 64;

/// What a model has said, not yet held against the question.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// What the pictures show, bounded.
    pub(crate) seen: String,
    /// Entries that are to be rules' answers.
    pub(crate) answers: Vec<Value>,
    /// What it cost.
    pub(crate) usage: Option<Usage>,
}

/// What a question cost, in tokens, as the endpoint counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Of what was asked, with its pictures.
    pub prompt_tokens: u64,
    /// Of what was answered, with thoughts that are not shown.
    pub completion_tokens: u64,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Value,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Value,
    /// vLLM's and llama.cpp's field for thoughts, where some models' answers end up.
    #[serde(default)]
    reasoning_content: Value,
    /// The same in Ollama.
    #[serde(default)]
    reasoning: Value,
    #[serde(default)]
    refusal: Value,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    seen: String,
    answers: Vec<Value>,
}

/// Finds the answer in the body of a response.
///
/// # Errors
/// [`NoAnswer`], whose text is bounded and on one line.
pub fn read(body: &[u8]) -> Result<Read, NoAnswer> {
    if body.len() > MOST_ANSWER_BYTES {
        return Err(NoAnswer::NoCompletion);
    }
    let completion: Completion =
        serde_json::from_slice(body).map_err(|_| NoAnswer::NoCompletion)?;
    let usage = Usage::deserialize(&completion.usage).ok();
    let choice = completion.choices.into_iter().next();
    let Choice {
        message,
        finish_reason,
    } = choice.ok_or(NoAnswer::NoCompletion)?;
    let cut = finish_reason == "length";
    let text = text(&message, cut)?;
    match said(behind_thoughts(&text))? {
        Some(Said { seen, answers }) => Ok(Read {
            seen: bounded(&seen),
            answers: answers.into_iter().take(MOST_ENTRIES).collect(),
            usage,
        }),
        None if cut => Err(NoAnswer::Cut),
        None => Err(NoAnswer::NoJson(bounded(&text))),
    }
}

/// What is kept and shown of a model's text: one line of characters that print, of
/// [`MOST_TEXT_CHARS`].
pub(crate) fn bounded(text: &str) -> String {
    let visible = |c: char| {
        // Those that change the direction of what follows can make a text read as another
        // (CVE-2021-42574).
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2066}'..='\u{2069}');
        !turns
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text
        .chars()
        .filter(|&c| visible(c))
        .map(plain)
        .take(4 * MOST_TEXT_CHARS)
        .collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MOST_TEXT_CHARS).collect()
}

/// What the model has said, wherever that stands.
fn text(message: &Message, cut: bool) -> Result<String, NoAnswer> {
    let fields = [
        &message.content,
        &message.reasoning_content,
        &message.reasoning,
    ];
    let mut texts = fields.into_iter().map(plain_text);
    if let Some(text) = texts.find(|text| !text.trim().is_empty()) {
        return Ok(text);
    }
    Err(match message.refusal.as_str() {
        Some(refusal) if !refusal.trim().is_empty() => NoAnswer::Refused(bounded(refusal)),
        _ if cut => NoAnswer::Cut,
        _ => NoAnswer::Empty,
    })
}

/// A text, or the texts of a list of parts.
fn plain_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

/// Without the thoughts that some servers leave in the text: there may be drafts in them.
fn behind_thoughts(text: &str) -> &str {
    text.rsplit_once("</think>").map_or(text, |(_, said)| said)
}

/// The one object with answers in a text. Objects that are something else are passed over whole.
fn said(text: &str) -> Result<Option<Said>, NoAnswer> {
    let mut found: Option<(Value, Said)> = None;
    let mut rest = text;
    for _ in 0..MOST_BRACES {
        let Some(brace) = rest.find('{') else {
            break;
        };
        rest = &rest[brace..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let Some(Ok(value)) = values.next() else {
            rest = &rest[1..];
            continue;
        };
        rest = &rest[values.byte_offset()..];
        let Ok(said) = Said::deserialize(&value) else {
            continue;
        };
        match &found {
            Some((first, _)) if *first != value => return Err(NoAnswer::Several),
            _ => found = Some((value, said)),
        }
    }
    Ok(found.map(|(_, said)| said))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fuzzing;

    const JSON: &str = r#"{"seen":"a road","answers":[{"rule":"a","answer":"no"}]}"#;

    fn completion(message: &Value, finish_reason: &str) -> Result<Read, NoAnswer> {
        let usage = json!({"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940});
        let choice = json!({"index": 0, "message": message, "finish_reason": finish_reason});
        read(
            json!({"choices": [choice], "usage": usage})
                .to_string()
                .as_bytes(),
        )
    }

    fn content(text: &str) -> Result<Read, NoAnswer> {
        completion(&json!({"role": "assistant", "content": text}), "stop")
    }

    #[test]
    fn finds_it_wherever_it_stands() {
        let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(JSON).unwrap());
        for text in [
            JSON.to_owned(),
            pretty.unwrap(),
            format!("Sure!\n```json\n{JSON}\n```\nAnything else?"),
            format!("The set {{x}} and {{\"a\": 1}} aside: {JSON}."),
            format!(
                "<think>Perhaps {} ...</think>\n{JSON}",
                JSON.replace("no", "yes")
            ),
            format!("{JSON}\n{JSON}"),
        ] {
            let read = content(&text).unwrap();
            assert_eq!(read.seen, "a road", "{text}");
            assert_eq!(read.answers[0]["answer"], "no", "{text}");
            assert_eq!(read.usage.unwrap().prompt_tokens, 900);
        }
        for message in [
            json!({"content": "", "reasoning_content": JSON}),
            json!({"content": null, "reasoning": JSON}),
            json!({"content": [{"type": "text", "text": JSON}]}),
        ] {
            assert_eq!(completion(&message, "stop").unwrap().seen, "a road");
        }
    }

    #[test]
    fn guesses_nothing() {
        let half = &JSON[..JSON.len() / 2];
        for (text, why) in [
            (
                "I see grass. No.",
                NoAnswer::NoJson("I see grass. No.".to_owned()),
            ),
            (half, NoAnswer::NoJson(half.to_owned())),
            (
                "{\"answer\": \"no\"}",
                NoAnswer::NoJson("{\"answer\": \"no\"}".to_owned()),
            ),
            (" \n", NoAnswer::Empty),
            (
                &format!("{JSON} {}", JSON.replace("no", "yes")),
                NoAnswer::Several,
            ),
        ] {
            assert_eq!(content(text).unwrap_err(), why);
        }
        let cut = completion(&json!({"content": half}), "length");
        assert_eq!(cut.unwrap_err(), NoAnswer::Cut);
        let thought = completion(&json!({"content": ""}), "length");
        assert_eq!(thought.unwrap_err(), NoAnswer::Cut);
        let refused = completion(&json!({"content": null, "refusal": "I\nwon't"}), "stop");
        assert_eq!(
            refused.unwrap_err(),
            NoAnswer::Refused("I won't".to_owned())
        );
    }

    #[test]
    fn knows_what_is_no_completion() {
        for body in [
            &b""[..],
            b"<html>",
            b"{}",
            b"{\"choices\":[]}",
            b"{\"error\":{\"message\":\"no\"}}",
            b"\xff",
            &[b' '; MOST_ANSWER_BYTES + 1],
        ] {
            assert_eq!(read(body).unwrap_err(), NoAnswer::NoCompletion);
        }
    }

    #[test]
    fn bounds_texts_of_strangers() {
        let text = format!("a\r\n\u{202e}b\u{7}  c {}", "x".repeat(9999));
        let bounded = bounded(&text);
        assert!(bounded.starts_with("a b c xxx"), "{bounded}");
        assert_eq!(bounded.chars().count(), MOST_TEXT_CHARS);
    }

    #[test]
    fn is_not_slowed_down_by_braces() {
        for piece in ["{", "{\"a\":", "{\"a\":[", "{\"answers\":[],\"a\":\""] {
            let text = piece.repeat(50_000 / piece.len());
            assert!(content(&text).is_err());
        }
    }

    #[test]
    fn holds_for_what_fuzzing_found() {
        eyelid_replay::replay("answer", fuzzing::answer);
    }
}
