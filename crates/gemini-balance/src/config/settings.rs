//! The table of settings. Each is declared where it is read: its names, default, range and one
//! sentence for people. The order is that of the documentation.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use tracing::Level;

use crate::config::alerts::{HOOK_URL, HookUrl, MAIL_SERVER, MAILBOX, QUIET_HOURS, ZONE, Zone};
use crate::config::base_url::{BASE_URL, BaseUrl};
use crate::config::forbidden::{HEADER_SECRET, PASSPHRASE, PASSWORD, SIGNING_SECRET};
use crate::config::network::{NETWORK, Reach};
use crate::config::outbound_proxy::{NO_PROXY, OutboundProxy, PROXY_URL};
use crate::config::reader::{Kind, Names, Reader};
use crate::config::{
    Admin, Alerts, Backups, Config, CookieSecure, HookForm, Limits, LogFiles, LogFormat, Logging,
    Mail, MetricsPage, Origin, Otlp, Pool, Server, Setting, Storage, Telegram, TlsFiles, Upstream,
    Webhook,
};
use crate::secret::Secret;

const SECOND_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600 * SECOND_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

const BYTES_PER_MB: u32 = 1024 * 1024;

const HOST: Kind<IpAddr> = Kind {
    form: "address",
    parse: |text| match text {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => text.parse().map_err(|_| "must be an address such as 127.0.0.1, 0.0.0.0 or ::".into()),
    },
};

const LISTEN: Kind<SocketAddr> = Kind {
    form: "address:port",
    parse: |text| text.parse().map_err(|_| "must be address:port such as 127.0.0.1:9090".into()),
};

const CHAT: Kind<String> = Kind {
    form: "number or @name",
    parse: |text| {
        let is_chat = text.bytes().all(|it| it.is_ascii_alphanumeric() || b"@-_".contains(&it));
        is_chat.then(|| text.to_owned()).ok_or_else(|| "must be a number or @name".to_owned())
    },
};

const OTLP_HEADERS: Kind<Option<Secret>> = Kind {
    form: "name=value, separated by commas",
    parse: |text| {
        let is_field = |pair: &str| {
            pair.split_once('=').is_some_and(|(name, value)| {
                name.trim().parse::<HeaderName>().is_ok() && HeaderValue::from_str(value).is_ok()
            })
        };
        match text.trim() {
            "" => Ok(None),
            text if text.split(',').all(is_field) => Ok(Some(Secret::new(text))),
            _ => Err("must be name=value, separated by commas".to_owned()),
        }
    },
};

const SERVICE_NAME: Kind<String> = Kind { form: "text", parse: |text| Ok(text.to_owned()) };

const SHARE: Kind<f64> = Kind {
    form: "0 to 1",
    parse: |text| {
        let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
        share.ok_or_else(|| "must be a number from 0 to 1".to_owned())
    },
};

const ORIGIN: Kind<String> = Kind { form: "origins such as https://chat.example", parse: origin };

/// Reads every setting. What the reader has seen is put into the result by the reader.
pub(super) fn read(reader: &mut Reader<'_>) -> Config {
    let (server, admin) = (server(reader), admin(reader));
    let (upstream, limits) = (upstream(reader), limits(reader));
    let (pool, storage) = (pool(reader), storage(reader));
    Config {
        server,
        admin,
        upstream,
        limits,
        pool,
        backups: backups(reader, &storage),
        storage,
        alerts: alerts(reader),
        logging: logging(reader),
        metrics: metrics(reader),
        otlp: otlp(reader),
        settings: without_effect(reader),
        notices: Vec::new(),
        origin: Origin::default(),
    }
}

