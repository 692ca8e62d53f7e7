//! What is read out of a Live session: the model it is about, what it cost, why it ended.
//!
//! A Live session is a conversation over a WebSocket (`BidiGenerateContent` and its kin): each side
//! sends JSON, the client as text and Google's server as bytes. Nothing of it is held but the number
//! that is being read.

use std::ops::Range;

use serde::Deserialize;

use crate::frames::{Frames, Kind, Side};
use crate::json::{Find, Scanner, Want};
use crate::members;
use crate::request::MODEL_BYTES_MAX;
use crate::usage::{Counts, Usage};

/// How much of a first message is read for its model, in bytes.
const SETUP_BYTES_MAX: usize = 64 * 1024;

/// What a client asks for with the beginning of a subprotocol, in place of a header that a browser
/// could not set; the rest is its key.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// The name of the method by which a session with a token of its own is opened, in part.
const CONSTRAINED: &str = "Constrained";

/// Whether a session opened by this method is told when it is about to end: that of music knows no
/// such message.
pub fn knows_go_away(method: &str) -> bool {
    matches!(method.strip_suffix(CONSTRAINED).unwrap_or(method), "BidiGenerateContent")
}

/// The message by which a server says that it will soon end the session.
pub fn go_away(time_left_ms: u64) -> String {
    let (seconds, ms) = (time_left_ms / 1_000, time_left_ms % 1_000);
    let time_left = if ms == 0 { format!("{seconds}s") } else { format!("{seconds}.{ms:03}s") };
    format!(r#"{{"goAway":{{"timeLeft":"{time_left}"}}}}"#)
}

/// The key in one of the subprotocols that a client offers.
pub fn key_in_protocol(protocol: &str) -> Option<&str> {
    protocol.strip_prefix(KEY_PROTOCOL)
}

/// What a client has asked for in its first message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The model, without `models/`.
    pub model: Option<String>,
    /// What the session was called that is to be resumed.
    pub handle: Option<String>,
}

/// Reads the first message of what a client has sent from the beginning; `None` if it is not whole, or
/// not one.
pub fn setup(sent: &[u8]) -> Option<Setup> {
    #[derive(Deserialize)]
    struct First {
        setup: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        model: Option<String>,
        #[serde(alias = "session_resumption", rename = "sessionResumption")]
        resumption: Option<Resumption>,
    }
    #[derive(Deserialize)]
    struct Resumption {
        handle: Option<String>,
    }
    let mut frames = Frames::new(Side::Client);
    let mut message = Vec::new();
    let mut rest = sent;
    while !rest.is_empty() && frames.messages() == 0 && message.len() <= SETUP_BYTES_MAX {
        let step = frames.step(rest);
        if !frames.kind().is_none_or(Kind::is_control) {
            message.extend(step.unmasked(rest));
        }
        (_, rest) = rest.split_at(step.bytes);
    }
    if frames.messages() == 0 || SETUP_BYTES_MAX < message.len() {
        return None;
    }
    let First { setup } = serde_json::from_slice(&message).ok()?;
    let is_model = |model: &&str| {
        !model.is_empty() && model.len() <= MODEL_BYTES_MAX && !model.chars().any(char::is_control)
    };
    let model = setup.model.as_deref().map(|it| it.strip_prefix("models/").unwrap_or(it).trim());
    Some(Setup {
        model: model.filter(is_model).map(str::to_owned),
        handle: setup.resumption.and_then(|it| it.handle).filter(|handle| !handle.is_empty()),
    })
}

/// The name in an answer that has made a token, and where its value stands; `None` if there is not
/// exactly one.
pub fn token_name(answer: &[u8]) -> Option<(String, Range<usize>)> {
    let answer = std::str::from_utf8(answer).ok()?;
    let mut names = Vec::new();
    let walked = members::each(answer, |member| {
        if member.key == "name" {
            names.push((member.value, member.value_at..member.end()));
        }
    });
    walked.ok()?;
    let [(name, place)] = names.as_slice() else { return None };
    Some((serde_json::from_str(name).ok()?, place.clone()))
}

/// Adds up what the turns of a session cost.
///
/// A server tells the counts of one turn, and none of the session: the prompt of each turn is the whole
/// context anew, and is billed anew (Google in discuss.ai.google.dev/t/140340; who added up the counts
/// of all turns there, in /t/173248, came within 3 % of the bill, who took the last ones was 8.6 times
/// below it; three turns of two models in pydantic-ai#7269: prompts of 143, 181, 224 tokens, totals of
/// prompt and answer of that turn alone). So turns are added.
///
/// Within a turn the server may tell several times, around the message that ends it: the last value of
/// each count counts. A call of a tool ends what the model has generated, and what it generates from the
/// tool's answer has counts of its own, which are added too.
#[derive(Clone, Debug)]
pub struct Turns {
    json: Scanner,
    /// Of the message under way.
    message: Message,
    /// Of the turn under way, since it last called a tool.
    turn: Option<Counts>,
    /// The model has called a tool in this turn.
    has_called: bool,
    /// It has gone on since.
    has_gone_on: bool,
    /// The server has said that it will end the session.
    has_go_away: bool,
    /// By which the session can be resumed, until somebody asks for it.
    handle: Option<String>,
    /// Of those that are over.
    sum: Option<Usage>,
}

