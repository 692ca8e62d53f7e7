//! The errors of the real service, word for word as far as they are known.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    answer::Step,
    call::{Call, Dialect},
    events,
};

const SERVICE: &str = "generativelanguage.googleapis.com";
const PROJECT: &str = "projects/123456789012";

/// An error of the real service.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// 400 `API_KEY_INVALID`: the key is not valid.
    KeyInvalid,
    /// 400 `API_KEY_INVALID`: the key has expired.
    KeyExpired,
    /// 400 `API_KEY_INVALID`: the key was not found.
    KeyNotFound,
    /// 401 `ACCESS_TOKEN_TYPE_UNSUPPORTED`.
    Unauthorized,
    /// 400: more than one credential.
    MultipleCredentials,
    /// 400: the OpenAI layer misses its `Authorization` header.
    MissingAuthorization,
    /// 403: no credential.
    NoCredential,
    /// 400 `FAILED_PRECONDITION`: the caller's country is not served.
    LocationUnsupported,
    /// 400 `INVALID_ARGUMENT` with these words.
    BadRequest {
        /// The message.
        message: String,
    },
    /// 404: no such model.
    ModelNotFound,
    /// 402: the prepaid credit is gone.
    NoCredit,
    /// 429 with the words of [`Refusal::NoCredit`].
    Prepayment,
    /// 429: the monthly spending cap is reached.
    SpendingCap,
    /// 403 `CONSUMER_SUSPENDED`; repeats the whole key, as Google does.
    Suspended,
    /// 403: the key was reported as leaked.
    Leaked,
    /// 403 `SERVICE_DISABLED`.
    ServiceDisabled,
    /// 403 `API_KEY_SERVICE_BLOCKED`.
    ServiceBlocked,
    /// 403 `BILLING_DISABLED`.
    BillingDisabled,
    /// 403: another project's file.
    FileDenied,
    /// 403: another project's cached content.
    CacheDenied,
    /// 403: the key may not use this model.
    ModelDenied,
    /// 429: quota per minute.
    QuotaPerMinute {
        /// The wait Google names.
        seconds: u64,
    },
    /// 429: quota per day.
    QuotaPerDay {
        /// The wait Google names; it need not reach the next day.
        seconds: u64,
    },
    /// 429: quotas per minute and per day at once.
    QuotaPerMinuteAndDay {
        /// The wait Google names.
        seconds: u64,
    },
    /// 429: the quota is 0.
    LimitZero,
    /// 429 without details.
    RateLimitedBare,
    /// 429 without details but with this `Retry-After` header.
    RetryAfter {
        /// The header's value, sensible or not.
        value: String,
    },
    /// A 5xx with the words that go with it.
    ServerError {
        /// The HTTP status.
        code: u16,
    },
    /// 503: the model is overloaded.
    Overloaded,
}

impl Refusal {
    /// The answer, in the shape of the dialect that was asked: an object, or a list with one
    /// object from the OpenAI layer and from a stream that would have been a list.
    pub(crate) fn steps(&self, call: &Call<'_>) -> Vec<Step> {
        let (code, body) = self.body(call);
        let is_list = call.dialect == Dialect::OpenAi
            || call.verb().1 == Some("streamGenerateContent")
                && call.parameter("alt").as_deref() != Some("sse");
        let body = if is_list { json!([body]) } else { body };
        let mut head = events::head(code, "application/json; charset=UTF-8");
        if let (Self::RetryAfter { value }, Step::Head { headers, .. }) = (self, &mut head) {
            headers.push(("retry-after".to_owned(), value.clone()));
        }
        vec![head, Step::Bytes(format!("{body:#}\n").into())]
    }

