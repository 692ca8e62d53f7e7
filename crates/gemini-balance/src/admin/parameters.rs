//! Queries made of groups of parameters that several calls share.
//!
//! A parameter that is documented in no group of a call is refused: ignoring a filter would answer
//! another question than the one that was asked.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use http::Uri;
use http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use utoipa::openapi::path::Parameter;

use crate::admin::error::ApiError;
use crate::admin::input::Params;
use crate::admin::problem::{Part, Problem};
use crate::app::App;

/// One group.
#[derive(Debug)]
pub(super) struct Only<A>(pub(super) A);

/// Two groups, for calls that share one of them.
#[derive(Debug)]
pub(super) struct Both<A, B>(pub(super) A, pub(super) B);

/// Three groups.
#[derive(Debug)]
pub(super) struct Three<A, B, C>(pub(super) A, pub(super) B, pub(super) C);

impl<A> FromRequestParts<Arc<App>> for Only<A>
where
    A: DeserializeOwned + IntoParams + Send,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        refuse_all_but(&A::into_params(|| None), &parts.uri)?;
        let Params(one) = Params::from_request_parts(parts, app).await?;
        Ok(Self(one))
    }
}

impl<A, B> FromRequestParts<Arc<App>> for Both<A, B>
where
    A: DeserializeOwned + IntoParams + Send,
    B: DeserializeOwned + IntoParams + Send,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        refuse_all_but(&[A::into_params(|| None), B::into_params(|| None)].concat(), &parts.uri)?;
        let Params(one) = Params::from_request_parts(parts, app).await?;
        let Params(other) = Params::from_request_parts(parts, app).await?;
        Ok(Self(one, other))
    }
}

impl<A, B, C> FromRequestParts<Arc<App>> for Three<A, B, C>
where
    A: DeserializeOwned + IntoParams + Send,
    B: DeserializeOwned + IntoParams + Send,
    C: DeserializeOwned + IntoParams + Send,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let groups =
            [A::into_params(|| None), B::into_params(|| None), C::into_params(|| None)].concat();
        refuse_all_but(&groups, &parts.uri)?;
        let Params(one) = Params::from_request_parts(parts, app).await?;
        let Params(two) = Params::from_request_parts(parts, app).await?;
        let Params(three) = Params::from_request_parts(parts, app).await?;
        Ok(Self(one, two, three))
    }
}

fn refuse_all_but(known: &[Parameter], uri: &Uri) -> Result<(), ApiError> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let Query(pairs) = pairs.unwrap_or_default();
    let unknown: Vec<_> = pairs
        .iter()
        .filter(|(name, _)| known.iter().all(|parameter| parameter.name != *name))
        .map(|(name, _)| Problem::value(Part::Query, name, "This call has no such parameter"))
        .collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(ApiError::Invalid(unknown)),
    }
}
