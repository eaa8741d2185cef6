//! Compares cached answers with the database, which is queried directly and not through the cached functions.
//!
//! Nothing may write meanwhile: then an answer that differs has outlived the write that made it wrong.

use std::collections::BTreeSet;
use std::fmt::Debug;

use cacheado::peek;

use crate::database::model::{Status, Visitor};
use crate::database::{Db, Result, queries, rows};
use crate::workload::Plan;

/// The pages that the workload asks for.
const PAGES: std::ops::RangeInclusive<u32> = 0..=3;

/// The result of comparing cached answers.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Cached answers that were compared.
    pub(crate) compared: u64,
    /// Those that differ from the database.
    pub(crate) wrong: Vec<String>,
}

/// Looks up everything that may be cached for `sample` visitors of the plan, and compares what is found.
pub(crate) async fn verify(db: &Db, mut plan: Plan, sample: u32) -> anyhow::Result<Verdict> {
    let mut verdict = Verdict::default();
    let visitors: Vec<Visitor> = (0..sample).map(|_| plan.visitor()).collect();
    verdict.compare(
        "organizations",
        peek!(queries::organizations(db)).await?,
        || db.read(rows::organizations),
    )?;
    // a popular organization or user is drawn many times and compared once
    let mut seen = BTreeSet::new();
    for visitor in &visitors {
        if seen.insert((visitor.org_id.as_str(), None)) {
            verdict.organization(db, &visitor.org_id).await?;
        }
        if seen.insert((visitor.org_id.as_str(), Some(visitor.user_id))) {
            verdict.user(db, visitor).await?;
        }
    }
    Ok(verdict)
}

impl Verdict {
    async fn organization(&mut self, db: &Db, org_id: &str) -> anyhow::Result<()> {
        self.compare(
            &format!("settings of {org_id}"),
            peek!(queries::settings(db, org_id))?,
            || db.read(|connection| rows::settings(connection, org_id)),
        )?;
        for page in PAGES {
            let cached = peek!(queries::catalog(db, org_id, page)).await?;
            self.compare(&format!("catalog of {org_id}, page {page}"), cached, || {
                db.read(|connection| rows::catalog(connection, org_id, page))
            })?;
        }
        for status in Status::ALL {
            let cached = peek!(queries::sales_report(db, org_id, status)).await?;
            self.compare(
                &format!("report of {org_id}, {}", status.as_str()),
                cached,
                || db.read(|connection| rows::sales_report(connection, org_id, status)),
            )?;
        }
        Ok(())
    }

    async fn user(&mut self, db: &Db, visitor: &Visitor) -> anyhow::Result<()> {
        let Visitor {
            org_id,
            user_id,
            session_id,
            ..
        } = visitor;
        let user_id = *user_id;
        self.compare(
            &format!("profile of user {user_id}"),
            peek!(queries::profile(db, org_id, user_id))?,
            || db.read(|connection| rows::profile(connection, org_id, user_id)),
        )?;
        for page in PAGES {
            let cached = peek!(queries::recent_orders(db, org_id, user_id, page)).await?;
            self.compare(
                &format!("orders of user {user_id}, page {page}"),
                cached,
                || db.read(|connection| rows::recent_orders(connection, org_id, user_id, page)),
            )?;
        }
        let cached = peek!(queries::permissions(db, org_id, user_id, session_id))?;
        self.compare(&format!("permissions of user {user_id}"), cached, || {
            db.read(|connection| rows::permissions(connection, org_id, user_id, session_id))
        })?;
        let cached = peek!(queries::cart(db, org_id, user_id, session_id)).await?;
        self.compare(&format!("cart of user {user_id}"), cached, || {
            db.read(|connection| rows::cart(connection, org_id, user_id, session_id))
        })
    }

    fn compare<T: PartialEq + Debug>(
        &mut self,
        what: &str,
        cached: Option<T>,
        stored: impl FnOnce() -> Result<T>,
    ) -> anyhow::Result<()> {
        let Some(cached) = cached else { return Ok(()) };
        let stored = stored()?;
        self.compared += 1;
        if cached != stored {
            self.wrong
                .push(format!("{what}: cached {cached:?}, stored {stored:?}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cacheado::Cache;

    use super::*;
    use crate::database::fill::{self, Size};

    #[tokio::test]
    async fn an_answer_that_outlived_its_row_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.sqlite");
        fill::ensure(
            &path,
            Size {
                organizations: 2,
                users: 4,
                orders: 40,
                seed: 1,
            },
        )
        .unwrap();
        let db = Db::open(&path, Cache::builder().build().unwrap()).unwrap();
        let visitors: Arc<[Visitor]> = db.read(rows::visitors).unwrap().into();
        let plan = || Plan::new(Arc::clone(&visitors), 1);
        for visitor in visitors.iter() {
            queries::profile(&db, &visitor.org_id, visitor.user_id).unwrap();
        }
        let verdict = verify(&db, plan(), 100).await.unwrap();
        assert_eq!((verdict.compared, verdict.wrong.len()), (4, 0));

        // not through the function that evicts
        db.write(|connection| {
            Ok(connection.execute("UPDATE user SET name = 'Zoe' WHERE user_id = 1", [])?)
        })
        .unwrap();
        let verdict = verify(&db, plan(), 100).await.unwrap();
        assert_eq!((verdict.compared, verdict.wrong.len()), (4, 1));
        assert!(
            verdict.wrong[0].contains("profile of user 1"),
            "{:?}",
            verdict.wrong
        );
    }
}