    fn body(&self, call: &Call<'_>) -> (u16, Value) {
        let key = call.key().unwrap_or("unknown");
        let model = call.model().unwrap_or_else(|| "unknown".to_owned());
        let invalid_key = |message: &str| {
            error(
                400,
                "INVALID_ARGUMENT",
                message,
                vec![
                    reason("API_KEY_INVALID", &json!({"service": SERVICE})),
                    detail("LocalizedMessage", json!({"locale": "en-US", "message": message})),
                ],
            )
        };
        let denied = |message: &str, details| error(403, "PERMISSION_DENIED", message, details);
        let spent = |message: &str| error(429, "RESOURCE_EXHAUSTED", message, Vec::new());
        let consumer = |name| reason(name, &json!({"consumer": PROJECT, "service": SERVICE}));
        match self {
            Self::KeyInvalid => invalid_key("API key not valid. Please pass a valid API key."),
            Self::KeyExpired => invalid_key("API key expired. Please renew the API key."),
            Self::KeyNotFound => invalid_key("API key not found. Please pass a valid API key."),
            Self::Unauthorized => error(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, \
                 login cookie or other valid authentication credential. See \
                 https://developers.google.com/identity/sign-in/web/devconsole-project.",
                vec![reason(
                    "ACCESS_TOKEN_TYPE_UNSUPPORTED",
                    &json!({
                        "method": "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent",
                        "service": SERVICE,
                    }),
                )],
            ),
            Self::MultipleCredentials => error(
                400,
                "INVALID_ARGUMENT",
                "Multiple authentication credentials received. Please pass only one.",
                Vec::new(),
            ),
            Self::MissingAuthorization => error(
                400,
                "INVALID_ARGUMENT",
                "Missing or invalid Authorization header.",
                Vec::new(),
            ),
            Self::NoCredential => denied(
                "Method doesn't allow unregistered callers (callers without established \
                 identity). Please use API Key or other form of API consumer identity to call \
                 this API.",
                Vec::new(),
            ),
            Self::LocationUnsupported => error(
                400,
                "FAILED_PRECONDITION",
                "User location is not supported for the API use.",
                Vec::new(),
            ),
            Self::BadRequest { message } => error(
                400,
                "INVALID_ARGUMENT",
                message,
                vec![detail("BadRequest", json!({"fieldViolations": [{"description": message}]}))],
            ),
            Self::ModelNotFound => error(
                404,
                "NOT_FOUND",
                &format!(
                    "models/{model} is not found for API version v1beta, or is not supported for \
                     generateContent. Call ListModels to see the list of available models and \
                     their supported methods."
                ),
                Vec::new(),
            ),
            Self::NoCredit => error(402, "RESOURCE_EXHAUSTED", CREDIT_GONE, Vec::new()),
            Self::Prepayment => spent(CREDIT_GONE),
            Self::SpendingCap => spent(
                "Your project has exceeded its monthly spending cap. Please go to AI Studio at \
                 https://ai.studio/spend to manage your project spend cap.",
            ),
            Self::Suspended => {
                let message =
                    format!("Permission denied: Consumer 'api_key:{key}' has been suspended.");
                denied(
                    &message,
                    vec![reason(
                        "CONSUMER_SUSPENDED",
                        &json!({
                            "consumer": PROJECT,
                            "containerInfo": format!("api_key:{key}"),
                            "service": SERVICE,
                        }),
                    )],
                )
            }
            Self::Leaked => denied(
                "Your API key was reported as leaked. Please use another API key.",
                Vec::new(),
            ),
            Self::ServiceDisabled => denied(
                "Generative Language API has not been used in project 123456789012 before or it \
                 is disabled. Enable it by visiting https://console.developers.google.com/apis/\
                 api/generativelanguage.googleapis.com/overview?project=123456789012 then retry. \
                 If you enabled this API recently, wait a few minutes for the action to propagate \
                 to our systems and retry.",
                vec![consumer("SERVICE_DISABLED")],
            ),
            Self::ServiceBlocked => denied(
                "Requests to this API generativelanguage.googleapis.com method \
                 google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent are \
                 blocked.",
                vec![consumer("API_KEY_SERVICE_BLOCKED")],
            ),
            Self::BillingDisabled => denied(
                "This API method requires billing to be enabled. Please enable billing on project \
                 #123456789012.",
                vec![consumer("BILLING_DISABLED")],
            ),
            Self::FileDenied => denied(
                "You do not have permission to access the File abc-123 or it may not exist.",
                Vec::new(),
            ),
            Self::CacheDenied => {
                denied("CachedContent not found (or permission denied)", Vec::new())
            }
            Self::ModelDenied => denied("The caller does not have permission", Vec::new()),
            Self::QuotaPerMinute { seconds } => quota(&model, &[PER_MINUTE], 10, *seconds),
            Self::QuotaPerDay { seconds } => quota(&model, &[PER_DAY], 250, *seconds),
            Self::QuotaPerMinuteAndDay { seconds } => {
                quota(&model, &[PER_MINUTE, PER_DAY], 250, *seconds)
            }
            Self::LimitZero => quota(&model, &[PER_DAY, PER_MINUTE], 0, 25),
            Self::RateLimitedBare | Self::RetryAfter { .. } => (429, error_of(429)),
            Self::ServerError { code } => (*code, error_of(*code)),
            Self::Overloaded => (503, error_of(503)),
        }
    }
}