fn server(reader: &mut Reader<'_>) -> Server {
    reader.section("Server");
    let host = reader.value(
        &["HOST", "UVICORN_HOST"],
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        &HOST,
        "Address to listen on. The default is reachable from this machine only, so that a first \
         start exposes nothing; `0.0.0.0` (which the container image sets) or `::` opens it to the \
         network.",
    );
    let port = reader.count(
        &["PORT", "UVICORN_PORT"],
        8090,
        0..=65_535,
        "Port to listen on; `0` takes any free one.",
    );
    Server {
        listen: SocketAddr::new(host, port),
        workers: reader.count(
            &["WORKERS"],
            0,
            0..=512,
            "Threads that serve callers; `0` means one for each core.",
        ),
        trusted_proxies: reader.list(
            &["TRUSTED_PROXIES"],
            &NETWORK,
            "Reverse proxies in front of the gateway. Only from them are `X-Forwarded-For` and \
             `X-Forwarded-Proto` believed.",
        ),
        cors_origins: reader.list(
            &["CORS_ORIGINS"],
            &ORIGIN,
            "Web pages of these origins may call the gateway from a browser. Unset, none may.",
        ),
        tls: tls_files(reader),
    }
}

fn tls_files(reader: &mut Reader<'_>) -> Option<TlsFiles> {
    let certificate = reader.optional_path(
        &["TLS_CERT"],
        "PEM file with a certificate and those that vouch for it: the gateway then speaks TLS, and \
         nothing else, on its port. A new file is taken up within seconds.",
    );
    let key =
        reader.optional_path(&["TLS_KEY"], "PEM file with the private key of that certificate.");
    for (name, path) in [("TLS_CERT", &certificate), ("TLS_KEY", &key)] {
        if path.as_ref().is_some_and(|path| !path.is_file()) {
            reader.mistake(name, "is not a file that can be read");
        }
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (Some(_), None) => {
            reader.mistake("TLS_KEY", "is needed too, since TLS_CERT is set");
            None
        }
        (None, Some(_)) => {
            reader.mistake("TLS_CERT", "is needed too, since TLS_KEY is set");
            None
        }
        (None, None) => None,
    }
}

fn admin(reader: &mut Reader<'_>) -> Admin {
    reader.section("Admin");
    let password = reader.secret(
        &["PASSWORD"],
        &PASSWORD,
        "Password of the admin. Unset, a random one is made at the first start, printed once and \
         stored hashed.",
    );
    let secret_key = reader.secret(
        &["SECRET_KEY"],
        &SIGNING_SECRET,
        "Signs session tokens. Unset, a random one is made in the data directory.",
    );
    let encryption_key = reader.secret(
        &["ENCRYPTION_KEY", "MASTER_KEY"],
        &SIGNING_SECRET,
        "Encrypts the stored service keys. Unset, a random one is made in the data directory; set \
         it if that directory is backed up to where others can read. `gemini-balance rotate-key` \
         changes it.",
    );
    reader.choice(
        &["ALGORITHM"],
        (),
        &[("HS256", ())],
        "How session tokens are signed; there is one way only.",
    );
    let token_life_minutes: u32 = reader.count(
        &["ACCESS_TOKEN_EXPIRE_MINUTES"],
        30,
        1..=525_600,
        "Life of a session, in minutes.",
    );
    Admin {
        password,
        secret_key,
        encryption_key,
        token_life_ms: u64::from(token_life_minutes) * 60 * SECOND_MS,
        cookie_secure: reader.choice(
            &["COOKIE_SECURE"],
            CookieSecure::Auto,
            &[
                ("auto", CookieSecure::Auto),
                ("true", CookieSecure::Always),
                ("false", CookieSecure::Never),
            ],
            "Whether the session cookie is for TLS only; `auto` decides by how the request came.",
        ),
    }
}

