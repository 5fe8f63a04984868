//! Asking a model that sees what a camera shows, in the user's words: what is asked, how it is said
//! to an endpoint of chat completions, what its answer is worth, and how often may be asked.
//!
//! A [`Question`] has up to three pictures of one camera and all rules that are due; a [`Dialect`]
//! makes the request that an endpoint takes of it. [`read`] finds the answer in whatever came back,
//! leniently, and [`Question::judge`] takes nothing of it that was not asked for, strictly: what
//! does not validate is no answer, and never a "no". [`Budget`] and [`Pauses`] say when may be
//! asked, and [`LastNo`] what need not be asked again.
//!
//! Text in a picture is a part of the scene. It may well talk a model into a wrong answer, but that
//! is one of three words, a number and a sentence, about a rule that was asked: nothing else that a
//! model says has any effect.
//!
//! Values and times alone: no socket, no clock, no file.

mod answer;
mod budget;
mod dialect;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod last_no;
mod pauses;
mod question;
mod reader;
mod request;

pub use answer::{Answer, NoAnswer, Verdict, Verdicts};
pub use budget::{Budget, BudgetError, BudgetLimits, Spent};
pub use dialect::Dialect;
pub use last_no::{LastNo, Scene};
pub use pauses::{BETWEEN_QUESTIONS, Pauses};
pub use question::{
    MOST_PICTURE_BYTES, MOST_PICTURES, MOST_PX, MOST_RULES, MOST_WORDS_CHARS, Moment, Picture,
    Question, QuestionError, RuleInWords,
};
pub use reader::{MOST_ANSWER_BYTES, MOST_TEXT_CHARS, Read, Usage, read};
