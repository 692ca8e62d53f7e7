//! `/api/backup`: everything in one file, against the password.
//!
//! The copy is made beside the database, then sent piece by piece and deleted: whoever takes it
//! slowly holds nobody up. A plain copy does not hold what seals and hashes the keys in it; one that
//! is sealed under a passphrase does.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::Body;
use crate::admin::login::confirm;
use crate::admin::peer::Peer;
use crate::admin::pieces::{self, Pieces};
use crate::admin::problem::{Part, Problem};
use crate::admin::routes::{Routes, post};
use crate::app::App;
use crate::backups::{self, Order};
use crate::config::forbidden;
use crate::secret::Secret;
use crate::store::error::StoreError;

/// Bytes of one piece.
const PIECE_BYTES: usize = 256 * 1024;

#[derive(OpenApi)]
#[openapi(paths(backup))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(post("/api/backup"), backup)
}

/// The proof that it is still the admin who asks, and what the backup is sealed under.
#[derive(Debug, Deserialize, ToSchema)]
struct BackupOrder {
    /// The admin's password.
    #[schema(value_type = String)]
    password: Secret,
    /// Seals the backup, at least twelve characters; without it, it is the database alone.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 12)]
    passphrase: Option<Secret>,
}

/// Answers a backup, as of this moment: sealed under a passphrase and with everything that a restore
/// needs, or the database alone. To use that one elsewhere, the file `secrets` of the data directory, or
/// `ENCRYPTION_KEY` and `SECRET_KEY`, must go with it.
#[utoipa::path(
    post, path = "/api/backup", operation_id = "download_backup", tag = "system", request_body = BackupOrder,
    responses(
        (status = 200, description = "The backup", body = String, content_type = "application/octet-stream"),
        (status = 403, description = "The password is wrong", body = ErrorBody),
        (status = 409, description = "Another copy is being made", body = ErrorBody),
        (status = 422, description = "The passphrase will not do", body = ErrorBody),
        (status = 429, description = "Too many attempts: wait as `Retry-After` says", body = ErrorBody),
        (status = 503, description = "There is no room for the copy", body = ErrorBody),
    ),
)]
async fn backup(
    State(app): State<Arc<App>>,
    peer: Peer,
    Body(order): Body<BackupOrder>,
) -> Result<Response, ApiError> {
    let passphrase = order.passphrase;
    if let Some(problem) =
        passphrase.as_ref().and_then(|it| forbidden::passphrase_problem(it.expose()))
    {
        return Err(ApiError::Invalid(vec![Problem::value(Part::Body, "passphrase", &problem)]));
    }
    confirm(&app, peer, order.password).await?;
    let ending = if passphrase.is_some() { "sealed" } else { "db" };
    let data_dir = app.config.storage.data_dir.clone();
    let now_ms = app.clock.wall_ms();
    let order = Order {
        destination: data_dir.join(backups::DOWNLOAD),
        data_dir,
        passphrase,
        settings: Some(app.config.as_env()),
        now_ms,
    };
    // Carried on when the caller leaves, so that no copy is left behind.
    let copying = Arc::clone(&app);
    let copied = app.commands.run(async move {
        let Ok(_turn) = copying.backups.turn.try_lock() else {
            return Err(ApiError::Conflict("Another copy is being made. Try again shortly."));
        };
        let copy = order.copy_path();
        copying.store.backup(copy.clone()).await?;
        let finishing = tokio::task::spawn_blocking(move || {
            order.finish(&copy)?;
            anyhow::Ok(open_and_unlink(&order.destination)?)
        });
        finishing.await.map_err(ApiError::internal)?.map_err(ApiError::internal)
    });
    let (file, bytes) = copied.await.ok_or_else(ApiError::panicked)??;
    tracing::warn!(bytes, address = %peer.address, "everything was handed out as a backup");
    let now = Timestamp::from_millisecond(now_ms).unwrap_or_default();
    let name = format!("gemini-balance-{}.{ending}", now.strftime("%Y%m%d-%H%M%S"));
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, bytes.to_string()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, pieces::body(Copy { file: Arc::new(file) })).into_response())
}

/// Opens a file that nobody else shall find; its bytes are there for as long as it is open.
fn open_and_unlink(path: &Path) -> std::io::Result<(File, u64)> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    std::fs::remove_file(path)?;
    Ok((file, bytes))
}

/// The copy, as far as it is not sent.
struct Copy {
    file: Arc<File>,
}

impl Pieces for Copy {
    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        let file = Arc::clone(&self.file);
        let reading = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE_BYTES];
            let count = (&*file).read(&mut piece)?;
            piece.truncate(count);
            Ok::<_, std::io::Error>(piece)
        });
        let failed = |error| Some(Err(StoreError::Failed(error)));
        match reading.await {
            Ok(Ok(piece)) if piece.is_empty() => None,
            Ok(Ok(piece)) => Some(Ok(Bytes::from(piece))),
            Ok(Err(error)) => failed(Box::new(error)),
            Err(error) => failed(Box::new(error)),
        }
    }
}