/// What a message of a server says.
#[derive(Clone, Debug, Default)]
struct Message {
    counts: Option<Counts>,
    is_call: bool,
    is_content: bool,
    is_turn_over: bool,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            json: Scanner::new(),
            message: Message::default(),
            turn: None,
            has_called: false,
            has_gone_on: false,
            has_go_away: false,
            handle: None,
            sum: None,
        }
    }
}

impl Turns {
    /// Looks at some of a server's message.
    pub fn see(&mut self, payload: &[u8]) {
        let Self { json, message, has_go_away, handle, .. } = self;
        json.scan(payload, |find| match find {
            Find::Count(count, tokens) => {
                message.counts.get_or_insert_default().set(count, tokens);
            }
            Find::Value(Want::TurnComplete, raw) => message.is_turn_over |= raw == b"true",
            Find::Value(Want::Handle, raw) => {
                *handle = serde_json::from_slice(raw).ok().filter(|it: &String| !it.is_empty());
            }
            Find::Key(b"goAway" | b"go_away") => *has_go_away = true,
            Find::Key(b"toolCall" | b"tool_call") => message.is_call = true,
            Find::Key(b"serverContent" | b"server_content") => message.is_content = true,
            Find::ListOpened
            | Find::Key(_)
            | Find::Value(..)
            | Find::Choice
            | Find::NoChoices
            | Find::DocumentClosed
            | Find::RootClosed
            | Find::Broken => {}
        });
    }

    /// The message is over.
    pub fn message_ended(&mut self) {
        self.json.reset();
        let Message { counts, is_call, is_content, is_turn_over } =
            std::mem::take(&mut self.message);
        self.has_gone_on |= self.has_called && (is_call || is_content);
        if let Some(counts) = counts {
            // The same once more is no more.
            if self.has_gone_on && self.turn.as_ref() != Some(&counts) {
                self.add_up();
            }
            self.turn.get_or_insert_default().update(&counts);
        }
        self.has_called |= is_call;
        if is_turn_over {
            self.add_up();
        }
    }

    /// What was told since the turn began or a tool was called is complete.
    fn add_up(&mut self) {
        (self.has_called, self.has_gone_on) = (false, false);
        if let Some(turn) = self.turn.take() {
            self.sum = Some(self.sum.unwrap_or_default().plus(turn.usage()));
        }
    }

    /// Whether the server has said that it will end the session.
    pub fn has_go_away(&self) -> bool {
        self.has_go_away
    }

    /// By what the session can be resumed, if the server has said something new of it.
    pub fn take_handle(&mut self) -> Option<String> {
        self.handle.take()
    }