fn upstream(reader: &mut Reader<'_>) -> Upstream {
    const GOOGLE: &str = "generativelanguage.googleapis.com";
    reader.section("Upstream");
    let gemini = reader.value(
        &["GEMINI_API_BASE_URL"],
        BaseUrl::https(GOOGLE, ""),
        &BASE_URL,
        "Where Gemini requests go; the path without the API version.",
    );
    let openai = reader.value(
        &["OPENAI_API_BASE_URL"],
        BaseUrl::https(GOOGLE, "/v1beta/openai"),
        &BASE_URL,
        "Where OpenAI requests go; the path up to `/chat/completions`.",
    );
    let allow_private = reader.flag(
        &["UPSTREAM_ALLOW_PRIVATE"],
        false,
        "Allows upstreams on this machine and in private networks, say a mirror of your own. \
         Link-local and metadata addresses stay forbidden.",
    );
    let reach = if allow_private { Reach::Private } else { Reach::Public };
    for (name, base_url) in [("GEMINI_API_BASE_URL", &gemini), ("OPENAI_API_BASE_URL", &openai)] {
        if let Some(problem) = base_url.problem(reach) {
            reader.mistake(name, problem);
        }
    }
    let ca_file = reader.optional_path(
        &["UPSTREAM_CA_FILE"],
        "PEM file with certificates to trust in addition to the public ones.",
    );
    if ca_file.as_ref().is_some_and(|path| !path.is_file()) {
        reader.mistake("UPSTREAM_CA_FILE", "is not a file that can be read");
    }
    Upstream {
        gemini,
        openai,
        cloudflare: reader.flag(
            &["CLOUDFLARE_GATEWAY_ENABLED"],
            false,
            "The base URLs are those of a Cloudflare AI gateway: OpenAI model names get the prefix \
             `google-ai-studio/`.",
        ),
        cloudflare_authorization: reader.secret(
            &["CF_AI_AUTHORIZATION_KEY"],
            &HEADER_SECRET,
            "Sent to the Cloudflare AI gateway as `cf-aig-authorization`.",
        ),
        reach,
        ca_file,
        meter_openai_streams: reader.flag(
            &["METER_OPENAI_STREAMS"],
            true,
            "Asks for token counts in OpenAI streams (`stream_options.include_usage`), without \
             which they cannot be counted.",
        ),
        model_suffixes: reader.flag(
            &["MODEL_SUFFIXES"],
            false,
            "Understands the endings `-search`, `-image` and `-non-thinking` of Gemini model names, \
             as snailyp/gemini-balance does (`docs/moving-in.md`).",
        ),
        proxy: outbound_proxy(reader),
    }
}

fn outbound_proxy(reader: &mut Reader<'_>) -> OutboundProxy {
    let http = reader.optional(&["HTTP_PROXY"], &PROXY_URL, "Proxy to `http` upstreams.");
    let https = reader.optional(&["HTTPS_PROXY"], &PROXY_URL, "Proxy to `https` upstreams.");
    let all = reader.optional(&["ALL_PROXY"], &PROXY_URL, "Proxy where neither of these is set.");
    OutboundProxy {
        http: http.or_else(|| all.clone()),
        https: https.or(all),
        bypass: reader.list(
            &["NO_PROXY"],
            &NO_PROXY,
            "Upstreams that are reached without a proxy; this machine always is.",
        ),
    }
}

