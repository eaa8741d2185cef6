//! The attributes and macros of cacheado. Use them through the crate `cacheado`, which re-exports
//! them: what they generate calls its runtime.
//!
//! Each macro leads into a module of its own: `cache` (`#[cache]`, `#[cache_put]`), `evict`
//! (`#[cache_evict]`), `cache_impl` (and `siblings`, which it checks), `scopes` and `verbs` (`evict!` and its kin). `parse`,
//! `mentions` and `runtime` serve them all.

mod cache;
mod cache_impl;
mod evict;
mod mentions;
mod parse;
mod runtime;
mod scopes;
mod siblings;
mod verbs;

use proc_macro::TokenStream;

use self::cache::Kind;
use self::verbs::Verb;

/// Memoizes a function: sync or async, free or method, in any impl, also under `#[async_trait]`.
///
/// ```standalone_crate
/// use cacheado::{cache, scopes};
///
/// scopes! { organization(org_id) { user(user_id) } }
///
/// # #[derive(Default)]
/// # struct Db(std::sync::atomic::AtomicU32);
/// # impl Db {
/// #     async fn name(&self, org_id: &str, user_id: u64) -> Result<String, DbError> {
/// #         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
/// #         Ok(format!("user {user_id} of {org_id}"))
/// #     }
/// #     fn queries(&self) -> u32 { self.0.load(std::sync::atomic::Ordering::Relaxed) }
/// # }
/// # #[derive(Debug)]
/// # struct DbError;
/// #[cache(ttl = "10m", scope = "user", skip(db))]
/// async fn name(db: &Db, org_id: &str, user_id: u64) -> Result<String, DbError> {
///     db.name(org_id, user_id).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), DbError> {
///     let db = Db::default();
///     name(&db, "acme", 7).await?;
///     name(&db, "acme", 7).await?;
///     assert_eq!(db.queries(), 1);
///     name(&db, "globex", 7).await?; // another tenant's user 7
///     assert_eq!(db.queries(), 2);
///     Ok(())
/// }
/// ```
///
/// | option | value | meaning |
/// |---|---|---|
/// | `ttl` | seconds (`300`, `0.5`), text (`"5m"`), a `Duration` expression, `\|value\| -> Duration`, or the path of such a function | lifetime; left out, or `Duration::MAX`: until evicted |
/// | `scope` | `"user"`, or the path `"organization/user"`; `scope("user", org_id = ctx.org)` names ids that are no arguments of their names | a level of [`scopes!`], default `"global"` |
/// | `scopes` | path | the module that `scopes!` made, default `crate::scope` |
/// | `cache` | expression, may use `self` and arguments | which `Cache`, default the process-wide one |
/// | `skip(a, self)` | argument names | left out of the key |
/// | `key` | expression over the arguments | replaces the arguments' part of the key |
/// | `name`, `version` | text, integer | names the entries; functions with one explicit name share entries on purpose |
/// | `max_items` | integer | bound for this function alone (of a generic one, for each instance): the least recently used entry makes room |
/// | `when` | `\|value\| -> bool` | store only if true |
/// | `bypass` | `bool` expression over the arguments | true: neither read nor stored. Asked where the function is called: `put!` and `peek!` go by the key alone |
/// | `cache_none` | `bool`, default `true` | whether `None` is stored |
/// | `local` | flag | in-process only: the value needs no serde |
/// | `batch(ids)` | an argument that is a slice or a `Vec` | a function of many ids, each of which has an entry |
/// | `single_flight` | `true` (default), `false`, `"cluster"` | whether concurrent callers of one key share one run of the body: those of the process, none, or those of all processes that share a store |
/// | `on_backend_error` | `"bypass"` (default), `"error"` | shared tier down: run the body and count it, or return the error, of a `Result` whose error is `From<cacheado::Error>` |
/// | `stale` | duration | how long past `ttl` an old value stands in: while one refresh runs, or when the body fails |
/// | `refresh_after` | part of `ttl`, as `0.8` | a hit past it begins one refresh in the background |
/// | `xfetch` | factor, as `1.0` | a hit begins a refresh in the background, the likelier the closer the end is and the longer a load takes |
/// | `timeout` | duration | a slow body: the old value is returned if it may stand in (`stale`, here or on the builder); the body's result is stored when it comes |
/// | `hard_timeout` | duration | a slow body: an error is returned, of a `Result` whose error is `From<cacheado::Error>`; the result is stored when it comes |
/// | `detached` | flag | the load of an async function outlives its caller |
/// | `jitter` | part of `ttl`, as `0.1` | spreads lifetimes evenly over `[ttl, ttl · (1 + jitter)]` |
/// | `idle` | duration | a value that no call asks for goes; `ttl` is the longest that it lives |
/// | `none_ttl`, `err_ttl` | duration | how long a `None`, and an `Err` (of a type that is `Clone + Send + Sync + 'static`), is kept |
///
/// A duration is given as seconds, as text, or as a constant `Duration`. `stale`, `refresh_after`, `xfetch`, `timeout`, `jitter` and
/// `idle` need a `ttl`.
///
/// The rows from `stale` on are what the guide of the crate `cacheado` is about, which says what happens when. With `stale`, `refresh_after`,
/// `xfetch`, `detached` and the timeouts the body may outlive its call: references among the arguments are kept as their owned forms,
/// and what can't be kept is a compile error at the argument.
///
/// Of a `Result<T, E>` the `T` is stored, and an `Err` is not, unless `err_ttl` says for how long; of anything else the whole. `ttl` and
/// `when` see what is stored. A `ttl` expression is evaluated after a miss, before the body. A `ttl`
/// that works out as zero means that the value is not stored.
///
/// # Keys
///
/// Every argument is part of the key, by what serde serializes of it, but those that are scope ids
/// (they are in the scope's path, also if they are given as they stand, as in `org_id = org`) and those in `skip`. What a
/// `#[secret]` id is made of is refused in a key. An argument taken as `&mut`, or that holds one, must be skipped.
/// `self` must be accounted for: `skip(self)`, or named in `key`, `scope(…)` or `cache`. An argument
/// that is a pattern is a part as a whole, and skipped by all the names it binds. `key = (a, b)` moves neither `a` nor `b`.
///
/// # Many ids
///
/// A function with `batch(ids)` takes a slice or a `Vec` of ids and returns a `HashMap` or `BTreeMap` from ids to values, or a
/// `Result` of one. Each id has an entry of its own, of which the other arguments are a part too. The body is given the ids that are
/// missing, each once, and does not run if none is; an id that its map lacks is not stored. The shared tier is asked once for
/// all. A call waits for no other call's load. It has no verbs of its own: a function of one id that has the same `name`, and
/// otherwise the same arguments and value, shares the entries, and its verbs reach them.
///
/// ```
/// use std::collections::HashMap;
///
/// use cacheado::{cache, evict};
///
/// #[cache(name = "price", ttl = 60)]
/// fn price(currency: &str, product_id: u32) -> u64 {
///     prices(currency, &[product_id])[&product_id]
/// }
///
/// #[cache(name = "price", ttl = 60, batch(product_ids))]
/// fn prices(currency: &str, product_ids: &[u32]) -> HashMap<u32, u64> {
///     println!("asked for {product_ids:?}");
///     product_ids.iter().map(|&id| (id, u64::from(id) * 100)).collect()
/// }
///
/// prices("EUR", &[1, 2]); // asked for [1, 2]
/// prices("EUR", &[1, 2, 3]); // asked for [3]
/// assert!(evict!(price("EUR", 2)).unwrap());
/// prices("EUR", &[1, 2, 3]); // asked for [2]
/// ```
///
/// # Methods
///
/// On a function with a receiver `#[cache]` alone memoizes. With [`#[cache_impl]`](macro@cache_impl) on
/// the impl block, or on the trait, functions without a receiver can be annotated too, and those of an inherent impl
/// get the verbs ([`evict!`], [`expire!`], [`peek!`], [`put!`], [`refresh!`], [`bypass!`]), which free functions
/// always have.
///
/// # Errors
///
/// A mistake is a compile error at the token that is wrong: an option or scope that there is none of,
/// an argument that the scope needs and the function lacks, `self` unaccounted for, a value that can't
/// be stored. When it runs, a cached function fails as its body does, and in no other way but those that it asks for by
/// `hard_timeout` and `on_backend_error = "error"`: what goes wrong in a cache is counted and traced, and the body runs.
///
/// # Limits
///
/// A free function takes its name in the type namespace as well, so a module or type beside it can't
/// be called the same. What is returned must be a type that can be named, and be owned (or, with `local`, borrowed for `'static`).
#[proc_macro_attribute]
pub fn cache(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache::attribute(Kind::Cache, &attr.into(), &item.into(), None).into()
}

