//! Names to addresses, without those that must not be called.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::{BoxError, TargetPolicy};

/// A name has addresses, but none that may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoAllowedAddress;

impl std::fmt::Display for NoAllowedAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name has no address that may be called")
    }
}

impl std::error::Error for NoAllowedAddress {}

/// Asks the system. The connection is made to the very addresses that were checked: a name that changes its mind
/// between check and use gains nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolver {
    policy: TargetPolicy,
}

impl Resolver {
    pub(crate) const fn new(policy: TargetPolicy) -> Self {
        Self { policy }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let policy = self.policy;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| policy.allows_address(address.ip())).collect();
            if allowed.is_empty() { Err(NoAllowedAddress.into()) } else { Ok(allowed.into_iter()) }
        })
    }
}
