//! A small database with a cache in front of it, for one test.

use cacheado::Cache;
use storefront::database::fill::{self, Size};
use storefront::database::{Db, commands};
use tempfile::TempDir;

/// Three organizations of four users each: `org-01` has the users 1 to 4, `org-02` 5 to 8, `org-03` 9 to 12.
pub(crate) const SIZE: Size = Size {
    organizations: 3,
    users: 12,
    orders: 600,
    seed: 7,
};

pub(crate) struct Shop {
    pub(crate) db: Db,
    // removed with the shop
    _folder: TempDir,
}

impl Shop {
    pub(crate) fn open() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("shop.sqlite");
        fill::ensure(&path, SIZE).expect("a filled database");
        let cache = Cache::builder().build().expect("a cache without rules");
        let db = Db::open(&path, cache).expect("a database that was just made");
        Self {
            db,
            _folder: folder,
        }
    }

    /// A session of a user.
    pub(crate) async fn log_in(&self, org_id: &str, user_id: i64) -> String {
        let session_id = format!("session-of-{user_id}");
        commands::log_in(&self.db, org_id, user_id, &session_id)
            .await
            .expect("a user of the organization");
        session_id
    }

    /// The database without the cache.
    pub(crate) fn uncached(&self) -> Db {
        self.db.with_cache(Cache::disabled())
    }
}