/// Runs the function whether or not there is an entry, and stores what it returns, unless that is an `Err`. Takes the
/// [options of `#[cache]`](macro@cache) but for `batch`, `timeout`, `hard_timeout`, `err_ttl` and `detached`, and its mistakes are the
/// same compile errors.
///
/// A `name` in common makes it store for another function, whose key and value have to be alike:
///
/// ```
/// use cacheado::{cache, cache_put};
///
/// #[cache(name = "greeting")]
/// fn greeting(user_id: u64) -> String {
///     format!("Hello, user {user_id}")
/// }
///
/// #[cache_put(name = "greeting", skip(text))]
/// fn greet_with(user_id: u64, text: &str) -> String {
///     text.to_owned()
/// }
///
/// assert_eq!(greeting(7), "Hello, user 7");
/// greet_with(7, "Ahoy");
/// assert_eq!(greeting(7), "Ahoy");
/// ```
///
/// **What it stores has its own `ttl`**, not that of the other: without one it stays until it is evicted, however soon what the other
/// stores is over. Say the same `cache`, too, if the other has one. Where both stand in one impl block, `#[cache_impl]` compares their
/// scopes and caches.
///
/// # Errors
///
/// It returns what its body does. If that can't be stored, it is counted and traced; with `on_backend_error = "error"` a shared tier that
/// is down before the body has begun is the error that is returned, and the body does not run.
#[proc_macro_attribute]
pub fn cache_put(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache::attribute(Kind::Put, &attr.into(), &item.into(), None).into()
}

