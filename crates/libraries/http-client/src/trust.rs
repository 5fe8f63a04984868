//! Whom to believe that they are who they say they are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// A file of certificates is some 300 KiB where a whole system's are in one.
const MOST_FILE_BYTES: u64 = 4 << 20;

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The system has none.
    #[error("no certificate authorities on this system (Debian: apt install ca-certificates){0}")]
    NoAuthorities(String),
    /// A file of certificates cannot be read.
    #[error("CA file {0:?}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// Nothing in it is a certificate.
    #[error("CA file {0:?}: has no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate(PathBuf),
    /// TLS itself cannot be had.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Reads a file of certificate authorities in PEM.
pub(crate) fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    use std::io::Read;

    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_FILE_BYTES).read_to_end(&mut bytes))
        .map_err(|error| TrustError::File(path.to_owned(), error))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let none = || TrustError::NoCertificate(path.to_owned());
    let certificates = certificates.map_err(|_| none())?;
    let mut usable = RootCertStore::empty();
    let (added, _) = usable.add_parsable_certificates(certificates.iter().cloned());
    if added == 0 {
        Err(none())
    } else {
        Ok(certificates)
    }
}

/// What HTTPS is spoken by: the system's authorities, and those of a file beside them. Takes tens
/// of milliseconds, so it is done for the first request that needs it.
pub(crate) fn tls(extra: &[CertificateDer<'static>]) -> Result<ClientConfig, TrustError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    roots.add_parsable_certificates(extra.iter().cloned());
    if roots.is_empty() {
        let why = native.errors.first();
        let why = why.map(|error| format!(": {error}")).unwrap_or_default();
        return Err(TrustError::NoAuthorities(why));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
