//! From a request to a plan: which answer it gets, and what that means on the wire.

use crate::{
    answer::{Answer, Step},
    call::{Call, Carrier, Dialect},
    events, gemini, openai,
    options::Options,
    plan::{self, Plan},
    refusal::Refusal,
    upstream::Settings,
};

/// The plan of a scripted answer.
pub(crate) fn scripted(answer: &Answer, call: &Call<'_>, settings: &Settings) -> Plan {
    planned(steps(answer, call, settings), call)
}

/// What stands in the way of an ordinary answer: a refusal, or a key that misbehaves by name.
pub(crate) fn obstacle(call: &Call<'_>) -> Option<Answer> {
    refusal_of_credentials(call).map(Answer::Refusal).or_else(|| by_name(call.key()?))
}

/// The plan of complete steps.
pub(crate) fn complete(mut steps: Vec<Step>, call: &Call<'_>) -> Plan {
    plan::frame(&mut steps);
    planned(steps, call)
}

/// The plan of the ordinary answer.
pub(crate) fn ordinary(call: &Call<'_>, settings: &Settings) -> Plan {
    planned(believable(call, settings, &settings.options), call)
}

fn planned(steps: Vec<Step>, call: &Call<'_>) -> Plan {
    let is_head = call.request.method == "HEAD";
    Plan::new(&if is_head { plan::without_body(steps) } else { steps })
}

/// The framed steps of an answer.
fn steps(answer: &Answer, call: &Call<'_>, settings: &Settings) -> Vec<Step> {
    let mut steps = match answer {
        Answer::Default(options) => match refusal_of_credentials(call) {
            Some(refusal) => refusal.steps(call),
            None => return believable(call, settings, options),
        },
        Answer::Refusal(refusal) => refusal.steps(call),
        Answer::Status { code, headers, body } => vec![
            Step::Head { status: *code, headers: headers.clone() },
            Step::Bytes(body.clone().into()),
        ],
        // A session is asked for in another way.
        Answer::Live(_) => vec![events::head(400, "application/json")],
        Answer::Steps(steps) => steps.clone(),
        Answer::Faulty { answer, faults } => {
            return faults.iter().fold(steps(answer, call, settings), plan::spoil);
        }
    };
    plan::frame(&mut steps);
    steps
}

fn believable(call: &Call<'_>, settings: &Settings, options: &Options) -> Vec<Step> {
    let refused = if settings.is_strict { unknown_field(call) } else { None };
    let mut steps = match (refused, call.dialect) {
        (Some(refusal), _) => refusal.steps(call),
        (None, Dialect::Gemini) => gemini::answer(call, options),
        (None, Dialect::OpenAi) => openai::answer(call, options),
    };
    plan::frame(&mut steps);
    steps
}

fn unknown_field(call: &Call<'_>) -> Option<Refusal> {
    match call.dialect {
        Dialect::Gemini => gemini::unknown_field(call),
        Dialect::OpenAi => openai::unknown_field(call),
    }
}

/// Exactly one credential is right, in the place the dialect reads.
fn refusal_of_credentials(call: &Call<'_>) -> Option<Refusal> {
    let [credential] = call.credentials.as_slice() else {
        let is_empty = call.credentials.is_empty();
        return Some(if is_empty { Refusal::NoCredential } else { Refusal::MultipleCredentials });
    };
    match (call.dialect, credential.carrier) {
        (Dialect::Gemini, Carrier::Header | Carrier::Query)
        | (Dialect::OpenAi, Carrier::Authorization) => None,
        (Dialect::Gemini, Carrier::Authorization) => Some(Refusal::Unauthorized),
        (Dialect::OpenAi, Carrier::Header | Carrier::Query) => Some(Refusal::MissingAuthorization),
    }
}

/// What a key does by the word in its name.
fn by_name(key: &str) -> Option<Answer> {
    let words: [(_, fn() -> Answer); 13] = [
        ("-invalid", Answer::key_invalid),
        ("-expired", Answer::key_expired),
        ("-suspended", Answer::suspended),
        ("-leaked", Answer::leaked),
        ("-nocredit", Answer::no_credit),
        ("-429m", || Answer::quota_per_minute(30)),
        ("-429d", || Answer::quota_per_day(25)),
        ("-limit0", Answer::limit_zero),
        ("-500", || Answer::server_error(500)),
        ("-503", Answer::overloaded),
        ("-reset", Answer::reset),
        ("-stall", Answer::stall),
        ("-slow", || {
            Answer::Default(Options { first_byte_ms: 2000, pace_ms: 500, ..Options::default() })
        }),
    ];
    words.into_iter().find_map(|(word, answer)| key.contains(word).then(answer))
}

/// The plan of an answer to the control surface.
pub(crate) fn control(status: u16, body: String) -> Plan {
    let mut steps = vec![events::head(status, "application/json"), Step::Bytes(body.into())];
    plan::frame(&mut steps);
    Plan::new(&steps)
}
