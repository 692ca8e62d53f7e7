//! Logging in and out, and the password itself.
//!
//! Trying passwords is slow on purpose and counted: per address, and over all addresses for those
//! without a session. What is too much is refused before anything is hashed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::admin::access::{Admin, COOKIE_NAME, Site, site};
use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::Body;
use crate::admin::login_form::LoginForm;
use crate::admin::peer::Peer;
use crate::admin::problem::{Part, Problem};
use crate::admin::routes::{Routes, get, post};
use crate::app::App;
use crate::config::CookieSecure;
use crate::config::forbidden;
use crate::login_throttle::Throttled;
use crate::moment::Moment;
use crate::secret::Secret;
use crate::sessions::Opened;

/// Largest body of a login: a password and a little around it.
const LOGIN_BYTES_MAX: usize = 4 * 1024;
/// Fewest characters of a password that an admin chooses.
const PASSWORD_CHARS_MIN: usize = 8;

#[derive(OpenApi)]
#[openapi(paths(login, logout, me, change_password))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    let login_route = post("/api/auth/login").open().body_up_to(LOGIN_BYTES_MAX);
    routes
        .add(login_route, login)
        .add(login_route.also("/api/login"), login)
        .add(post("/api/auth/logout"), logout)
        .add(get("/api/auth/me"), me)
        .add(post("/api/auth/password").body_up_to(LOGIN_BYTES_MAX), change_password)
}

/// A session that has begun. The same token is set as an HttpOnly cookie.
#[derive(Debug, Serialize, ToSchema)]
struct Token {
    /// To be sent as `Authorization: Bearer`.
    access_token: String,
    /// Always `bearer`.
    token_type: &'static str,
    /// How long it counts, in seconds.
    expires_in: i64,
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    /// Always `admin`.
    username: &'static str,
    /// When the session began.
    logged_in_at: Moment,
    /// When it ends by itself.
    expires_at: Moment,
    /// Whether the password is set by the configuration, and can only be changed there.
    is_password_fixed: bool,
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
struct PasswordChange {
    /// The password so far.
    #[schema(value_type = String)]
    current_password: Secret,
    /// The password from now on, at least eight characters.
    #[schema(value_type = String, min_length = 8)]
    new_password: Secret,
}

/// Logs in: the password against a token. Other fields of the form, such as a user name, are
/// ignored.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "session", security(()),
    request_body(content(
        (LoginForm = "application/json"),
        (LoginForm = "application/x-www-form-urlencoded"),
        (LoginForm = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "A session has begun", body = Token),
        (status = 401, description = "The password is wrong", body = ErrorBody),
        (status = 422, description = "The password is missing", body = ErrorBody),
        (status = 429, description = "Too many attempts: wait as `Retry-After` says", body = ErrorBody),
    ),
)]
async fn login(
    State(app): State<Arc<App>>,
    peer: Peer,
    headers: HeaderMap,
    admin: Result<Admin, ApiError>,
    form: LoginForm,
) -> Result<Response, ApiError> {
    if site(&headers) == Site::Foreign {
        return Err(ApiError::ForeignOrigin);
    }
    let now_ms = app.clock.monotonic_ms();
    // Who has a session is not locked out by an attack from elsewhere.
    match admin {
        Ok(_) => app.login_throttle.admit_session(peer.address, now_ms)?,
        Err(_) => app.login_throttle.admit(peer.address, now_ms)?,
    }
    if !is_password(&app, form.password).await? {
        tracing::warn!(address = %peer.address, "a login with a wrong password");
        return Err(ApiError::WrongLogin);
    }
    app.login_throttle.succeeded(peer.address);
    tracing::info!(address = %peer.address, "the admin has logged in");
    let opened = begin(&app).await?;
    Ok(opened_response(&app, peer, opened))
}

/// Logs out: the session of the token ends at once.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "session",
    responses((status = 204, description = "The session has ended")),
)]
async fn logout(
    State(app): State<Arc<App>>,
    peer: Peer,
    Admin { session }: Admin,
) -> Result<Response, ApiError> {
    let cookie = cookie(&app, peer, "", 0);
    let ending = Arc::clone(&app);
    let ended = app
        .commands
        .run(async move { ending.sessions.end(session.id, ending.clock.wall_ms()).await });
    ended.await.ok_or_else(ApiError::panicked)??;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response())
}

