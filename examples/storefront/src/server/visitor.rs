//! The sender of a request: read from the address and the bearer token, and checked against the sessions on every request.
//!
//! That check is what such a service does most often, and the reason why its sessions are cached.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::database::model::Visitor;
use crate::database::{Db, queries};

#[derive(Deserialize)]
struct Tenant {
    org_id: String,
    user_id: i64,
}

impl FromRequestParts<Db> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, db: &Db) -> Result<Self, Response> {
        let Path(Tenant { org_id, user_id }) = Path::from_request_parts(parts, db)
            .await
            .map_err(IntoResponse::into_response)?;
        let token = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let session_id = token
            .ok_or_else(|| StatusCode::UNAUTHORIZED.into_response())?
            .to_owned();
        let permissions = queries::permissions(db, &org_id, user_id, &session_id)
            .map_err(IntoResponse::into_response)?;
        // a session of another tenant gets the same answer as one that does not exist
        let permissions = permissions.ok_or_else(|| StatusCode::UNAUTHORIZED.into_response())?;
        Ok(Self {
            org_id,
            user_id,
            session_id,
            permissions,
        })
    }
}