fn limits(reader: &mut Reader<'_>) -> Limits {
    reader.section("Limits and time-outs");
    let request_timeout_ms = reader.seconds(
        &["REQUEST_TIMEOUT_SECONDS"],
        120 * SECOND_MS,
        10..=DAY_MS,
        "Longest time from admission until the upstream begins to answer, over all tries and all \
         waiting for a key. An answer that has begun may go on as long as it moves.",
    );
    let attempt_timeout_ms = reader.seconds(
        &["ATTEMPT_TIMEOUT_SECONDS"],
        0,
        0..=DAY_MS,
        "Longest time until the upstream begins to answer one try. `0` gives each try all that is \
         left of `REQUEST_TIMEOUT_SECONDS`: a long generation without streaming is silent until it \
         is done, and starting it again elsewhere would only pay for it twice.",
    );
    if attempt_timeout_ms > request_timeout_ms {
        reader.mistake(
            "ATTEMPT_TIMEOUT_SECONDS",
            "is longer than REQUEST_TIMEOUT_SECONDS; lower it or raise that one",
        );
    }
    let body_bytes_max =
        megabytes(reader, &["BODY_LIMIT_MB"], 100, "Largest request body, in MiB.");
    let body_budget_bytes = megabytes(
        reader,
        &["BODY_BUDGET_MB"],
        256,
        "Request bodies held in memory at once, in MiB; a further one is refused with 503 and `Retry-After`.",
    );
    if body_budget_bytes < body_bytes_max {
        reader.mistake(
            "BODY_BUDGET_MB",
            "is smaller than BODY_LIMIT_MB, so the largest body could never come in; raise it",
        );
    }
    let upload_bytes_max = megabytes(
        reader,
        &["UPLOAD_LIMIT_MB"],
        2_048,
        "Largest file, or piece of one, in an upload to `/upload/…`, in MiB. It goes through without being held.",
    );
    Limits {
        request_timeout_ms,
        attempt_timeout_ms: match attempt_timeout_ms {
            0 => request_timeout_ms,
            given => given,
        },
        connect_timeout_ms: reader.seconds(
            &["CONNECT_TIMEOUT_SECONDS"],
            5 * SECOND_MS,
            10..=HOUR_MS,
            "Longest time until a connection to the upstream stands, TLS included.",
        ),
        stream_idle_timeout_ms: reader.seconds(
            &["STREAM_IDLE_TIMEOUT_SECONDS"],
            120 * SECOND_MS,
            10..=DAY_MS,
            "Longest silence of the upstream within an answer.",
        ),
        heartbeat_ms: reader.seconds(
            &["HEARTBEAT_SECONDS"],
            15 * SECOND_MS,
            0..=HOUR_MS,
            "Silence after which a stream gets a comment that keeps its connection open; `0` never.",
        ),
        write_stall_timeout_ms: reader.seconds(
            &["WRITE_STALL_SECONDS"],
            60 * SECOND_MS,
            10..=DAY_MS,
            "A caller that takes no byte of its answer for this long is cut off.",
        ),
        header_timeout_ms: reader.seconds(
            &["HEADER_TIMEOUT_SECONDS"],
            10 * SECOND_MS,
            10..=HOUR_MS,
            "Longest time until the header of a request is complete.",
        ),
        body_idle_timeout_ms: reader.seconds(
            &["BODY_IDLE_TIMEOUT_SECONDS"],
            30 * SECOND_MS,
            10..=HOUR_MS,
            "Longest silence of a caller within its request body. On the whole a body must bring 1 KiB \
             a second, and may fall behind by this much.",
        ),
        body_bytes_max,
        body_budget_bytes,
        upload_bytes_max: upload_bytes_max as u64,
        concurrent_requests_max: reader.count(
            &["MAX_CONCURRENT_REQUESTS"],
            10_000,
            1..=1_000_000,
            "Requests served at once, each counted until its last byte; further ones wait in line.",
        ),
        concurrency_timeout_ms: reader.seconds(
            &["CONCURRENCY_TIMEOUT_SECONDS"],
            60 * SECOND_MS,
            0..=DAY_MS,
            "Longest wait in that line.",
        ),
        connections_max: reader.count(
            &["MAX_CONNECTIONS"],
            20_000,
            1..=1_000_000,
            "Connections of callers open at once; further ones are closed as they come.",
        ),
        live_sessions_max: reader.count(
            &["MAX_LIVE_SESSIONS"],
            2_000,
            0..=1_000_000,
            "Live sessions (WebSocket) open at once, apart from `MAX_CONCURRENT_REQUESTS`; a further \
             one is refused with 503. `0` refuses all.",
        ),
        live_idle_timeout_ms: reader.seconds(
            &["LIVE_IDLE_TIMEOUT_SECONDS"],
            900 * SECOND_MS,
            10..=DAY_MS,
            "A Live session in which neither side has sent a message for this long is closed. Google \
             ends one after some ten minutes by itself.",
        ),
        drain_ms: reader.seconds(
            &["DRAIN_SECONDS"],
            25 * SECOND_MS,
            0..=HOUR_MS,
            "Time that running requests get to end when the gateway is stopped.",
        ),
    }
}

