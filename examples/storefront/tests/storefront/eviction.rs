//! Evicting an organization removes its entries, those of its users and of their sessions, and no others.

use cacheado::peek;
use storefront::database::model::Status;
use storefront::database::queries;
use storefront::scope;

use crate::shop::Shop;

#[tokio::test]
async fn one_organization_leaves_and_the_others_stay() {
    let Shop { db, .. } = &Shop::open();
    queries::organizations(db).await.unwrap();
    for (org_id, user_id) in [("org-01", 1), ("org-02", 5), ("org-03", 9)] {
        queries::settings(db, org_id).unwrap();
        queries::sales_report(db, org_id, Status::Open)
            .await
            .unwrap();
        queries::profile(db, org_id, user_id).unwrap();
        queries::recent_orders(db, org_id, user_id, 0)
            .await
            .unwrap();
        queries::permissions(db, org_id, user_id, "none").unwrap();
    }

    let evicted = db
        .cache()
        .evict_by_scope(scope::organization("org-02"))
        .await
        .unwrap();

    assert_eq!(evicted, 5);
    assert!(peek!(queries::organizations(db)).await.unwrap().is_some());
    for (org_id, user_id, stays) in [
        ("org-01", 1, true),
        ("org-02", 5, false),
        ("org-03", 9, true),
    ] {
        assert_eq!(
            peek!(queries::settings(db, org_id)).unwrap().is_some(),
            stays
        );
        assert_eq!(
            peek!(queries::sales_report(db, org_id, Status::Open))
                .await
                .unwrap()
                .is_some(),
            stays
        );
        assert_eq!(
            peek!(queries::profile(db, org_id, user_id))
                .unwrap()
                .is_some(),
            stays
        );
        assert_eq!(
            peek!(queries::recent_orders(db, org_id, user_id, 0))
                .await
                .unwrap()
                .is_some(),
            stays
        );
        assert_eq!(
            peek!(queries::permissions(db, org_id, user_id, "none"))
                .unwrap()
                .is_some(),
            stays
        );
    }
}

#[tokio::test]
async fn one_user_leaves_with_the_sessions_and_the_organization_stays() {
    let Shop { db, .. } = &Shop::open();
    queries::settings(db, "org-01").unwrap();
    for user_id in [1, 2] {
        queries::profile(db, "org-01", user_id).unwrap();
        queries::permissions(db, "org-01", user_id, "none").unwrap();
    }

    let evicted = db
        .cache()
        .evict_by_scope(scope::user("org-01", 1))
        .await
        .unwrap();

    assert_eq!(evicted, 2);
    assert!(peek!(queries::settings(db, "org-01")).unwrap().is_some());
    assert!(peek!(queries::profile(db, "org-01", 1)).unwrap().is_none());
    assert!(peek!(queries::profile(db, "org-01", 2)).unwrap().is_some());
}

#[tokio::test]
async fn a_disabled_cache_answers_the_same_and_keeps_nothing() {
    let shop = Shop::open();
    let uncached = shop.uncached();
    for _ in 0..2 {
        assert_eq!(
            queries::settings(&uncached, "org-01").unwrap(),
            queries::settings(&shop.db, "org-01").unwrap()
        );
    }
    assert!(
        peek!(queries::settings(&uncached, "org-01"))
            .unwrap()
            .is_none()
    );
    assert_eq!(uncached.cache().keys().await.unwrap().len(), 0);
}
