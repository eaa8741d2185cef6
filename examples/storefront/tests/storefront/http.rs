//! The service accepts requests with a valid session, and no others.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use storefront::server;
use tower::ServiceExt;

use crate::shop::Shop;

/// The answer to one request.
async fn send(shop: &Shop, method: Method, path: &str, session_id: &str) -> StatusCode {
    let request = Request::builder()
        .method(method)
        .uri(format!("/organizations/{path}"))
        .header("authorization", format!("Bearer {session_id}"))
        .body(Body::from("dark"))
        .unwrap();
    server::router(shop.db.clone())
        .oneshot(request)
        .await
        .unwrap()
        .status()
}

#[tokio::test]
async fn a_session_opens_its_own_pages_only() {
    let shop = Shop::open();
    let session = shop.log_in("org-02", 5).await;
    // twice, so that the second answers come from the cache
    for _ in 0..2 {
        assert_eq!(
            send(&shop, Method::GET, "org-02/users/5/home", &session).await,
            StatusCode::OK
        );
        assert_eq!(
            send(&shop, Method::GET, "org-02/users/6/home", &session).await,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(
            send(&shop, Method::GET, "org-01/users/5/home", &session).await,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(
            send(&shop, Method::GET, "org-02/users/5/home", "guessed").await,
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn a_session_is_worth_nothing_after_logging_out() {
    let shop = Shop::open();
    let session = shop.log_in("org-01", 2).await;
    assert_eq!(
        send(&shop, Method::GET, "org-01/users/2/home", &session).await,
        StatusCode::OK
    );
    assert_eq!(
        send(&shop, Method::DELETE, "org-01/users/2/sessions", &session).await,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        send(&shop, Method::GET, "org-01/users/2/home", &session).await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn only_the_owner_changes_settings() {
    let shop = Shop::open();
    let (owner, member) = (
        shop.log_in("org-01", 1).await,
        shop.log_in("org-01", 2).await,
    );
    let by_member = send(&shop, Method::PUT, "org-01/users/2/settings/theme", &member).await;
    assert_eq!(by_member, StatusCode::FORBIDDEN);
    let by_owner = send(&shop, Method::PUT, "org-01/users/1/settings/theme", &owner).await;
    assert_eq!(by_owner, StatusCode::NO_CONTENT);
    let unknown = send(
        &shop,
        Method::PUT,
        "org-01/users/1/settings/no-such",
        &owner,
    )
    .await;
    assert_eq!(unknown, StatusCode::NOT_FOUND);
}
