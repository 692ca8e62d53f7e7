//! How fast the gateway goes on to the next key, and lets go of what nobody wants.

use std::time::{Duration, Instant};

use fake_upstream::{Answer, When};
use tokio::task::JoinSet;

use crate::load::{House, NOISE, Times};
use crate::support::Ask;

/// How often each thing is measured.
const ROUNDS: usize = 200;

/// The time from the refusal of one key to the question with the next, with the upstream's own
/// time for the one exchange more in it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: 400 calls, one after the other"]
async fn going_on_to_another_key_takes_next_to_no_time() {
    // A key that was refused rests longer than this takes.
    let house = House::start_from("exec \"$0\"", &[], 2 * ROUNDS).await;
    let (mut plain, mut other) = (Vec::new(), Vec::new());

    for _ in 0..ROUNDS {
        for (times, refusals) in [(&mut plain, 0), (&mut other, 1)] {
            house.upstream.clear();
            house.upstream.on(When::any().times(refusals), Answer::quota_per_minute(600));
            let began = Instant::now();
            Ask::openai().is_answered(&house.caller()).await;
            times.push(began.elapsed());
        }
    }

    let (plain, other) = (Times::of(plain), Times::of(other));
    let attempts = house.metrics().await.sum("attempts_total");
    let added = other.median().saturating_sub(plain.median());
    println!("a call: median {:?}, p99 {:?}", plain.median(), plain.p99());
    println!(
        "with a 429 first: median {:?}, p99 {:?}: {added:?} more",
        other.median(),
        other.p99()
    );
    assert_eq!(attempts, 3 * ROUNDS as u64);
    assert!(added <= Duration::from_millis(5) + NOISE);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: 400 callers who leave, one after the other"]
async fn what_a_caller_held_who_leaves_is_free_at_once() {
    let house = House::start(&[]).await;
    let question = Ask::openai().streamed();

    for (moment, answer) in
        [("before the answer begins", Answer::stall()), ("in mid-stream", Answer::stall_after(1))]
    {
        house.upstream.clear();
        house.upstream.on(When::any(), answer);
        let (mut closed, mut freed) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (caller, question) = (house.caller(), question.clone());
            let mut asking = JoinSet::new();
            asking.spawn(async move {
                let mut stream = question.open(&caller).await;
                while stream.next().await.is_some() {}
            });
            house.upstream.wait_for_requests(|open| open == 1).await.unwrap();

            drop(asking);
            let left = Instant::now();

            let closing = async {
                house.upstream.wait_for_requests(|open| open == 0).await.unwrap();
                left.elapsed()
            };
            let freeing = async {
                house.idle().await;
                left.elapsed()
            };
            let (closing, freeing) = tokio::join!(closing, freeing);
            closed.push(closing);
            freed.push(freeing);
        }
        let (closed, freed) = (Times::of(closed), Times::of(freed));
        println!(
            "{moment}: upstream closed after {:?}, at most {:?}; all free after {:?}, at most {:?}",
            closed.median(),
            closed.longest(),
            freed.median(),
            freed.longest()
        );
        assert!(closed.longest() <= Duration::from_secs(1));
        assert!(freed.median() <= Duration::from_millis(100));
        assert!(freed.longest() <= Duration::from_secs(1));
    }
}
