//! Where a request came from, as the socket it came on knows it.

use std::net::SocketAddr;

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Its address.
    pub address: SocketAddr,
    /// Whether it speaks TLS with this gateway itself.
    pub is_tls: bool,
}
