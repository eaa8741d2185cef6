//! The answer for each address. Nothing here knows the cache: the functions that it calls do.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::database::model::{
    CartLine, Order, Organization, Product, Profile, SalesReport, Status, Visitor,
};
use crate::database::{Db, Error, commands, queries};

type Answer<T> = Result<Json<T>, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Self::NotFound(_) = self {
            return (StatusCode::NOT_FOUND, self.to_string()).into_response();
        }
        // what the database reported is for the operator of the service, not for the client
        eprintln!("error: {:#}", anyhow::Error::new(self));
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

/// The contents of the first page: five queries in one request.
#[derive(Serialize)]
pub(super) struct Home {
    settings: Arc<BTreeMap<String, String>>,
    profile: Profile,
    orders: Arc<[Order]>,
    cart: Arc<[CartLine]>,
    catalog: Arc<[Product]>,
}

#[derive(Deserialize)]
pub(super) struct Paged {
    #[serde(default)]
    page: u32,
}

#[derive(Deserialize)]
pub(super) struct OfStatus {
    status: Status,
}

#[derive(Deserialize)]
pub(super) struct Lot {
    product_id: i64,
    quantity: NonZeroU32,
}

#[derive(Deserialize)]
pub(super) struct Tenant {
    org_id: String,
    user_id: i64,
}

#[derive(Serialize)]
pub(super) struct LoggedIn {
    session_id: String,
}

pub(super) async fn organizations(State(db): State<Db>) -> Answer<Arc<[Organization]>> {
    Ok(Json(queries::organizations(&db).await?))
}

pub(super) async fn home(State(db): State<Db>, visitor: Visitor) -> Answer<Home> {
    let Visitor {
        org_id,
        user_id,
        session_id,
        ..
    } = &visitor;
    let (orders, cart, catalog) = tokio::try_join!(
        queries::recent_orders(&db, org_id, *user_id, 0),
        queries::cart(&db, org_id, *user_id, session_id),
        queries::catalog(&db, org_id, 0),
    )?;
    let settings = queries::settings(&db, org_id)?;
    let profile = queries::profile(&db, org_id, *user_id)?;
    Ok(Json(Home {
        settings,
        profile,
        orders,
        cart,
        catalog,
    }))
}

pub(super) async fn profile(State(db): State<Db>, visitor: Visitor) -> Answer<Profile> {
    Ok(Json(queries::profile(
        &db,
        &visitor.org_id,
        visitor.user_id,
    )?))
}

pub(super) async fn orders(
    State(db): State<Db>,
    visitor: Visitor,
    Query(Paged { page }): Query<Paged>,
) -> Answer<Arc<[Order]>> {
    Ok(Json(
        queries::recent_orders(&db, &visitor.org_id, visitor.user_id, page).await?,
    ))
}

pub(super) async fn cart(State(db): State<Db>, visitor: Visitor) -> Answer<Arc<[CartLine]>> {
    Ok(Json(
        queries::cart(&db, &visitor.org_id, visitor.user_id, &visitor.session_id).await?,
    ))
}

pub(super) async fn catalog(
    State(db): State<Db>,
    visitor: Visitor,
    Query(Paged { page }): Query<Paged>,
) -> Answer<Arc<[Product]>> {
    Ok(Json(queries::catalog(&db, &visitor.org_id, page).await?))
}

pub(super) async fn report(
    State(db): State<Db>,
    visitor: Visitor,
    Query(OfStatus { status }): Query<OfStatus>,
) -> Result<Response, Error> {
    if !visitor.permissions.reports {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let report: Arc<SalesReport> = queries::sales_report(&db, &visitor.org_id, status).await?;
    Ok(Json(report).into_response())
}

pub(super) async fn settings(
    State(db): State<Db>,
    visitor: Visitor,
) -> Answer<Arc<BTreeMap<String, String>>> {
    Ok(Json(queries::settings(&db, &visitor.org_id)?))
}

pub(super) async fn change_setting(
    State(db): State<Db>,
    visitor: Visitor,
    Path(mut path): Path<BTreeMap<String, String>>,
    value: String,
) -> Result<StatusCode, Error> {
    if !visitor.permissions.settings {
        return Ok(StatusCode::FORBIDDEN);
    }
    let name = path.remove("name").unwrap_or_default();
    let change = move || commands::change_setting(&db, &visitor.org_id, &name, &value);
    tokio::task::spawn_blocking(change).await??;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn rename_user(
    State(db): State<Db>,
    visitor: Visitor,
    name: String,
) -> Result<StatusCode, Error> {
    commands::rename_user(&db, &visitor.org_id, visitor.user_id, name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn place_order(
    State(db): State<Db>,
    visitor: Visitor,
    Json(lot): Json<Lot>,
) -> Answer<Order> {
    let Visitor {
        org_id, user_id, ..
    } = &visitor;
    Ok(Json(
        commands::place_order(&db, org_id, *user_id, lot.product_id, lot.quantity.get()).await?,
    ))
}

pub(super) async fn fill_cart(
    State(db): State<Db>,
    visitor: Visitor,
    Json(lot): Json<Lot>,
) -> Result<StatusCode, Error> {
    let Visitor {
        org_id,
        user_id,
        session_id,
        ..
    } = &visitor;
    commands::fill_cart(
        &db,
        org_id,
        *user_id,
        session_id,
        lot.product_id,
        lot.quantity.get(),
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Passwords are out of scope for this example: anyone who asks for a session gets one, on the loopback interface.
pub(super) async fn log_in(State(db): State<Db>, Path(tenant): Path<Tenant>) -> Answer<LoggedIn> {
    let session_id = format!("{:032x}", rand::random::<u128>());
    commands::log_in(&db, &tenant.org_id, tenant.user_id, &session_id).await?;
    Ok(Json(LoggedIn { session_id }))
}

pub(super) async fn log_out(State(db): State<Db>, visitor: Visitor) -> Result<StatusCode, Error> {
    commands::log_out(&db, &visitor.org_id, visitor.user_id, &visitor.session_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