fn pool(reader: &mut Reader<'_>) -> Pool {
    reader.section("Key pool");
    let failure_threshold = reader.count(
        &["API_KEY_FAILURE_THRESHOLD"],
        3,
        1..=1_000,
        "Faults in a row after which a key rests for a model.",
    );
    let cool_down_ms = reader.seconds(
        &["API_KEY_COOL_DOWN_SECONDS"],
        300 * SECOND_MS,
        10..=30 * DAY_MS,
        "First rest of a key; each further one is twice as long.",
    );
    let cool_down_ms_max = reader.seconds(
        &["MAX_COOL_DOWN_SECONDS"],
        12 * HOUR_MS,
        10..=30 * DAY_MS,
        "Longest rest of a key.",
    );
    if cool_down_ms_max < cool_down_ms {
        reader.mistake(
            "MAX_COOL_DOWN_SECONDS",
            "is shorter than API_KEY_COOL_DOWN_SECONDS; raise it or lower that one",
        );
    }
    let retries: i64 = reader.count(
        &["MAX_RETRIES"],
        -1,
        -1..=100,
        "Further tries after a fault of the upstream; `-1` means two, within an overall budget. \
         Going on to another key because one is exhausted or invalid does not count.",
    );
    Pool {
        failure_threshold,
        cool_down_ms,
        cool_down_ms_max,
        rate_limit_wait_ms: reader.seconds(
            &["RATE_LIMIT_DEFAULT_WAIT_SECONDS"],
            90 * SECOND_MS,
            SECOND_MS..=DAY_MS,
            "Rest of a key for a model after a 429 that names no time.",
        ),
        check_after_cool_down: reader.flag(
            &["CHECK_HEALTH_AFTER_COOL_DOWN"],
            false,
            "Tests a rested key before it serves again.",
        ),
        check_interval_ms: reader.seconds(
            &["CHECK_HEALTH_TIME_INTERVAL_SECONDS"],
            5 * SECOND_MS,
            10..=DAY_MS,
            "Time between two such tests.",
        ),
        retries_max: u32::try_from(retries).ok(),
        no_key_wait_ms: reader.seconds(
            &["NO_KEY_WAIT_SECONDS"],
            5 * SECOND_MS,
            0..=HOUR_MS,
            "Longest wait for a key that will be free soon; when none will be, the answer is given \
             at once.",
        ),
        lease_idle_ms_max: reader.seconds(
            &["KEY_IN_USE_TIMEOUT_SECONDS"],
            300 * SECOND_MS,
            SECOND_MS..=DAY_MS,
            "A key in use on which no byte has moved for this long is taken back, though not before \
             the time-outs of its request are over.",
        ),
        key_concurrency_max: reader.count(
            &["KEY_MAX_CONCURRENCY"],
            0,
            0..=100_000,
            "Requests at once on one key; `0` means any number.",
        ),
        keep_together_ms: reader.seconds(
            &["KEEP_TOGETHER_SECONDS"],
            300 * SECOND_MS,
            0..=DAY_MS,
            "Files, caches and stores that a user key makes within this time go to the same project \
             where possible, since those of different projects cannot be used in one request. `0` \
             spreads them over all keys.",
        ),
        share_resources: reader.flag(
            &["SHARE_RESOURCES"],
            false,
            "All user keys see the files, caches, batches, interactions and stores that each of them \
             has made. Otherwise they are for the user key alone that made them.",
        ),
    }
}

