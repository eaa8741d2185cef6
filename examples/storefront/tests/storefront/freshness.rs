//! The next read shows a write, even if the answer before it was cached.

use storefront::database::model::Status;
use storefront::database::{commands, queries};

use crate::shop::Shop;

const ORG: &str = "org-01";
const USER: i64 = 1;

#[tokio::test]
async fn an_order_is_on_the_first_page_and_in_the_report() {
    let Shop { db, .. } = &Shop::open();
    let (first, second) = (
        queries::recent_orders(db, ORG, USER, 0).await.unwrap(),
        queries::recent_orders(db, ORG, USER, 1).await.unwrap(),
    );
    let report = queries::sales_report(db, ORG, Status::Open).await.unwrap();

    let placed = commands::place_order(db, ORG, USER, 3, 2).await.unwrap();

    assert_eq!(
        queries::recent_orders(db, ORG, USER, 0).await.unwrap()[0],
        placed
    );
    // every page has shifted by one
    assert_eq!(
        queries::recent_orders(db, ORG, USER, 1).await.unwrap()[0],
        first[19]
    );
    assert_eq!(
        queries::recent_orders(db, ORG, USER, 1).await.unwrap()[1],
        second[0]
    );
    assert_eq!(
        queries::sales_report(db, ORG, Status::Open)
            .await
            .unwrap()
            .orders,
        report.orders + 1
    );
}

#[tokio::test]
async fn a_new_name_is_in_the_profile_and_in_every_report() {
    let Shop { db, .. } = &Shop::open();
    queries::profile(db, ORG, USER).unwrap();
    for status in Status::ALL {
        queries::sales_report(db, ORG, status).await.unwrap();
    }

    commands::rename_user(db, ORG, USER, "Zoe".into())
        .await
        .unwrap();

    assert_eq!(queries::profile(db, ORG, USER).unwrap().name, "Zoe");
    for status in Status::ALL {
        let report = queries::sales_report(db, ORG, status).await.unwrap();
        // there are four users, and a report names the best five
        assert!(
            report
                .best_customers
                .iter()
                .any(|customer| customer.name == "Zoe"),
            "{status:?}"
        );
    }
}

#[tokio::test]
async fn a_setting_changes_at_once() {
    let Shop { db, .. } = &Shop::open();
    assert_eq!(queries::settings(db, ORG).unwrap()["language"], "en");
    commands::change_setting(db, ORG, "language", "pt").unwrap();
    assert_eq!(queries::settings(db, ORG).unwrap()["language"], "pt");
}

#[tokio::test]
async fn a_cart_holds_what_was_put_in() {
    let shop = Shop::open();
    let session = shop.log_in(ORG, USER).await;
    assert!(
        queries::cart(&shop.db, ORG, USER, &session)
            .await
            .unwrap()
            .is_empty()
    );
    commands::fill_cart(&shop.db, ORG, USER, &session, 7, 2)
        .await
        .unwrap();
    let cart = queries::cart(&shop.db, ORG, USER, &session).await.unwrap();
    assert_eq!(
        (cart.len(), cart[0].product.product_id, cart[0].quantity),
        (1, 7, 2)
    );
}

#[tokio::test]
async fn a_session_begins_and_ends_at_once() {
    let shop = Shop::open();
    // the absence of the session is cached, and must not outlive logging in
    assert!(
        queries::permissions(&shop.db, ORG, USER, "session-of-1")
            .unwrap()
            .is_none()
    );
    let session = shop.log_in(ORG, USER).await;
    assert!(
        queries::permissions(&shop.db, ORG, USER, &session)
            .unwrap()
            .is_some()
    );
    commands::log_out(&shop.db, ORG, USER, &session)
        .await
        .unwrap();
    assert!(
        queries::permissions(&shop.db, ORG, USER, &session)
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_write_that_fails_evicts_nothing() {
    let Shop { db, .. } = &Shop::open();
    queries::settings(db, ORG).unwrap();
    commands::change_setting(db, ORG, "no such setting", "").unwrap_err();
    assert!(
        cacheado::peek!(queries::settings(db, ORG))
            .unwrap()
            .is_some()
    );
}
