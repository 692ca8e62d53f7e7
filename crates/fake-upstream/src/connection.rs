//! One connection: request after request, each answered by playing its plan.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    task::yield_now,
    time::{Duration, sleep},
};

use crate::{
    answer::Answer,
    call::{Call, Dialect},
    control, events,
    http::{self, Request, Unread},
    live,
    options::Options,
    plan::{Act, Plan},
    record::Outcome,
    reply,
    upstream::Shared,
};

/// The most bytes a client may send ahead while an answer waits.
const AHEAD_BYTES_MAX: usize = 1 << 20;

/// Serves a connection until either side ends it.
pub(crate) async fn serve(stream: TcpStream, number: u64, shared: Arc<Shared>) {
    let _open = shared.records.connection();
    let mut connection =
        Connection { stream, buffer: BytesMut::new(), number, requests: 0, recent: None };
    loop {
        let request = match http::read_request(&mut connection.stream, &mut connection.buffer).await
        {
            Ok(request) => request,
            Err(Unread::Gone) => return,
            Err(Unread::Malformed) => {
                let refused = reply::control(400, r#"{"error":"malformed"}"#.to_owned());
                connection.play(&refused).await;
                return;
            }
        };
        if !connection.answer(&request, &shared).await || !request.keeps_connection {
            return;
        }
    }
}

struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
    number: u64,
    requests: u64,
    recent: Option<Recent>,
}

/// The ordinary answer given last: load runs ask the same over and over.
struct Recent {
    dialect: Dialect,
    method: String,
    target: String,
    body: Bytes,
    plan: Arc<Plan>,
}

impl Connection {
    /// Answers one request; `false` when the connection is to end.
    async fn answer(&mut self, request: &Request, shared: &Shared) -> bool {
        if let Some(plan) = control::answer(request, shared) {
            return self.play(&plan).await == Outcome::Answered;
        }
        let call = Call::new(request);
        if live::is_asked(request) {
            return self.live(&call, shared).await;
        }
        // Whoever sees the request knows that its rule is taken, and may add another.
        let plan = self.plan(&call, shared);
        let exchange = shared.records.begin(&call, self.number, self.requests);
        self.requests += 1;
        drop(call);
        let outcome = self.play(&plan).await;
        exchange.end(outcome);
        outcome == Outcome::Answered && plan.keeps_connection
    }

    /// Holds a Live session, or plays what the script says in its place; the connection ends with it.
    async fn live(&mut self, call: &Call<'_>, shared: &Shared) -> bool {
        let answer = shared.rules.take(call);
        let exchange = shared.records.begin(call, self.number, self.requests);
        self.requests += 1;
        let script = match answer.as_deref() {
            Some(Answer::Live(script)) => Some(script),
            Some(other) => {
                let plan = reply::scripted(other, call, &shared.settings);
                let outcome = self.play(&plan).await;
                exchange.end(outcome);
                return outcome == Outcome::Answered && plan.keeps_connection;
            }
            None => None,
        };
        let Self { stream, buffer, .. } = self;
        exchange.end(live::serve(stream, buffer, call, (script, shared)).await);
        false
    }

    fn plan(&mut self, call: &Call<'_>, shared: &Shared) -> Arc<Plan> {
        let settings = &shared.settings;
        if let Some(answer) = shared.rules.take(call) {
            return Arc::new(reply::scripted(&answer, call, settings));
        }
        if let Some(answer) = reply::obstacle(call) {
            return Arc::new(reply::scripted(&answer, call, settings));
        }
        if let Some(token) = shared.live.answer(call) {
            let text = events::with_oddities(&token);
            return Arc::new(reply::complete(events::whole(200, text, &Options::default()), call));
        }
        if let Some(steps) = shared.kept.answer(call) {
            return Arc::new(reply::complete(steps, call));
        }
        if let Some(recent) = self.recent.as_ref().filter(|recent| recent.answers(call)) {
            return Arc::clone(&recent.plan);
        }
        let plan = Arc::new(reply::ordinary(call, settings));
        self.recent = Some(Recent::new(call, Arc::clone(&plan)));
        plan
    }

    async fn play(&mut self, plan: &Plan) -> Outcome {
        let mut sent_events = 0;
        for (number, act) in plan.acts.iter().enumerate() {
            match act {
                Act::Write { bytes, events } => {
                    if number > 0 {
                        yield_now().await;
                    }
                    if self.stream.write_all(bytes).await.is_err() {
                        return Outcome::ClientGone { sent_events };
                    }
                    sent_events += events;
                }
                Act::Wait(pause) => {
                    if self.leaves_within(*pause).await {
                        return Outcome::ClientGone { sent_events };
                    }
                }
                Act::Stall => {
                    self.leaves().await;
                    return Outcome::ClientGone { sent_events };
                }
                Act::Reset => {
                    // Closing without lingering makes the kernel send a reset. If it refuses, the
                    // client sees a plain close.
                    let _ = self.stream.set_zero_linger();
                    return Outcome::Broken;
                }
                Act::Close => {
                    // The client may be gone already; the end is the same.
                    let _ = self.stream.shutdown().await;
                    return Outcome::Broken;
                }
            }
        }
        Outcome::Answered
    }

    async fn leaves_within(&mut self, pause: Duration) -> bool {
        tokio::select! {
            () = self.leaves() => true,
            () = sleep(pause) => false,
        }
    }

    /// Returns when the client has left; keeps what it sends ahead.
    async fn leaves(&mut self) {
        while self.buffer.len() < AHEAD_BYTES_MAX {
            if http::fill(&mut self.stream, &mut self.buffer).await.is_err() {
                return;
            }
        }
    }
}

impl Recent {
    fn new(call: &Call<'_>, plan: Arc<Plan>) -> Self {
        let request = call.request;
        Self {
            dialect: call.dialect,
            method: request.method.clone(),
            target: request.target.clone(),
            body: request.body.clone(),
            plan,
        }
    }

    fn answers(&self, call: &Call<'_>) -> bool {
        let request = call.request;
        self.dialect == call.dialect
            && self.method == request.method
            && self.target == request.target
            && self.body == request.body
    }
}