/// Says who is logged in and until when.
#[utoipa::path(
    get, path = "/api/auth/me", tag = "session",
    responses((status = 200, description = "The session", body = Me)),
)]
async fn me(State(app): State<Arc<App>>, Admin { session }: Admin) -> Json<Me> {
    Json(Me {
        username: "admin",
        logged_in_at: Moment::from_ms(session.began_at_s.saturating_mul(1_000)),
        expires_at: Moment::from_ms(session.expires_at_s.saturating_mul(1_000)),
        is_password_fixed: app.config.admin.password.is_some(),
    })
}

/// Sets another password. Every session ends; the answer begins a new one.
#[utoipa::path(
    post, path = "/api/auth/password", tag = "session", request_body = PasswordChange,
    responses(
        (status = 200, description = "The password is set, a new session has begun", body = Token),
        (status = 403, description = "The current password is wrong", body = ErrorBody),
        (status = 409, description = "The password is set in the configuration", body = ErrorBody),
        (status = 422, description = "The new password will not do", body = ErrorBody),
    ),
)]
async fn change_password(
    State(app): State<Arc<App>>,
    peer: Peer,
    Body(change): Body<PasswordChange>,
) -> Result<Response, ApiError> {
    if app.config.admin.password.is_some() {
        return Err(ApiError::Conflict(
            "The password is set by PASSWORD in the configuration. Change it there.",
        ));
    }
    check_choice(&change.new_password)?;
    confirm(&app, peer, change.current_password).await?;
    let changing = Arc::clone(&app);
    let changed = app.commands.run(async move {
        let hash = changing.password_gate.hash(change.new_password).await?;
        changing.sessions.set_password(hash, changing.clock.wall_ms()).await?;
        tracing::warn!("the admin password was changed; every session has ended");
        begin(&changing).await
    });
    let opened = changed.await.ok_or_else(ApiError::panicked)??;
    Ok(opened_response(&app, peer, opened))
}

/// Lets somebody who is logged in go on only with the right password.
///
/// # Errors
///
/// A wrong password, or too many of them.
pub(super) async fn confirm(app: &App, peer: Peer, password: Secret) -> Result<(), ApiError> {
    app.login_throttle.admit_session(peer.address, app.clock.monotonic_ms())?;
    if !is_password(app, password).await? {
        tracing::warn!(address = %peer.address, "a wrong password within a session");
        return Err(ApiError::WrongPassword);
    }
    app.login_throttle.succeeded(peer.address);
    Ok(())
}

/// Whether a text is the admin's password.
async fn is_password(app: &App, password: Secret) -> Result<bool, ApiError> {
    let Some(admin) = app.store.admin().await? else {
        return Ok(false);
    };
    Ok(app.password_gate.verify(password, admin.password_hash).await?)
}

fn check_choice(password: &Secret) -> Result<(), ApiError> {
    let is_short = password.expose().chars().count() < PASSWORD_CHARS_MIN;
    let problem = match forbidden::password_problem(password.expose()) {
        Some(problem) => problem,
        None if is_short => format!("has fewer than {PASSWORD_CHARS_MIN} characters"),
        None => return Ok(()),
    };
    Err(ApiError::Invalid(vec![Problem::value(Part::Body, "new_password", &problem)]))
}

async fn begin(app: &App) -> Result<Opened, ApiError> {
    Ok(app.sessions.begin(app.clock.wall_ms()).await?)
}

fn opened_response(app: &App, peer: Peer, opened: Opened) -> Response {
    let cookie = cookie(app, peer, &opened.token, opened.life_s);
    let token =
        Token { access_token: opened.token, token_type: "bearer", expires_in: opened.life_s };
    ([(SET_COOKIE, cookie)], Json(token)).into_response()
}

/// The cookie for browsers; with a life of nought it takes the cookie away.
fn cookie(app: &App, peer: Peer, token: &str, life_s: i64) -> String {
    let secure = match app.config.admin.cookie_secure {
        CookieSecure::Always => "; Secure",
        CookieSecure::Auto if peer.is_tls => "; Secure",
        CookieSecure::Auto | CookieSecure::Never => "",
    };
    format!("{COOKIE_NAME}={token}; Path=/api; Max-Age={life_s}; HttpOnly; SameSite=Strict{secure}")
}

impl From<Throttled> for ApiError {
    fn from(throttled: Throttled) -> Self {
        Self::Throttled { retry_after: throttled.retry_after }
    }
}
