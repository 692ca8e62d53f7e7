//! Interactions: they have ids in place of names, and streams with `event:` lines that can be taken
//! up again.

use serde_json::{Value, json};

use super::{Asked, Said, State};
use crate::{answer::Step, call::Call, events};

impl State {
    pub(super) fn interaction(&mut self, call: &Call<'_>, asked: &Asked<'_>) -> Said {
        match (asked.method, asked.segments.as_slice()) {
            ("POST", [_]) => self.interact(call, asked),
            ("GET", [_, id]) => {
                let is_stream = call.parameter("stream").as_deref() == Some("true");
                let after = call.parameter("last_event_id");
                match self.seen(&format!("interactions/{id}"), asked) {
                    Err(refused) => refused,
                    Ok(thing) if is_stream => streamed(&thing.body, after.as_deref()),
                    Ok(thing) => Said::Body(told(&thing.body), Vec::new()),
                }
            }
            ("POST", [_, id, "cancel"]) => match self.seen(&format!("interactions/{id}"), asked) {
                Err(refused) => refused,
                Ok(thing) => {
                    if let Some(fields) = thing.body.as_object_mut() {
                        fields.insert("status".to_owned(), "cancelled".into());
                    }
                    Said::Body(told(&thing.body), Vec::new())
                }
            },
            ("DELETE", [_, id]) => {
                let name = format!("interactions/{id}");
                match self.seen(&name, asked) {
                    Err(refused) => refused,
                    Ok(_) => {
                        self.things.remove(&name);
                        Said::Body(json!({}), Vec::new())
                    }
                }
            }
            _ => Said::Error(404, "There is no such call.".to_owned()),
        }
    }

    fn interact(&mut self, call: &Call<'_>, asked: &Asked<'_>) -> Said {
        let field = |name: &str| call.json().and_then(|body| body.get(name)).cloned();
        let text = field("input").unwrap_or_default();
        let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
        let body = json!({
            "model": field("model"),
            "object": "interaction",
            "status": "completed",
            "previous_interaction_id": field("previous_interaction_id"),
            "output_text": format!("echo: {text}"),
            "steps": [{
                "type": "model_output",
                "content": [{"type": "text", "text": format!("echo: {text}")}],
            }],
            "usage": {
                "total_input_tokens": 11,
                "total_output_tokens": 7,
                "total_thought_tokens": 3,
                "total_tokens": 21,
            },
        });
        let is_stream = field("stream") == Some(Value::Bool(true));
        let name = self.keep("interactions", asked, body, bytes::Bytes::new());
        let id = name.strip_prefix("interactions/").unwrap_or_default().to_owned();
        let Some(thing) = self.things.get_mut(&name) else { return Said::Error(500, id) };
        if let Some(fields) = thing.body.as_object_mut() {
            fields.insert("id".to_owned(), id.into());
        }
        match is_stream {
            true => streamed(&thing.body, None),
            false => Said::Body(told(&thing.body), Vec::new()),
        }
    }
}

/// An interaction has no name.
fn told(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("name");
    }
    body
}

/// The events of an interaction, from behind the one that was read last.
fn streamed(body: &Value, after: Option<&str>) -> Said {
    let whole = told(body);
    let mut begun = whole.clone();
    if let Some(fields) = begun.as_object_mut() {
        ["usage", "steps", "output_text"].into_iter().for_each(|name| drop(fields.remove(name)));
        fields.insert("status".to_owned(), "in_progress".into());
    }
    let text = whole.get("output_text").cloned().unwrap_or_default();
    let of_stream = [
        ("interaction.created", json!({"interaction": begun})),
        ("step.start", json!({"index": 0, "step": {"type": "model_output"}})),
        ("step.delta", json!({"index": 0, "delta": {"type": "text", "text": text}})),
        ("step.stop", json!({"index": 0})),
        ("interaction.completed", json!({"interaction": whole})),
    ];
    let mut steps = vec![events::head(200, "text/event-stream")];
    let skipped = after.and_then(|id| id.strip_prefix("e")?.parse::<usize>().ok());
    for (number, (name, mut data)) in of_stream.into_iter().enumerate() {
        if skipped.is_some_and(|last| number <= last) {
            continue;
        }
        if let Some(fields) = data.as_object_mut() {
            fields.insert("event_type".to_owned(), name.into());
            fields.insert("event_id".to_owned(), format!("e{number}").into());
        }
        steps.push(Step::Chunk(format!("event: {name}\ndata: {data}\n\n").into()));
    }
    steps.push(Step::Chunk("data: [DONE]\n\n".into()));
    Said::Steps(steps)
}
