//! Nobody gets data of another organization, however often its owner has asked for it.

use storefront::database::model::Status;
use storefront::database::{Error, commands, queries};

use crate::shop::Shop;

const A: &str = "org-01";
const B: &str = "org-02";
const USER_OF_A: i64 = 1;
const USER_OF_B: i64 = 5;

#[tokio::test]
async fn a_user_of_one_organization_is_not_found_in_another() {
    let shop = Shop::open();
    for _ in 0..2 {
        assert_eq!(
            queries::profile(&shop.db, B, USER_OF_B).unwrap().user_id,
            USER_OF_B
        );
        assert!(matches!(
            queries::profile(&shop.db, A, USER_OF_B),
            Err(Error::NotFound("user"))
        ));
        assert!(
            !queries::recent_orders(&shop.db, B, USER_OF_B, 0)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(
            queries::recent_orders(&shop.db, A, USER_OF_B, 0)
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_session_holds_for_its_own_user_only() {
    let shop = Shop::open();
    let session = shop.log_in(B, USER_OF_B).await;
    for _ in 0..2 {
        assert!(
            queries::permissions(&shop.db, B, USER_OF_B, &session)
                .unwrap()
                .is_some()
        );
        assert!(
            queries::permissions(&shop.db, A, USER_OF_B, &session)
                .unwrap()
                .is_none()
        );
        assert!(
            queries::permissions(&shop.db, A, USER_OF_A, &session)
                .unwrap()
                .is_none()
        );
        assert!(
            queries::permissions(&shop.db, B, USER_OF_B + 1, &session)
                .unwrap()
                .is_none()
        );
    }
}

#[tokio::test]
async fn the_same_page_and_status_of_two_organizations_are_two_answers() {
    let shop = Shop::open();
    for _ in 0..2 {
        let (a, b) = (
            queries::catalog(&shop.db, A, 0).await.unwrap(),
            queries::catalog(&shop.db, B, 0).await.unwrap(),
        );
        assert_ne!(a, b);
        let a = queries::sales_report(&shop.db, A, Status::Shipped)
            .await
            .unwrap();
        let b = queries::sales_report(&shop.db, B, Status::Shipped)
            .await
            .unwrap();
        assert!(
            a.best_customers
                .iter()
                .all(|customer| (1..=4).contains(&customer.user_id))
        );
        assert!(
            b.best_customers
                .iter()
                .all(|customer| (5..=8).contains(&customer.user_id))
        );
    }
}

#[tokio::test]
async fn a_change_to_one_organization_leaves_the_other_as_it_is() {
    let shop = Shop::open();
    let before = queries::settings(&shop.db, B).unwrap();
    queries::settings(&shop.db, A).unwrap();
    commands::change_setting(&shop.db, A, "theme", "dark").unwrap();
    assert_eq!(queries::settings(&shop.db, A).unwrap()["theme"], "dark");
    assert_eq!(queries::settings(&shop.db, B).unwrap(), before);
}

#[tokio::test]
async fn nothing_is_written_for_a_user_of_another_organization() {
    let shop = Shop::open();
    let renamed = commands::rename_user(&shop.db, A, USER_OF_B, "Mallory".into()).await;
    assert!(matches!(renamed, Err(Error::NotFound("user"))));
    assert_ne!(
        queries::profile(&shop.db, B, USER_OF_B).unwrap().name,
        "Mallory"
    );
    let session = commands::log_in(&shop.db, A, USER_OF_B, "stolen").await;
    assert!(matches!(session, Err(Error::NotFound("user"))));
}