const CREDIT_GONE: &str = "Your prepayment credits are depleted. Please go to AI Studio at \
                           https://ai.studio/projects to manage your project and billing.";

/// An error object with the words customary for this status.
pub(crate) fn error_of(code: u16) -> Value {
    let (status, message) = match code {
        400 => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
        403 => ("PERMISSION_DENIED", "The caller does not have permission"),
        404 => ("NOT_FOUND", "Requested entity was not found."),
        429 => ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
        499 => ("CANCELLED", "The operation was cancelled."),
        503 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
        504 => ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
        502 | 529 => ("UNAVAILABLE", "The service is currently unavailable."),
        _ => (
            "INTERNAL",
            "An internal error has occurred. Please retry or report in \
             https://developers.generativeai.google/guide/troubleshooting",
        ),
    };
    error(code, status, message, Vec::new()).1
}

fn error(code: u16, status: &str, message: &str, details: Vec<Value>) -> (u16, Value) {
    let mut error = json!({"code": code, "message": message, "status": status});
    if let (false, Some(fields)) = (details.is_empty(), error.as_object_mut()) {
        fields.insert("details".to_owned(), details.into());
    }
    (code, json!({"error": error}))
}

fn reason(reason: &str, metadata: &Value) -> Value {
    let fields = json!({"reason": reason, "domain": "googleapis.com", "metadata": metadata});
    detail("ErrorInfo", fields)
}

fn detail(kind: &str, mut fields: Value) -> Value {
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("@type".to_owned(), format!("type.googleapis.com/google.rpc.{kind}").into());
    }
    fields
}

const PER_MINUTE: &str = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
const PER_DAY: &str = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";

fn quota(model: &str, ids: &[&str], limit: u64, seconds: u64) -> (u16, Value) {
    let metric = format!("{SERVICE}/generate_content_free_tier_requests");
    let mut message = "You exceeded your current quota, please check your plan and billing \
                       details. For more information on this error, head to: \
                       https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current \
                       usage, head to: https://ai.dev/rate-limit. "
        .to_owned();
    for _ in ids {
        message +=
            &format!("\n* Quota exceeded for metric: {metric}, limit: {limit}, model: {model}");
    }
    let violations: Vec<_> = ids
        .iter()
        .map(|id| {
            json!({
                "quotaMetric": metric,
                "quotaId": id,
                "quotaDimensions": {"location": "global", "model": model},
                "quotaValue": limit.to_string(),
            })
        })
        .collect();
    let link = json!({
        "description": "Learn more about Gemini API quotas",
        "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
    });
    message += &format!("\nPlease retry in {seconds}s.");
    let details = vec![
        detail("Help", json!({"links": [link]})),
        detail("QuotaFailure", json!({"violations": violations})),
        detail("RetryInfo", json!({"retryDelay": format!("{seconds}s")})),
    ];
    error(429, "RESOURCE_EXHAUSTED", &message, details)
}
