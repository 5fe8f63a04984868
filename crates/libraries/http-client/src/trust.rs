//! Whom to believe that they are who they say they are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::pinned::PinnedVerifier;

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
    /// None of the authorities is of use.
    #[error("TLS: {0}")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
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

/// Whom to believe. The system's authorities are read for the first request that needs them, once
/// for all clones.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    extra: Vec<CertificateDer<'static>>,
    pinning: Pinning,
    tls: Arc<OnceLock<ClientConfig>>,
}

/// What a certificate of the file is good for besides being an authority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pinning {
    #[default]
    None,
    /// A server that shows this very certificate is believed, whatever names and dates are in it.
    Believed,
}

impl Trust {
    /// The system's authorities, and those in a PEM file.
    ///
    /// # Errors
    /// [`TrustError`]
    pub fn with_authorities(path: &Path) -> Result<Self, TrustError> {
        Ok(Self {
            extra: read_authorities(path)?,
            ..Self::default()
        })
    }

    /// As [`Trust::with_authorities`], and whoever shows a certificate of this file itself is
    /// believed: a camera has one that it made for itself, of no name that it is known by.
    ///
    /// # Errors
    /// [`TrustError`]
    pub fn with_certificates(path: &Path) -> Result<Self, TrustError> {
        Ok(Self {
            pinning: Pinning::Believed,
            ..Self::with_authorities(path)?
        })
    }

    /// What HTTPS is spoken by. Takes tens of milliseconds the first time.
    pub(crate) fn tls(&self) -> Result<ClientConfig, TrustError> {
        if let Some(config) = self.tls.get() {
            return Ok(config.clone());
        }
        let config = self.read_tls()?;
        Ok(self.tls.get_or_init(|| config).clone())
    }

    fn read_tls(&self) -> Result<ClientConfig, TrustError> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.certs);
        roots.add_parsable_certificates(self.extra.iter().cloned());
        if roots.is_empty() {
            let why = native.errors.first();
            let why = why.map(|error| format!(": {error}")).unwrap_or_default();
            return Err(TrustError::NoAuthorities(why));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(roots);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        Ok(match self.pinning {
            Pinning::None => builder.with_root_certificates(roots).with_no_client_auth(),
            Pinning::Believed => {
                let pinned = self.extra.clone();
                let verifier = PinnedVerifier::new(pinned, roots, provider)?;
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(verifier))
                    .with_no_client_auth()
            }
        })
    }
}
