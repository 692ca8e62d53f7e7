//! `/api/backup`: a copy of the whole database, as a file.
//!
//! The copy is made beside the database, then sent piece by piece and deleted: whoever takes it
//! slowly holds nobody up. What seals and hashes the keys in it is not in it.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use jiff::Timestamp;
use utoipa::OpenApi;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::pieces::{self, Pieces};
use crate::admin::routes::{Routes, get};
use crate::app::App;
use crate::store::error::StoreError;

/// Bytes of one piece.
const PIECE_BYTES: usize = 256 * 1024;

#[derive(OpenApi)]
#[openapi(paths(backup))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(get("/api/backup"), backup)
}

/// Answers a copy of the database, as of this moment. To use it elsewhere, the file `secrets` of the
/// data directory, or `ENCRYPTION_KEY` and `SECRET_KEY`, must go with it.
#[utoipa::path(
    get, path = "/api/backup", operation_id = "download_backup", tag = "system",
    responses(
        (status = 200, description = "The database", body = String, content_type = "application/vnd.sqlite3"),
        (status = 409, description = "Another copy is being made", body = ErrorBody),
        (status = 503, description = "There is no room for the copy", body = ErrorBody),
    ),
)]
async fn backup(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let path = app.config.storage.data_dir.join("download.db");
    // Carried on when the caller leaves, so that no copy is left behind.
    let copying = Arc::clone(&app);
    let copied = app.commands.run(async move {
        let Ok(_turn) = copying.backup_turn.try_lock() else {
            return Err(ApiError::Conflict("Another copy is being made. Try again shortly."));
        };
        copying.store.backup(path.clone()).await?;
        let opened = tokio::task::spawn_blocking(move || open_and_unlink(&path));
        opened.await.map_err(ApiError::internal)?.map_err(ApiError::internal)
    });
    let (file, bytes) = copied.await.ok_or_else(ApiError::panicked)??;
    tracing::warn!(bytes, "the database was handed out as a backup");
    let now = Timestamp::from_millisecond(app.clock.wall_ms()).unwrap_or_default();
    let name = format!("gemini-balance-{}.db", now.strftime("%Y%m%d-%H%M%S"));
    let headers = [
        (CONTENT_TYPE, "application/vnd.sqlite3".to_owned()),
        (CONTENT_LENGTH, bytes.to_string()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, pieces::body(Copy { file: Arc::new(file) })).into_response())
}

/// Opens a file that nobody else shall find; its bytes are there for as long as it is open.
fn open_and_unlink(path: &PathBuf) -> std::io::Result<(File, u64)> {
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
