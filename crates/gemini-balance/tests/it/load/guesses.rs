//! Passwords guessed at full speed, beside those who have work to do.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::load::{House, NOISE, Times};
use crate::support::Client;

/// How long the guessing goes on.
const LASTING: Duration = Duration::from_secs(30);

/// As many guesses as the attacker has sockets for.
const AT_ONCE: usize = 200;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: a thousand guesses a second for half a minute"]
async fn guessing_at_full_speed_does_not_slow_the_callers() {
    let house = House::start(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let calm = house.latencies(Duration::from_secs(10)).await;
    let (memory, _) = house.gateway.memory_kib();
    house.gateway.forget_peak_memory();

    let (guesses, attacked) = tokio::join!(guess(&house), house.latencies(LASTING));

    let (refused, looked_at): (Vec<_>, Vec<_>) =
        guesses.into_iter().partition(|(status, _)| *status == 429);
    assert!(looked_at.iter().all(|(status, _)| *status == 401));
    let looked_at = looked_at.len();
    let refused = Times::of(refused.into_iter().map(|(_, time)| time).collect());
    let peak = house.gateway.memory_kib().1.saturating_sub(memory) >> 10;
    println!(
        "{} guesses refused, median {:?}, p99 {:?}; {looked_at} looked at; {peak} MiB more at most",
        refused.count(),
        refused.median(),
        refused.p99(),
    );
    println!(
        "a call: median {:?}, p99 {:?}, longest {:?} among {}; calm {:?}, {:?}, {:?} among {}",
        attacked.median(),
        attacked.p99(),
        attacked.longest(),
        attacked.count(),
        calm.median(),
        calm.p99(),
        calm.longest(),
        calm.count(),
    );
    // The limit of all addresses together: a hundred at once, then about seventy a minute.
    assert!(looked_at < 150);
    // Two hashes of 46 MiB, and what the connections of the attack hold.
    assert!(peak <= 2 * 46 + 32);
    assert!(attacked.p99() <= calm.p99() * 3 + NOISE);
}

/// Guesses a thousand times a second, each time from another address.
async fn guess(house: &House) -> Vec<(u16, Duration)> {
    let until = Instant::now() + LASTING;
    let (mut guesses, mut answered) = (JoinSet::new(), Vec::new());
    let mut next = tokio::time::interval(Duration::from_millis(10));
    let mut number = 0_u32;
    while Instant::now() < until {
        next.tick().await;
        for _ in 0..10 {
            number += 1;
            let address = format!("198.51.{}.{}", number / 250 % 250, number % 250);
            guesses.spawn(try_password(house.stranger().with("x-forwarded-for", &address)));
        }
        while AT_ONCE < guesses.len() {
            answered.push(guesses.join_next().await.unwrap().unwrap());
        }
    }
    answered.extend(guesses.join_all().await);
    answered
}

async fn try_password(client: Client) -> (u16, Duration) {
    let began = Instant::now();
    let wrong = json!({"username": "admin", "password": "wrong"});
    (client.post("/api/auth/login", &wrong).await.status.as_u16(), began.elapsed())
}