/// Evicts calls of cached functions, or whole scopes, once the function has succeeded: unless it
/// returned an `Err`.
///
/// ```standalone_crate
/// use cacheado::{cache, cache_evict, peek, scopes};
///
/// scopes! { organization(org_id) { user(user_id) } }
///
/// #[cache(scope = "user")]
/// fn name(org_id: &str, user_id: u64) -> String {
///     format!("user {user_id} of {org_id}")
/// }
///
/// #[cache_evict(name(org_id, user_id))]
/// fn rename(org_id: &str, user_id: u64, to: &str) -> Result<(), String> {
///     if to.is_empty() { Err("a name, please".into()) } else { Ok(()) }
/// }
///
/// #[cache_evict(scope = "organization", before)]
/// fn close(org_id: &str) {
///     println!("{org_id} is closed");
/// }
///
/// fn main() -> cacheado::Result<()> {
///     name("acme", 7);
///     let _ = rename("acme", 7, "");
///     assert!(peek!(name("acme", 7))?.is_some());
///     let _ = rename("acme", 7, "Ann");
///     assert!(peek!(name("acme", 7))?.is_none());
///
///     name("acme", 8);
///     close("acme");
///     assert!(peek!(name("acme", 8))?.is_none());
///     Ok(())
/// }
/// ```
///
/// | option | meaning |
/// |---|---|
/// | `profile(org_id, user_id)`, `shop::profile(…)`, `self.profile(…)`, `Self::profile(…)` | one call, evicted from its function's own cache; may be repeated |
/// | `scope = "user"`, `scope("user", org_id = ctx.org)` | that scope and all below it; may be repeated |
/// | `scopes = path` | the module that [`scopes!`] made, default `crate::scope` |
/// | `cache = expression` | **the cache in which each `scope` is evicted**, default the process-wide one |
/// | `before` | ahead of the body, whatever becomes of it |
///
/// Arguments that the function skips are left out of its call, or each of them is written `_`. An owned
/// argument of one's own function that its body needs as well is cloned.
///
/// <div class="warning">
///
/// **`scope = …` evicts from the default cache, and from no other.** Functions with a `cache` of their
/// own (`#[cache(cache = self.cache, scope = "user")]`) keep their entries, unless the same `cache = …`
/// is given here:
///
/// ```text
/// #[cache_evict(scope = "user", cache = self.cache)]
/// ```
///
/// Where [`#[cache_impl]`](macro@cache_impl) shows that all cached functions of the impl block have a `cache`, to give none here is a
/// compile error. It does not see what stands elsewhere.
///
/// </div>
///
/// # Errors
///
/// It is a compile error to say nothing to evict, to call a function that is not cached, to name a
/// scope that there is none of or whose ids are missing, or to give `cache` without a `scope`. An
/// eviction that fails when it runs is counted and traced, and in nobody's way: the function returns
/// what it returns.
#[proc_macro_attribute]
pub fn cache_evict(attr: TokenStream, item: TokenStream) -> TokenStream {
    evict::attribute(&attr.into(), &item.into(), None).into()
}