fn storage(reader: &mut Reader<'_>) -> Storage {
    reader.section("Storage");
    let predecessor_database = reader.path(
        &["SQLITE_DB"],
        "data/sqlite.db",
        "Database of the Python version: taken over at the first start, and never written. Our own \
         data lie beside it unless `DATA_DIR` says otherwise.",
    );
    let data_dir = reader.optional_path(
        &["DATA_DIR"],
        "Directory of our own database, secrets and backups. Unset, the one in which `SQLITE_DB` \
         lies, that is `data`.",
    );
    let log_retention_days = reader.count(
        &["LOG_RETENTION_DAYS"],
        90,
        0..=36_500,
        "Request logs older than this many days are removed; `0` keeps them. Statistics stay.",
    );
    let log_mb_max: u32 = reader.count(
        &["LOG_MAX_MB"],
        1_024,
        0..=10_000_000,
        "Request logs beyond this size, in MiB, are removed, oldest first; `0` keeps them.",
    );
    Storage {
        data_dir: data_dir
            .unwrap_or_else(|| predecessor_database.parent().map(Into::into).unwrap_or_default()),
        predecessor_database,
        log_retention_days,
        log_bytes_max: u64::from(log_mb_max) * u64::from(BYTES_PER_MB),
    }
}

fn backups(reader: &mut Reader<'_>, storage: &Storage) -> Backups {
    reader.section("Backups");
    let every_hours: u64 = reader.count(
        &["BACKUP_EVERY_HOURS"],
        0,
        0..=8_760,
        "Hours between two backups that are made by themselves; `0` makes none.",
    );
    let keep = reader.count(
        &["BACKUP_KEEP"],
        7,
        1..=10_000,
        "Such backups that are kept; older ones are removed.",
    );
    let dir = reader.optional_path(
        &["BACKUP_DIR"],
        "Directory they are made in, best on another disk. Unset, `backups` in the data directory.",
    );
    let passphrase = reader.secret(
        &["BACKUP_PASSPHRASE"],
        &PASSPHRASE,
        "Seals backups, those of `gemini-balance backup` too; a sealed one holds everything that a \
         restore needs. Unset, a backup is the database alone, and `secrets` must be kept with it.",
    );
    Backups {
        every_ms: Some(every_hours * HOUR_MS).filter(|every_ms| *every_ms > 0),
        keep,
        dir: dir.unwrap_or_else(|| storage.data_dir.join("backups")),
        passphrase,
    }
}

fn alerts(reader: &mut Reader<'_>) -> Alerts {
    reader.section("Alerts");
    let webhook = webhook(reader);
    let telegram = telegram(reader);
    let mail = mail(reader);
    Alerts {
        webhook,
        telegram,
        mail,
        keys_min: reader.count(
            &["ALERT_KEYS_LEFT"],
            2,
            0..=100_000,
            "Tells when fewer service keys than this could serve at once; `0` never.",
        ),
        errors_percent: reader.count(
            &["ALERT_ERROR_PERCENT"],
            50,
            0..=100,
            "Tells when at least this percentage of the requests of five minutes failed, of at least \
             twenty; `0` never.",
        ),
        disk_percent: reader.count(
            &["ALERT_DISK_PERCENT"],
            10,
            0..=99,
            "Tells when less than this percentage of the data directory's disk is free; `0` never.",
        ),
        repeat_ms: reader.seconds(
            &["ALERT_REPEAT_SECONDS"],
            HOUR_MS,
            60 * SECOND_MS..=30 * DAY_MS,
            "The same is not told again within this time.",
        ),
        quiet: reader.optional(
            &["ALERT_QUIET_HOURS"],
            &QUIET_HOURS,
            "Hours of the day in which nothing is told; what still holds is told behind them.",
        ),
        zone: reader.value(
            &["ALERT_TIME_ZONE"],
            Zone::utc(),
            &ZONE,
            "Time zone in which those hours are meant.",
        ),
    }
}

fn webhook(reader: &mut Reader<'_>) -> Option<Webhook> {
    let url = reader.optional(
        &["ALERT_WEBHOOK_URL"],
        &HOOK_URL,
        "Address that is told by `POST` when somebody must act. Only its host is ever shown.",
    );
    let form = reader.choice(
        &["ALERT_WEBHOOK_FORMAT"],
        HookForm::Json,
        &[
            ("json", HookForm::Json),
            ("slack", HookForm::Slack),
            ("discord", HookForm::Discord),
            ("ntfy", HookForm::Ntfy),
        ],
        "Form of these messages.",
    );
    let token = reader.secret(
        &["ALERT_WEBHOOK_TOKEN"],
        &HEADER_SECRET,
        "Sent with them as `Authorization: Bearer`.",
    );
    url.map(|url| Webhook { url, form, token })
}

