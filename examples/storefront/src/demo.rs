//! The program from start to end: it fills, serves, measures with the cache off and on, checks, and evicts one tenant.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cacheado::Cache;
use cacheado::rules::{Lru, Ttl};

use crate::args::Args;
use crate::database::model::Visitor;
use crate::database::{Db, fill, rows};
use crate::eviction::evict_organization;
use crate::report::{self, Phase};
use crate::server::Server;
use crate::verify::verify;
use crate::workload::{Plan, Workload};
use crate::{scope, shared, single};

/// Runs the demonstration or, if asked to, the service alone.
///
/// # Errors
/// If a step fails, or if a cached answer is wrong.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let path = args
        .database_path()
        .context("no place for the database: name one with --database")?;
    let begin = Instant::now();
    let made = fill::ensure(&path, args.size())?;
    let db = Db::open(&path, Cache::disabled())?;
    report::database(&db, &path, made.then(|| begin.elapsed()))?;
    let visitors: Arc<[Visitor]> = db.read(rows::visitors)?.into();
    let visitor = visitors.first().context("a database without users")?;
    // before anything else, because the server of its shared tier may not be reachable
    let cache = cache(args).await?;
    if args.serve {
        return serve(db.with_cache(cache), args.port, visitor).await;
    }

    let workload = Workload::new(Arc::clone(&visitors), args);
    report::workload(args);
    // The first run reads the file from the disk, a difference that the cache does not make.
    phase(&workload.brief(), &db, "warming up").await?;
    let off = phase(&workload, &db, "cache off").await?;
    let db = db.with_cache(cache);
    let on = phase(&workload, &db, "cache on").await?;
    report::comparison(&off, &on);
    report::single(&single::measure(&db, visitor).await?);
    check(
        &db,
        &on,
        Plan::new(Arc::clone(&visitors), args.seed),
        args.sample,
    )
    .await?;
    let eviction = evict_organization(db.cache(), &visitor.org_id, args.shared.counted()).await?;
    report::eviction(&visitor.org_id, &eviction);
    report::shared_tier(&args.shared, &db.cache().stats());
    Ok(())
}

/// The cache of the service. The attributes say how long each answer lives, and the rules bound the whole.
async fn cache(args: &Args) -> anyhow::Result<Cache> {
    let builder = Cache::builder()
        .scopes(scope::hierarchy())
        .rule(Lru::new(100_000))
        .rule(Ttl::new().max(Duration::from_hours(1)))
        .name("storefront");
    let cache = args.shared.behind(builder, args.secret_key)?.build()?;
    if args.shared.is_some() {
        shared::empty(&cache).await?;
    }
    Ok(cache)
}

async fn phase(workload: &Workload, db: &Db, title: &'static str) -> anyhow::Result<Phase> {
    let server = Server::start(db.clone(), 0).await?;
    let outcome = workload.run(server.address(), title).await?;
    server.stop().await?;
    Ok(Phase {
        outcome,
        stats: db.cache().stats(),
    })
}

async fn serve(db: Db, port: u16, visitor: &Visitor) -> anyhow::Result<()> {
    let server = Server::start(db.clone(), port).await?;
    report::serving(server.address(), visitor);
    tokio::signal::ctrl_c().await?;
    server.stop().await?;
    println!("\n{}", db.cache().stats());
    Ok(())
}

/// Fails if an answer differed from the database.
async fn check(db: &Db, on: &Phase, plan: Plan, sample: u32) -> anyhow::Result<()> {
    let verdict = verify(db, plan, sample).await?;
    report::verdict(&verdict, &on.outcome);
    let wrong: Vec<&String> = verdict.wrong.iter().chain(&on.outcome.stale).collect();
    if !wrong.is_empty() {
        for line in wrong.iter().take(5) {
            eprintln!("wrong: {line}");
        }
        bail!("{} answers were wrong", wrong.len());
    }
    Ok(())
}