/// Marks an impl block, or a trait, whose functions are cached, since an attribute can't see where its function
/// stands: functions without a receiver can be annotated then, and those of an inherent impl get the
/// verbs.
///
/// ```
/// use cacheado::{Cache, cache, cache_impl, evict};
///
/// struct Repo {
///     cache: Cache,
/// }
///
/// #[cache_impl]
/// impl Repo {
///     #[cache(ttl = 60)]
///     fn exchange_rate(currency: &str) -> f64 {
///         if currency == "EUR" { 1.08 } else { 1.0 }
///     }
///
///     #[cache(cache = self.cache)]
///     fn orders(&self, user_id: u64) -> Vec<u64> {
///         vec![user_id * 10, user_id * 10 + 1]
///     }
/// }
///
/// # fn main() -> cacheado::Result<()> {
/// let repo = Repo { cache: Cache::builder().build()? };
/// Repo::exchange_rate("EUR");
/// repo.orders(7);
/// assert!(evict!(Repo::exchange_rate("EUR"))?);
/// assert!(evict!(repo.orders(7))?);
/// # Ok(())
/// # }
/// ```
///
/// It takes no options. In a trait and its impls, functions are memoized and have no verbs: there is no place
/// for them.
///
/// # Errors
///
/// It is a compile error if functions of one `name` differ in scope, cache or `local`, if a `#[cache_evict(scope = …)]` gives no `cache`
/// where all cached functions of the block have one, and if one of the attributes stands in a `cfg_attr`, which it does not see through:
/// switch caching off by `bypass = cfg!(test)`, or have a `Cache::disabled()`.
#[proc_macro_attribute]
pub fn cache_impl(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache_impl::expand(&attr.into(), &item.into()).into()
}

