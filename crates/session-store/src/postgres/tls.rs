//! TLS to the database.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What of the server's certificate is verified; as libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case", parse_err_fn = unknown_mode, parse_err_ty = String)]
pub(super) enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS if the server offers it; nothing is verified.
    Prefer,
    /// TLS; nothing is verified unless there is an `sslrootcert`, which makes it [`TlsMode::VerifyCa`].
    Require,
    /// The certificate is of a trusted authority.
    VerifyCa,
    /// And it is for this host.
    VerifyFull,
}

fn unknown_mode(_: &str) -> String {
    "sslmode is disable, prefer, require, verify-ca or verify-full".to_owned()
}

impl TlsMode {
    /// The driver's mode: verification is not its matter.
    pub(super) const fn of_driver(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => SslMode::Require,
        }
    }
}

/// How TLS is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsOptions {
    pub(super) mode: TlsMode,
    /// The file of the authorities that are trusted; `None` for those of the operating system.
    roots: Option<PathBuf>,
    /// The files of the client's certificate and its key.
    client: Option<(PathBuf, PathBuf)>,
}

impl TlsOptions {
    /// Takes the mode, `sslrootcert`, and `sslcert` with `sslkey`. Fails if they do not fit together.
    pub(super) fn new(
        mode: TlsMode,
        roots: Option<String>,
        client: Option<(PathBuf, PathBuf)>,
    ) -> Result<Self, String> {
        if roots.is_some() && matches!(mode, TlsMode::Disable | TlsMode::Prefer) {
            return Err("sslrootcert verifies nothing with this sslmode; use sslmode=verify-full".to_owned());
        }
        // As libpq does.
        let mode = if roots.is_some() && mode == TlsMode::Require { TlsMode::VerifyCa } else { mode };
        Ok(Self { mode, roots: roots.filter(|roots| roots != "system").map(PathBuf::from), client })
    }

    /// Reads the files and returns what makes TLS connections. Files are read for each connection, so that a renewed
    /// certificate needs no restart. Fails with a text that names the file.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match self.mode {
            TlsMode::VerifyFull => builder.with_root_certificates(self.roots()?),
            TlsMode::VerifyCa => {
                let verifier = Verifier { roots: Some(self.roots()?), provider };
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
            TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => {
                let verifier = Verifier { roots: None, provider };
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        let config = match &self.client {
            Some((certificate, key)) => {
                let failed =
                    |error: rustls::pki_types::pem::Error| format!("sslkey {}: {error}", key.display());
                let chain = certificates("sslcert", certificate)?;
                let private = PrivateKeyDer::from_pem_file(key).map_err(failed)?;
                builder
                    .with_client_auth_cert(chain, private)
                    .map_err(|error| format!("sslcert {}: {error}", certificate.display()))?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(MakeRustlsConnect::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut store = RootCertStore::empty();
        let added = match &self.roots {
            Some(file) => store.add_parsable_certificates(certificates("sslrootcert", file)?),
            None => store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
        };
        let from = self.roots.as_deref().map_or("the operating system".into(), Path::to_string_lossy);
        if added.0 == 0 {
            return Err(format!("{from} has no certificate authority; name a file with sslrootcert"));
        }
        Ok(store)
    }
}

fn certificates(parameter: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.map_err(|error| format!("{parameter} {}: {error}", file.display()))
}

/// Verifies that a certificate is of a trusted authority, whichever host it is for; without authorities, nothing.
#[derive(Debug)]
struct Verifier {
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let algorithms = self.provider.signature_verification_algorithms.all;
            let certificate = ParsedCertificate::try_from(certificate)?;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