    /// What all turns cost so far; `None` if nobody said.
    pub fn usage(&self) -> Option<Usage> {
        match &self.turn {
            None => self.sum,
            Some(turn) => Some(self.sum.unwrap_or_default().plus(turn.usage())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::write;

    fn total(messages: &[&str]) -> Option<u64> {
        let mut turns = Turns::default();
        for message in messages {
            message.as_bytes().chunks(7).for_each(|piece| turns.see(piece));
            turns.message_ended();
        }
        turns.usage()?.total
    }

    #[test]
    fn every_turn_counts_once_however_often_it_tells() {
        const TURN: &str = r#"{"serverContent":{"modelTurn":{"parts":[{"text":"turnComplete"}]}}}"#;
        const OVER: &str = r#"{"serverContent":{"turnComplete":true}}"#;
        let usage = |total: u64| {
            format!(
                r#"{{"usageMetadata":{{"promptTokenCount":1,"responseTokenCount":2,"totalTokenCount":{total}}}}}"#
            )
        };
        let both = format!(
            r#"{{"serverContent":{{"generationComplete":true,"turnComplete":true}},{}"#,
            usage(10).trim_start_matches('{')
        );

        assert_eq!(total(&[TURN, OVER]), None);
        assert_eq!(total(&[TURN, &both, TURN, &both]), Some(20));
        assert_eq!(total(&[TURN, &usage(4), &usage(7), OVER, TURN, &usage(5), OVER]), Some(12));
        assert_eq!(total(&[TURN, OVER, &usage(7), TURN, OVER, &usage(5)]), Some(12));
        assert_eq!(total(&[TURN, &usage(4)]), Some(4));
        assert_eq!(total(&["no json", &usage(4)]), Some(4));
    }

    #[test]
    fn what_a_turn_cost_before_and_after_it_called_a_tool_is_added() {
        const CALL: &str = r#"{"toolCall":{"functionCalls":[{"id":"1","name":"f"}]}}"#;
        const TURN: &str = r#"{"serverContent":{"modelTurn":{"parts":[{"text":"toolCall"}]}}}"#;
        const OVER: &str = r#"{"serverContent":{"turnComplete":true}}"#;
        let with = |message: &str, total: u64| {
            let usage = format!(r#","usageMetadata":{{"totalTokenCount":{total}}}}}"#);
            [message.strip_suffix('}').unwrap(), &usage].concat()
        };
        let usage = |total: u64| format!(r#"{{"usageMetadata":{{"totalTokenCount":{total}}}}}"#);

        assert_eq!(total(&[&with(CALL, 5), TURN, &with(OVER, 9)]), Some(14));
        assert_eq!(total(&[CALL, &usage(5), TURN, &with(OVER, 9)]), Some(14));
        assert_eq!(total(&[CALL, TURN, &with(OVER, 9)]), Some(9));
        assert_eq!(total(&[&with(CALL, 5), &with(CALL, 7), TURN, &with(OVER, 9)]), Some(21));
        assert_eq!(total(&[&with(CALL, 5), &with(OVER, 5), TURN, &with(OVER, 9)]), Some(14));
        assert_eq!(total(&[&with(CALL, 5), OVER, &with(OVER, 9)]), Some(14));
        assert_eq!(total(&[&with(CALL, 5)]), Some(5));
        assert_eq!(total(&[&with(TURN, 5), CALL, TURN, &usage(6), &with(OVER, 9)]), Some(14));
    }

    #[test]
    fn the_model_stands_in_the_first_message_alone() {
        let sent = |texts: &[&str]| -> Vec<u8> {
            let mask = Some([1, 2, 3, 4]);
            let ping = write(Kind::Ping, b"x", mask);
            let texts = texts.iter().flat_map(|text| write(Kind::Text, text.as_bytes(), mask));
            ping.into_iter().chain(texts).collect()
        };
        let setup = r#"{"setup":{"tools":[],"model":"models/gemini-live"}}"#;

        let model = |sent: &[u8]| super::setup(sent)?.model;
        assert_eq!(model(&sent(&[setup, "{}"])).as_deref(), Some("gemini-live"));
        let whole = sent(&[setup]);
        assert_eq!(super::setup(&whole[..whole.len() - 1]), None, "half a message");
        for other in ["{}", "[]", r#"{"setup":{"model":""}}"#, r#"{"setup":{"model":"a\nb"}}"#] {
            assert_eq!(model(&sent(&[other, setup])), None, "{other}");
        }
        let long = format!(r#"{{"setup":{{"model":"m","x":"{}"}}}}"#, "x".repeat(SETUP_BYTES_MAX));
        assert_eq!(super::setup(&sent(&[&long])), None);
    }

    #[test]
    fn a_session_that_is_resumed_is_named_by_its_handle() {
        let sent = |text: &str| write(Kind::Text, text.as_bytes(), Some([1, 2, 3, 4]));
        let handle = |text: &str| setup(&sent(text)).and_then(|setup| setup.handle);
        for text in [
            r#"{"setup":{"model":"m","sessionResumption":{"handle":"h"}}}"#,
            r#"{"setup":{"session_resumption":{"handle":"h"}}}"#,
        ] {
            assert_eq!(handle(text).as_deref(), Some("h"));
        }
        assert_eq!(handle(r#"{"setup":{"sessionResumption":{}}}"#), None);
        let mut turns = Turns::default();
        turns.see(br#"{"sessionResumptionUpdate":{"newHandle":"h\u0061","resumable":true}}"#);
        assert_eq!((turns.take_handle().as_deref(), turns.take_handle()), (Some("ha"), None));
    }

    #[test]
    fn the_name_of_a_token_is_found_where_it_stands_alone() {
        let answer = br#"{ "name" : "auth_tokens/a\u002fb", "x": {"name": "y"} }"#;

        let (name, place) = token_name(answer).unwrap();

        assert_eq!(
            (name.as_str(), &answer[place]),
            ("auth_tokens/a/b", &br#""auth_tokens/a\u002fb""#[..])
        );
        for other in [r#"{"name":"a","name":"b"}"#, r#"{"names":"a"}"#, r#"{"name":1}"#, "[]", "{"]
        {
            assert_eq!(token_name(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_server_that_will_end_the_session_says_so() {
        let mut turns = Turns::default();
        turns.see(br#"{"serverContent":{"goAway":1}}"#);
        turns.message_ended();
        assert!(!turns.has_go_away());

        turns.see(go_away(50_000).as_bytes());

        assert!(turns.has_go_away());
    }

    #[test]
    fn the_time_that_is_left_is_a_duration_of_protobuf() {
        assert_eq!(go_away(25_000), r#"{"goAway":{"timeLeft":"25s"}}"#);
        assert_eq!(go_away(1_050), r#"{"goAway":{"timeLeft":"1.050s"}}"#);
        assert!(knows_go_away("BidiGenerateContentConstrained"));
        assert!(!knows_go_away("BidiGenerateMusic"));
    }
}