/// Declares the tenant hierarchy: levels, each with the argument that tells one member from another.
///
/// ```standalone_crate
/// use cacheado::cache;
///
/// // at the crate root: makes `mod scope`
/// cacheado::scopes! {
///     organization(org_id) {
///         user(user_id) { session(#[secret] session_id) }
///     }
///     car(car_id) { door(door_id) } // several trees may stand side by side
/// }
///
/// #[cache(scope = "user")]
/// fn orders(user_id: u64, org_id: &str) -> Vec<u64> {
///     vec![user_id, org_id.len() as u64]
/// }
///
/// fn main() -> cacheado::Result<()> {
///     orders(7, "acme");
///     let cache = cacheado::default_cache();
///     assert_eq!(cache.evict_by_scope(scope::user("globex", 7)).run()?, 0);
///     assert_eq!(cache.evict_by_scope(scope::organization("acme")).run()?, 1);
///     Ok(())
/// }
/// ```
///
/// | in the module | what it is |
/// |---|---|
/// | `scope::user("acme", 7)` | a function for each level, ids from the root down |
/// | `scope::global()` | the root |
/// | `scope::hierarchy()` | all levels, for scopes that are named at run time |
///
/// `scopes! { mod tenancy; … }` names the module; `pub mod tenancy;` makes it usable from other crates
/// of a workspace. A `#[secret]` id leaves the process only as a keyed hash, by the builder's `secret_key`;
/// without one its entries stay in the process, and evicting a call or a scope with that id reaches no
/// other. A level may carry documentation.
///
/// # Errors
///
/// Names of levels and of arguments are unique over all trees; `global` and `hierarchy` are reserved. A
/// level has exactly one argument. What breaks these rules is a compile error at the name.
#[proc_macro]
pub fn scopes(input: TokenStream) -> TokenStream {
    scopes::declare(input.into()).into()
}

/// Evicts one call of a cached function: `Result<bool>`, whether there was an entry. A future, if the
/// function is async.
///
/// ```
/// use cacheado::{cache, evict};
///
/// #[cache]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// # fn main() -> cacheado::Result<()> {
/// square(3);
/// assert!(evict!(square(3))?);
/// assert!(!evict!(square(3))?);
/// # Ok(())
/// # }
/// ```
///
/// The call is written as it is made, by path, imported, re-exported or renamed, and type-checked so.
/// What is no call of a cached function is a compile error; so is a method of a trait, which has no
/// verbs. What stays in the process (of `local` functions, and under a `#[secret]` id without a
/// `secret_key`) each process has for itself, and evicts for itself.
///
/// # Errors
///
/// `Error::Key` if no key could be made of the arguments, and `Error::Backend` if the shared tier failed: the process has done it all the
/// same, and the eviction is sent there when it can be.
#[proc_macro]
pub fn evict(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Evict, input.into()).into()
}

/// Has one call of a cached function count as past its lifetime: `Result<bool>`, whether its value was good. A future, if the function
/// is async.
///
/// With [`stale`](macro@cache), the value stays and stands in if the body fails, or takes longer than its `timeout`: calls wait for the
/// body until one has succeeded; those within `retry_after` of a failure get the old value. Without `stale`, or with
/// `in_process(false)`, the entry goes, as by [`evict!`].
///
/// ```
/// use cacheado::{cache, expire};
///
/// #[cache(ttl = 60, stale = "1h")]
/// fn rate(pair: &str) -> Result<f64, String> {
///     if pair == "EUR/USD" { Ok(1.07) } else { Err(format!("no rate for {pair}")) }
/// }
///
/// # fn main() -> cacheado::Result<()> {
/// let _ = rate("EUR/USD");
/// assert!(expire!(rate("EUR/USD"))?);
/// assert_eq!(rate("EUR/USD"), Ok(1.07));
/// # Ok(())
/// # }
/// ```
///
/// From the shared tier the value goes, since other processes would go on to serve it, and so do their copies, as far as the store
/// reports to them.
///
/// # Errors
///
/// `Error::Key` if no key could be made of the arguments, and `Error::Backend` if the shared tier failed: the process has done it all the
/// same, and the eviction is sent there when it can be.
#[proc_macro]
pub fn expire(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Expire, input.into()).into()
}

