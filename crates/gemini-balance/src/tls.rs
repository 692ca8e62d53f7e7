//! The TLS that the gateway itself speaks: certificate and key out of files, read again when they change.
//!
//! Always true: a connection is begun with the last pair that was usable; one that is not is
//! reported once and changes nothing.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use crate::config::TlsFiles;
use crate::lifecycle::Lifecycle;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What HTTP/2 is called in a handshake.
pub const HTTP_2: &[u8] = b"h2";

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{setting} {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file holds nothing usable.
    #[error("{setting} {} holds no {what} in PEM form", path.display())]
    Empty {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The two cannot be used together.
    #[error("TLS_CERT and TLS_KEY cannot be used together: {0}")]
    Unfit(#[from] rustls::Error),
}

/// The certificate in use.
pub struct Tls {
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
    /// The mark of the pair that was looked at last, usable or not.
    looked_at: Mutex<[u8; 32]>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads certificate and key. Blocks.
    ///
    /// # Errors
    ///
    /// Whatever makes them useless, in words that name the setting.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let pair = Pair::read(files)?;
        let current = ArcSwap::from_pointee(pair.config(files)?);
        Ok(Self { files: files.clone(), current, looked_at: Mutex::new(pair.mark()) })
    }

    /// Shakes hands with the certificate of now.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Takes up certificate and key if they are others than before; whether they were. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Self::load`], once for each pair; the pair in use stays in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let pair = Pair::read(&self.files)?;
        let mark = pair.mark();
        if std::mem::replace(&mut *self.looked_at.lock(), mark) == mark {
            return Ok(false);
        }
        self.current.store(Arc::new(pair.config(&self.files)?));
        Ok(true)
    }
}

/// Looks for a new certificate until the shutdown begins.
pub async fn watch(tls: Arc<Tls>, lifecycle: Lifecycle) {
    let mut is_unreadable = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = lifecycle.draining().cancelled() => return,
        }
        let looking = tokio::task::spawn_blocking({
            let tls = Arc::clone(&tls);
            move || tls.reload()
        });
        let Ok(found) = looking.await else { continue };
        let was_unreadable = std::mem::replace(
            &mut is_unreadable,
            matches!(found, Err(TlsError::Unreadable { .. })),
        );
        match found {
            Ok(true) => tracing::info!("the new TLS certificate is in use"),
            Ok(false) => {}
            // A file that is being replaced is not there for a moment; one that stays away is news once.
            Err(_) if is_unreadable && was_unreadable => {}
            Err(error) => {
                tracing::warn!(%error, "the new TLS certificate is not used; the old one stays");
            }
        }
    }
}

/// The contents of the two files.
struct Pair {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Pair {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let certificate = read("TLS_CERT", &files.certificate)?;
        let key = Zeroizing::new(read("TLS_KEY", &files.key)?);
        Ok(Self { certificate, key })
    }

    /// Tells one pair from another.
    fn mark(&self) -> [u8; 32] {
        let length = (self.certificate.len() as u64).to_be_bytes();
        Sha256::new()
            .chain_update(length)
            .chain_update(&self.certificate)
            .chain_update(&*self.key)
            .finalize()
            .into()
    }

    fn config(&self, files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        let empty =
            |setting, path: &Path, what| TlsError::Empty { setting, path: path.to_owned(), what };
        let chain =
            CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| empty("TLS_CERT", &files.certificate, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key);
        let key = key.map_err(|_| empty("TLS_KEY", &files.key, "private key"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable {
        setting,
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    /// Two files in a directory of their own.
    fn files(directory: &Path) -> TlsFiles {
        TlsFiles { certificate: directory.join("cert.pem"), key: directory.join("key.pem") }
    }

    /// A fresh certificate and its key, as PEM.
    fn pair() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[track_caller]
    fn check(certificate: &str, key: &str, expected: &str) {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();

        let error = Tls::load(&files).unwrap_err().to_string();

        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("PRIVATE"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said_by_the_name_of_the_setting() {
        let ((certificate, key), (_, other_key)) = (pair(), pair());
        check("", &key, "TLS_CERT");
        check(&key, &key, "holds no certificate");
        check(&certificate, "", "TLS_KEY");
        check(&certificate, &certificate, "holds no private key");
        check(&certificate, &other_key, "cannot be used together");
    }

    #[test]
    fn a_new_pair_is_taken_up_and_a_bad_one_is_reported_once() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        let write = |(certificate, key): (String, String)| {
            std::fs::write(&files.certificate, certificate).unwrap();
            std::fs::write(&files.key, key).unwrap();
        };
        write(pair());
        let tls = Tls::load(&files).unwrap();
        let first = tls.current.load_full();
        assert!(!tls.reload().unwrap());

        write((pair().0, pair().1));
        assert!(matches!(tls.reload(), Err(TlsError::Unfit(_))));
        assert!(!tls.reload().unwrap());
        assert!(Arc::ptr_eq(&first, &tls.current.load_full()));

        write(pair());
        assert!(tls.reload().unwrap());
        assert!(!Arc::ptr_eq(&first, &tls.current.load_full()));
    }

    #[test]
    fn a_file_that_is_gone_is_an_error_and_the_pair_stays() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        let (certificate, key) = pair();
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        let tls = Tls::load(&files).unwrap();

        std::fs::remove_file(&files.key).unwrap();

        assert!(matches!(tls.reload(), Err(TlsError::Unreadable { setting: "TLS_KEY", .. })));
    }
}
