//! Names to addresses, and only to such as may be connected to.
//!
//! What a name resolves to is looked at on every connection, so that a name that was public when
//! it was configured cannot lead into a private network or to a cloud's metadata later.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::config::network::Reach;

/// Resolves names with the system's resolver.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    reach: Reach,
}

impl Resolver {
    pub(super) fn new(reach: Reach) -> Self {
        Self { reach }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.reach;
        Box::pin(async move {
            let mut addresses: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            addresses.retain(|address| reach.allows(address.ip()));
            if addresses.is_empty() {
                let reason = "the name leads to no address that may be connected to";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
            }
            Ok(addresses.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_at_each_connection_unless_that_is_permitted() {
        let resolve =
            async |reach, name: &str| Resolver::new(reach).call(name.parse().unwrap()).await;

        let refused = resolve(Reach::Public, "localhost").await.unwrap_err();
        let permitted = resolve(Reach::Private, "localhost").await.unwrap();

        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert!(permitted.map(|address| address.ip()).all(|ip| ip.is_loopback()));
        // Crooked spellings of 127.0.0.1 and of 169.254.169.254 that resolvers take for names.
        for name in ["localhost.", "2130706433", "0177.0.0.1", "0x7f.1", "127.1", "2852039166"] {
            assert!(resolve(Reach::Public, name).await.is_err(), "{name}");
        }
        assert!(resolve(Reach::Private, "2852039166").await.is_err());
    }
}