/// What is stored for one call of a cached function, which is not run: `Result<Option<T>>`. A future,
/// if the function is async.
///
/// ```
/// use cacheado::{cache, peek};
///
/// #[cache]
/// async fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cacheado::Result<()> {
/// assert_eq!(peek!(square(3)).await?, None);
/// square(3).await;
/// assert_eq!(peek!(square(3)).await?, Some(9));
/// # Ok(())
/// # }
/// ```
///
/// Takes calls as [`evict!`] does. It counts no look-up, and is no use of the entry to a rule. A value past its lifetime is none, though it
/// may stand in.
///
/// # Errors
///
/// `Error::Key` if no key could be made of the arguments. A shared tier that fails has nothing, which `backend_errors` counts.
#[proc_macro]
pub fn peek(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Peek, input.into()).into()
}

/// Stores a value for one call of a cached function, which is not run: `Result<bool>`, whether it was
/// stored. A future, if the function is async. The lifetime is that of the function; its `when` is
/// asked. Its `bypass` is not, which says of calls whether they are cached, and may `.await`: who puts a value
/// has said so. `#[cache_put]`, which is a call, asks it.
///
/// ```
/// use cacheado::{cache, put};
///
/// #[cache]
/// fn square(x: u64) -> Result<u64, String> {
///     x.checked_mul(x).ok_or_else(|| "too large".into())
/// }
///
/// # fn main() -> cacheado::Result<()> {
/// assert!(put!(square(3), 10)?); // what is stored of a `Result` is its `Ok`
/// assert_eq!(square(3), Ok(10));
/// # Ok(())
/// # }
/// ```
///
/// Takes calls as [`evict!`] does. Not for a function whose `ttl` or `when` is a closure that names an
/// argument.
///
/// # Errors
///
/// `Error::Key` if no key could be made of the arguments; with a shared tier, `Error::Codec` if the value can't be encoded for it, and
/// `Error::Backend` if it failed. After the latter two the process has the value all the same.
#[proc_macro]
pub fn put(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Put, input.into()).into()
}

/// Runs a cached function whether or not there is an entry, stores what it returns, and gives it: what
/// a call of the function gives.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use cacheado::{cache, refresh};
///
/// static RUNS: AtomicU32 = AtomicU32::new(0);
///
/// #[cache]
/// fn runs() -> u32 {
///     RUNS.fetch_add(1, Ordering::Relaxed) + 1
/// }
///
/// assert_eq!((runs(), runs()), (1, 1));
/// assert_eq!(refresh!(runs()), 2);
/// assert_eq!(runs(), 2);
/// ```
///
/// Takes calls as [`evict!`] does. It fails as the function does.
#[proc_macro]
pub fn refresh(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Refresh, input.into()).into()
}

/// Runs a cached function past its cache, which is neither read nor written: gives what a call of the
/// function gives.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use cacheado::{bypass, cache};
///
/// static RUNS: AtomicU32 = AtomicU32::new(0);
///
/// #[cache]
/// fn runs() -> u32 {
///     RUNS.fetch_add(1, Ordering::Relaxed) + 1
/// }
///
/// assert_eq!((runs(), runs()), (1, 1));
/// assert_eq!(bypass!(runs()), 2);
/// assert_eq!(runs(), 1);
/// ```
///
/// Takes calls as [`evict!`] does. It fails as the function does.
#[proc_macro]
pub fn bypass(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Bypass, input.into()).into()
}

/// Where an attribute that names a scope comes out, with the hierarchy that it fetched.
#[doc(hidden)]
#[proc_macro]
pub fn __expand(input: TokenStream) -> TokenStream {
    cache::detour::expand(input.into()).into()
}

/// On what stands in for a function where there is no `scopes!`: takes it away, since there is one.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn __instead(_: TokenStream, _: TokenStream) -> TokenStream {
    TokenStream::new()
}

/// The same where there is something wrong with the `scopes!`, which is told there alone.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn __instead_of_wrong_scopes(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}