fn telegram(reader: &mut Reader<'_>) -> Option<Telegram> {
    let token = reader.secret(
        &["ALERT_TELEGRAM_TOKEN"],
        &HEADER_SECRET,
        "Token of a Telegram bot that tells a chat.",
    );
    let chat = reader.optional(&["ALERT_TELEGRAM_CHAT"], &CHAT, "That chat: its number or @name.");
    let api = reader.optional(
        &["ALERT_TELEGRAM_API_URL"],
        &HOOK_URL,
        "Where Telegram's API is, if not at `https://api.telegram.org`.",
    );
    match (token, chat) {
        (Some(token), Some(chat)) => {
            let api = api.or_else(|| "https://api.telegram.org".parse::<HookUrl>().ok())?;
            Some(Telegram { api, token, chat })
        }
        (Some(_), None) => {
            reader.mistake("ALERT_TELEGRAM_CHAT", "is needed too, since the bot's token is set");
            None
        }
        (None, Some(_)) => {
            reader.mistake("ALERT_TELEGRAM_TOKEN", "is needed too, since the chat is set");
            None
        }
        (None, None) => None,
    }
}

fn mail(reader: &mut Reader<'_>) -> Option<Mail> {
    let server = reader.optional(
        &["ALERT_SMTP_URL"],
        &MAIL_SERVER,
        "Mail server that tells by mail. `smtp` begins in clear and goes on in TLS, without which \
         nothing is sent but to this machine.",
    );
    let from = reader.optional(&["ALERT_MAIL_FROM"], &MAILBOX, "Sender of these mails.");
    let to = reader.list(&["ALERT_MAIL_TO"], &MAILBOX, "Who gets them.");
    let server = server?;
    let Some(from) = from else {
        reader.mistake("ALERT_MAIL_FROM", "is needed too, since ALERT_SMTP_URL is set");
        return None;
    };
    if to.is_empty() {
        reader.mistake("ALERT_MAIL_TO", "is needed too, since ALERT_SMTP_URL is set");
    }
    Some(Mail { server, from, to })
}

fn logging(reader: &mut Reader<'_>) -> Logging {
    reader.section("Logging");
    let level = reader.choice(
        &["LOG_LEVEL"],
        Level::INFO,
        &[
            ("ERROR", Level::ERROR),
            ("WARNING", Level::WARN),
            ("INFO", Level::INFO),
            ("DEBUG", Level::DEBUG),
            ("TRACE", Level::TRACE),
            ("WARN", Level::WARN),
            ("CRITICAL", Level::ERROR),
        ],
        "Least grave level that is written.",
    );
    let format = reader.choice(
        &["LOG_FORMAT"],
        LogFormat::Text,
        &[("text", LogFormat::Text), ("json", LogFormat::Json)],
        "How a log line looks.",
    );
    let history_lines = reader.count(
        &["LOG_HISTORY_SIZE"],
        100,
        0..=10_000,
        "Lines shown first to those who open the live log.",
    );
    let dir = reader.optional_path(
        &["LOG_FILE_DIR"],
        "Directory for log files, in addition to standard output. Unset, there are none.",
    );
    let file_mb_max: u32 = reader.count(
        &["LOG_FILE_MAX_MB"],
        10,
        1..=10_000,
        "Size at which the next log file begins, in MiB.",
    );
    let count_max = reader.count(&["LOG_FILE_MAX_COUNT"], 5, 1..=1_000, "Log files kept.");
    let bytes_max = u64::from(file_mb_max) * u64::from(BYTES_PER_MB);
    Logging {
        level,
        format,
        history_lines,
        files: dir.map(|dir| LogFiles { dir, bytes_max, count_max }),
    }
}

