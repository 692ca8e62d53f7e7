//! Steps for whole bodies, event streams and JSON arrays in pieces.

use serde_json::{Value, json};

use crate::{
    answer::Step,
    options::{Decoration, ErrorForm, LineEnd, Options},
    refusal,
};

/// A field no client knows, spelt as no serializer would: shows whether bytes pass untouched.
const ODDITIES: &str = r#""x_unknown":{"number":1.50E+02,"escaped":"\u00e9\/\ud83d\ude00"}"#;

/// The object as JSON with the odd field at its end.
pub(crate) fn with_oddities(object: &Value) -> String {
    let mut text = object.to_string();
    text.truncate(text.len() - 1);
    if text.len() > 1 {
        text.push(',');
    }
    text + ODDITIES + "}"
}

/// A JSON body.
pub(crate) fn whole(status: u16, body: String, options: &Options) -> Vec<Step> {
    let mut steps = begin(status, "application/json; charset=UTF-8", options);
    steps.push(Step::Bytes(body.into()));
    steps
}

/// A stream of server-sent events, ended by `[DONE]` if the dialect has that.
pub(crate) fn stream(mut events: Vec<String>, sse: Sse, options: &Options) -> Vec<Step> {
    let bare_error = break_off(&mut events, options);
    let line_end = options.line_end.unwrap_or(sse.line_end).text();
    if sse.has_done && options.error.is_none() && !options.has(Decoration::NoDone) {
        events.push("[DONE]".to_owned());
    }
    let last = events.len();
    let mut texts: Vec<String> = (1..)
        .zip(&events)
        .map(|(number, data)| {
            let mut text = event(number, data, line_end, options);
            if number < last || !options.has(Decoration::NoLastBlankLine) {
                text.push_str(line_end);
            }
            text
        })
        .collect();
    texts.extend(bare_error);
    if let (true, Some(first)) = (options.has(Decoration::ByteOrderMark), texts.first_mut()) {
        first.insert(0, '\u{feff}');
    }
    paced(begin(200, "text/event-stream", options), texts, options)
}

/// A JSON array that arrives element by element.
pub(crate) fn array(mut elements: Vec<String>, options: &Options) -> Vec<Step> {
    let bare_error = break_off(&mut elements, options);
    let last = elements.len();
    let mut texts: Vec<String> = (1..)
        .zip(elements)
        .map(|(number, element)| {
            let open = if number == 1 { "[" } else { ",\r\n" };
            let close = if number == last && bare_error.is_none() { "]" } else { "" };
            format!("{open}{element}{close}")
        })
        .collect();
    texts.extend(bare_error);
    paced(begin(200, "application/json; charset=UTF-8", options), texts, options)
}

/// How a vendor writes its events.
#[derive(Clone, Copy)]
pub(crate) struct Sse {
    pub(crate) line_end: LineEnd,
    pub(crate) has_done: bool,
}

/// Ends the events with the error asked for, if any; one in bare lines is given back.
fn break_off(events: &mut Vec<String>, options: &Options) -> Option<String> {
    let error = options.error?;
    events.truncate(error.after_events);
    let body = refusal::error_of(error.code);
    match error.form {
        ErrorForm::Event => {
            events.push(body.to_string());
            None
        }
        ErrorForm::BareLines => Some(format!("{body:#}\n")),
    }
}

/// One event without the blank line behind it.
fn event(number: usize, data: &str, line_end: &str, options: &Options) -> String {
    let mut lines = Vec::new();
    if options.has(Decoration::Comment) {
        lines.push(format!(": comment {number}"));
    }
    if options.has(Decoration::Event) {
        lines.push("event: message".to_owned());
    }
    if options.has(Decoration::Id) {
        lines.push(format!("id: {number}"));
    }
    if options.has(Decoration::Retry) {
        lines.push("retry: 1000".to_owned());
    }
    let label = if options.has(Decoration::NoSpace) { "data:" } else { "data: " };
    match serde_json::from_str::<Value>(data) {
        Ok(value) if options.has(Decoration::MultiLine) => {
            lines.extend(format!("{value:#}").lines().map(|line| format!("{label}{line}")));
        }
        Ok(_) | Err(_) => lines.push(format!("{label}{data}")),
    }
    lines.push(String::new());
    lines.join(line_end)
}

fn paced(mut steps: Vec<Step>, texts: Vec<String>, options: &Options) -> Vec<Step> {
    for (number, text) in texts.into_iter().enumerate() {
        if number > 0 && options.pace_ms > 0 {
            steps.push(Step::Wait { ms: options.pace_ms });
        }
        steps.push(Step::Chunk(text.into()));
    }
    steps
}

fn begin(status: u16, content_type: &str, options: &Options) -> Vec<Step> {
    let wait = (options.first_byte_ms > 0).then_some(Step::Wait { ms: options.first_byte_ms });
    wait.into_iter().chain([head(status, content_type)]).collect()
}

/// A head with the headers Google sends.
pub(crate) fn head(status: u16, content_type: &str) -> Step {
    let headers = [
        ("content-type", content_type),
        ("vary", "Origin"),
        ("server", "scaffolding on HTTPServer2"),
        ("x-content-type-options", "nosniff"),
        ("server-timing", "gfet4t7; dur=12"),
        ("x-gemini-service-tier", "standard"),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Step::Head { status, headers: headers.into_iter().map(owned).collect() }
}

/// What a resource answers that the fake knows nothing about.
pub(crate) fn echo(method: &str, path: &str, body: &[u8]) -> String {
    let body = serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body).into_owned()));
    with_oddities(&json!({"echo": {"method": method, "path": path, "body": body}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oddities_keep_an_object_valid() {
        for object in [json!({}), json!({"a": 1})] {
            let read: Value = serde_json::from_str(&with_oddities(&object)).unwrap();

            assert_eq!(read["x_unknown"]["number"], 150.0);
        }
    }

    #[test]
    fn decorations_are_written_as_named() {
        let options = Options {
            decorations: vec![
                Decoration::Comment,
                Decoration::Id,
                Decoration::ByteOrderMark,
                Decoration::NoSpace,
                Decoration::NoLastBlankLine,
            ],
            line_end: Some(LineEnd::Cr),
            ..Options::default()
        };

        let steps = stream(
            vec!["{}".to_owned(), "1".to_owned()],
            Sse { line_end: LineEnd::Lf, has_done: false },
            &options,
        );

        assert_eq!(steps[1], Step::Chunk("\u{feff}: comment 1\rid: 1\rdata:{}\r\r".into()));
        assert_eq!(steps[2], Step::Chunk(": comment 2\rid: 2\rdata:1\r".into()));
    }
}