fn metrics(reader: &mut Reader<'_>) -> MetricsPage {
    reader.section("Metrics");
    MetricsPage {
        listen: reader.optional(
            &["METRICS_LISTEN"],
            &LISTEN,
            "Serves `/metrics` for Prometheus on an address of its own.",
        ),
        public: reader.flag(
            &["METRICS_PUBLIC"],
            false,
            "Serves `/metrics` on the gateway's own port too, to everybody who can reach it.",
        ),
        overhead_header: reader.flag(
            &["OVERHEAD_HEADER"],
            true,
            "Tells in `x-gateway-overhead-ms` how much of the time until an answer began was the \
             gateway's own: all but the waits for the caller's body, a place, a key and the upstream.",
        ),
    }
}

fn otlp(reader: &mut Reader<'_>) -> Option<Otlp> {
    reader.section("OpenTelemetry");
    let endpoint = reader.optional(
        &["OTEL_EXPORTER_OTLP_ENDPOINT"],
        &HOOK_URL,
        "Collector that is sent traces and metrics by OTLP over HTTP, in its JSON form, such as \
         `http://localhost:4318`. Unset, nothing is.",
    );
    let headers = reader.secret(
        &["OTEL_EXPORTER_OTLP_HEADERS"],
        &OTLP_HEADERS,
        "Header fields that it wants, `name=value` separated by commas.",
    );
    let service_name = reader.value(
        &["OTEL_SERVICE_NAME"],
        "gemini-balance".to_owned(),
        &SERVICE_NAME,
        "What this gateway is called there.",
    );
    let sample = reader.value(
        &["OTEL_TRACES_SAMPLER_ARG"],
        1.0,
        &SHARE,
        "Share of the traces that begin here and are told; a caller's `traceparent` decides for its own.",
    );
    let interval_ms = reader.count(
        &["OTEL_METRIC_EXPORT_INTERVAL"],
        60_000,
        100..=86_400_000,
        "Time between two messages of metrics, in milliseconds.",
    );
    let headers = headers.as_ref().map_or_else(Vec::new, |text| header_fields(text.expose()));
    endpoint.map(|endpoint| Otlp { endpoint, headers, service_name, sample, interval_ms })
}

/// `name=value` pairs; what is none was refused before.
fn header_fields(text: &str) -> Vec<(String, Secret)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8_lossy().into_owned();
    pairs.map(|(name, value)| (name.trim().to_lowercase(), Secret::new(decoded(value)))).collect()
}

/// Accepted so that an existing `.env` works; what the reader noted is filled in by it.
fn without_effect(reader: &mut Reader<'_>) -> Vec<Setting> {
    reader.section("Without effect");
    let doc = "Setting of the Python version that has no effect.";
    reader.without_effect(&["DATABASE_TYPE"], doc);
    reader.without_effect(&["FORCE_RESET_DATABASE"], doc);
    reader.without_effect(&["DEBUG_LOG_ENABLED"], doc);
    reader.without_effect(&["DEBUG_LOG_FILE"], doc);
    let doc = "Resting keys return on time by themselves, without being looked through.";
    reader.without_effect(&["DEFAULT_CHECK_COOLED_DOWN_SECONDS"], doc);
    Vec::new()
}

fn megabytes(reader: &mut Reader<'_>, names: Names, default_mb: u32, doc: &'static str) -> usize {
    let bytes =
        u64::from(reader.count(names, default_mb, 1..=1_000_000, doc)) * u64::from(BYTES_PER_MB);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// `scheme://host[:port]` and nothing more, as browsers send it.
fn origin(text: &str) -> Result<String, String> {
    let problem = "must be origins such as https://chat.example, without a path";
    let uri: Uri = text.parse().map_err(|_| problem)?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(problem.to_owned());
    };
    let origin = format!("{scheme}://{authority}");
    (origin == text && !text.contains('@')).then_some(origin).ok_or_else(|| problem.to_owned())
}
