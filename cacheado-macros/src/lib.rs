//! The attributes and macros of cacheado. Use them through the crate `cacheado`, which re-exports them: the generated code calls its
//! runtime.
//!
//! Each macro is implemented in a module of its own: `cache` (`#[cache]`, `#[cache_put]`), `evict` (`#[cache_evict]`), `cache_impl`
//! (and `siblings`, which it checks), `scopes` and `verbs` (`evict!` and the other verbs). `parse`, `mentions` and `runtime` are
//! shared by all of them.

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
/// | `ttl` | seconds (`300`, `0.5`), text (`"5m"`), a `Duration` expression, `\|value\| -> Duration`, or the path of such a function | lifetime; without it, or with `Duration::MAX`, a value lives until evicted |
/// | `scope` | `"user"`, or the path `"organization/user"`; `scope("user", org_id = ctx.org)` supplies ids that are not arguments of the same name | a level of [`scopes!`], default `"global"` |
/// | `scopes` | path | the module that `scopes!` made, default `crate::scope` |
/// | `cache` | expression, may use `self` and arguments | which `Cache`, default the process-wide one |
/// | `skip(a, self)` | argument names | left out of the key |
/// | `key` | expression over the arguments | replaces the arguments' part of the key |
/// | `name`, `version` | text, integer | identify the function's entries; functions with the same explicit name deliberately share entries |
/// | `max_items` | integer | bound for this function alone (for each instance of a generic one): the least recently used entry makes room |
/// | `when` | `\|value\| -> bool` | store only if true |
/// | `bypass` | `bool` expression over the arguments | if true, the call neither reads nor stores. Only calls evaluate it: `put!` and `peek!` go by the key alone |
/// | `cache_none` | `bool`, default `true` | whether `None`, also one in a `Result`, is stored |
/// | `local` | flag | in-process only: the value needs no serde |
/// | `batch(ids)` | an argument that is a slice or a `Vec` | a function of many ids, each of which has an entry |
/// | `single_flight` | `true` (default), `false`, `"cluster"` | which concurrent callers of one key share one run of the body: those in the process, none, or those in all processes that share a store |
/// | `on_backend_error` | `"bypass"` (default), `"error"` | if the shared tier is down: run the body and count the failure, or return the error (needs a `Result` whose error is `From<cacheado::Error>`) |
/// | `stale` | duration | how long past `ttl` the old value may be served: while a refresh runs, or when the body fails |
/// | `refresh_after` | fraction of `ttl`, e.g. `0.8` | a hit after that point starts one background refresh |
/// | `xfetch` | factor, e.g. `1.0` | a hit may start a background refresh; the closer the end and the longer a load takes, the likelier |
/// | `timeout` | duration | if the body takes longer, the old value is returned, provided it may be served (`stale`, here or on the builder); the body's result is stored when it arrives |
/// | `hard_timeout` | duration | if the body takes longer, an error is returned (needs a `Result` whose error is `From<cacheado::Error>`); the body's result is stored when it arrives |
/// | `detached` | flag | the load of an async function outlives its caller |
/// | `jitter` | fraction of `ttl`, e.g. `0.1` | spreads lifetimes evenly over `[ttl, ttl · (1 + jitter)]` |
/// | `idle` | duration | a value that no call asks for within this time is removed; `ttl` is the longest that it lives |
/// | `none_ttl`, `err_ttl` | duration | how long a `None`, also one in a `Result`, or an `Err` (of a type that is `Clone + Send + Sync + 'static`), is kept |
///
/// A duration is given as seconds, as text, or as a constant `Duration`. `stale`, `refresh_after`, `xfetch`, `timeout`, `jitter` and
/// `idle` need a `ttl`.
///
/// The module `guide` of the crate `cacheado` explains the rows from `stale` on: what happens when. With `stale`, `refresh_after`,
/// `xfetch`, `detached` and the timeouts, the body may outlive its call: references among the arguments are kept as their owned forms,
/// and an argument that can't be kept is a compile error at the argument.
///
/// For a `Result<T, E>`, the `T` is stored; an `Err` is not, unless `err_ttl` says for how long. For any other type the whole value is
/// stored. The closures of `ttl` and `when` receive what is stored. A `ttl` expression is evaluated after a miss, before the body. If
/// the `ttl` evaluates to zero, the value is not stored.
///
/// # Keys
///
/// Every argument is part of the key, by what serde serializes of it, except scope ids and those in `skip`. Scope ids are in the
/// scope's path, also when they are passed as they are, as in `org_id = org`. An argument from which a `#[secret]` id is made is
/// refused in a key. An argument taken as `&mut`, or one that holds a `&mut`, must be skipped. `self` must be accounted for:
/// `skip(self)`, or named in `key`, `scope(…)` or `cache`. A pattern is one argument, which is in the key as a whole; to skip it, list
/// all the names it binds. `key = (a, b)` moves neither `a` nor `b`.
///
/// # Many ids
///
/// A function with `batch(ids)` takes a slice or a `Vec` of ids and returns a `HashMap` or `BTreeMap` from ids to values, or a
/// `Result` of one. Each id has an entry of its own, whose key includes the other arguments. The body receives the missing ids, each
/// once, and does not run if none is missing; an id that its map lacks is not stored. The shared tier is asked once for all ids. A
/// call does not wait for another call's load. The function has no verbs of its own. A function of one id that has the same `name`,
/// and otherwise the same arguments and value, shares the entries, and its verbs reach them.
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
/// On a function with a receiver, `#[cache]` alone memoizes. With [`#[cache_impl]`](macro@cache_impl) on the impl block, or on the
/// trait, functions without a receiver can be annotated too, and functions of an inherent impl get the verbs ([`evict!`], [`expire!`],
/// [`peek!`], [`put!`], [`refresh!`], [`bypass!`]), which free functions always have.
///
/// # Errors
///
/// A mistake is a compile error at the token that is wrong: an unknown option or scope, an argument that the scope needs and the
/// function lacks, an unaccounted `self`, a value that can't be stored. At run time a cached function fails only as its body does, and
/// by `hard_timeout` and `on_backend_error = "error"` if it has them. Any other failure in a cache is counted and traced, and the body
/// runs.
///
/// # Limits
///
/// A free function takes its name in the type namespace as well, so no module or type beside it can have the same name. The return
/// type must be a type that can be named, and must be owned (or, with `local`, borrowed for `'static`).
#[proc_macro_attribute]
pub fn cache(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache::attribute(Kind::Cache, &attr.into(), &item.into(), None).into()
}

/// Runs the function whether or not there is an entry, and stores what it returns, unless that is an `Err`. Takes the [options of
/// `#[cache]`](macro@cache) except `batch`, `timeout`, `hard_timeout`, `err_ttl` and `detached`; mistakes are the same compile errors.
///
/// With a common `name` it stores for another function, whose key and value must agree with its own:
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
/// **What it stores has its own `ttl`**, not that of the other function. Without a `ttl` it stays until evicted, however soon the
/// other function's values expire. Say the same `cache`, too, if the other has one. Where both are in one impl block, `#[cache_impl]`
/// compares their scopes and caches.
///
/// # Errors
///
/// The function returns what its body returns. A value that can't be stored is counted and traced. With `on_backend_error = "error"`,
/// a shared tier that is down before the body begins is an error that the function returns, and the body does not run.
#[proc_macro_attribute]
pub fn cache_put(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache::attribute(Kind::Put, &attr.into(), &item.into(), None).into()
}

/// Evicts calls of cached functions, or whole scopes, after the function has succeeded: unless it returned an `Err`.
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
/// | `before` | evicts before the body runs, whatever its outcome |
///
/// Arguments that the cached function skips are left out of its call, or each of them is written `_`; an argument that its `cache = …`
/// names is given in any case. An owned argument that the annotated function's body needs as well is cloned.
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
/// Where [`#[cache_impl]`](macro@cache_impl) shows that all cached functions of the impl block have a `cache`, giving none here is a
/// compile error. It does not see functions elsewhere.
///
/// </div>
///
/// # Errors
///
/// It is a compile error to give nothing to evict, to call a function that is not cached, to name a scope that does not exist or whose
/// ids are missing, or to give `cache` without a `scope`. An eviction that fails at run time is counted and traced, and does not
/// change what the function returns.
#[proc_macro_attribute]
pub fn cache_evict(attr: TokenStream, item: TokenStream) -> TokenStream {
    evict::attribute(&attr.into(), &item.into(), None).into()
}

/// Marks an impl block, or a trait, whose functions are cached. An attribute can't see where its function is; with this one, functions
/// without a receiver can be annotated, and functions of an inherent impl get the verbs.
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
/// It takes no options. In a trait and its impls, functions are memoized but have no verbs: there is no place for them.
///
/// # Errors
///
/// It is a compile error if functions of one `name` differ in scope, cache or `local`, if a `#[cache_evict(scope = …)]` gives no
/// `cache` where all cached functions of the block have one, or if one of the attributes is inside a `cfg_attr`, which the macro does
/// not see through: to switch caching off, use `bypass = cfg!(test)` or a `Cache::disabled()`.
#[proc_macro_attribute]
pub fn cache_impl(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache_impl::expand(&attr.into(), &item.into()).into()
}

/// Declares the tenant hierarchy: levels, each with the argument that identifies a member of it.
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
/// `scopes! { mod tenancy; … }` names the module; `pub mod tenancy;` makes it usable from other crates of a workspace. A level may
/// carry documentation.
///
/// A `#[secret]` id leaves the process only as a keyed hash, made with the builder's `secret_key`. Without a `secret_key` its entries
/// stay in the process, and evicting a call or a scope with that id reaches no other process.
///
/// # Errors
///
/// Names of levels and of arguments are unique across all trees; `global` and `hierarchy` are reserved. A level has exactly one
/// argument. A tree is at most 12 levels deep. Breaking these rules is a compile error at the name.
#[proc_macro]
pub fn scopes(input: TokenStream) -> TokenStream {
    scopes::declare(input.into()).into()
}

/// Evicts one call of a cached function. Returns `Result<bool>`: whether there was an entry. If the function is async, a future of
/// that.
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
/// The call is written as it would be made: by path, imported, re-exported or renamed; and it is type-checked like it. Anything but a
/// call of a cached function is a compile error, and so is a method of a trait, which has no verbs. Entries that stay in the process
/// (of `local` functions, and under a `#[secret]` id without a `secret_key`) are evicted in this process only.
///
/// # Errors
///
/// `Error::Key` if no key could be made of the arguments. `Error::Backend` if the shared tier failed: the entry is evicted in the process
/// all the same, and the eviction is sent to the shared tier later.
#[proc_macro]
pub fn evict(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Evict, input.into()).into()
}

/// Makes the entry of one call of a cached function count as expired. Returns `Result<bool>`: whether its value was within its
/// lifetime. If the function is async, a future of that.
///
/// With [`stale`](macro@cache), the value stays and is served if the body fails, or takes longer than its `timeout`: calls wait for
/// the body until one has succeeded; those within `retry_after` of a failure get the old value. Without `stale`, or with
/// `in_process(false)`, the entry is removed, as by [`evict!`].
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
/// The value is removed from the shared tier, since other processes would go on to serve it. Their copies are removed too, as far as
/// the store reports changes to them.
///
/// # Errors
///
/// `Error::Key` if no key could be made of the arguments. `Error::Backend` if the shared tier failed: the entry is expired in the process
/// all the same, and its eviction is sent to the shared tier later.
#[proc_macro]
pub fn expire(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Expire, input.into()).into()
}

/// Returns what is stored for one call of a cached function, without running it: `Result<Option<T>>`. If the function is async, a
/// future of that.
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
/// Takes calls as [`evict!`] does. It counts neither as a lookup in the statistics nor as a use of the entry to a rule. A value past
/// its lifetime is `None`, even if it may still be served by `stale`.
///
/// # Errors
///
/// `Error::Key` if no key could be made of the arguments. A shared tier that fails counts as having no entry; `backend_errors` counts
/// the failure.
#[proc_macro]
pub fn peek(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Peek, input.into()).into()
}

/// Stores a value for one call of a cached function, without running it. Returns `Result<bool>`: whether it was stored. If the
/// function is async, a future of that.
///
/// The lifetime is that of the function, and its `when` is evaluated. Its `bypass` is not: it says which calls are cached, and may
/// `.await`, while `put!` is an explicit request to store. `#[cache_put]`, which is a call, evaluates it.
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
/// Takes calls as [`evict!`] does. Not available for a function whose `ttl` or `when` is a closure that names an argument.
///
/// # Errors
///
/// `Error::Key` if no key could be made of the arguments. With a shared tier, `Error::Codec` if the value can't be encoded for it, and
/// `Error::Backend` if the shared tier failed; in these two cases the process has the value all the same.
#[proc_macro]
pub fn put(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Put, input.into()).into()
}

/// Runs a cached function whether or not there is an entry, stores what it returns, and returns what a call of the function returns.
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

/// Runs a cached function without its cache, which is neither read nor written, and returns what a call of the function returns.
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

/// On the copy of a function that is for the case that there is no `scopes!`: removes it, since there is one.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn __instead(_: TokenStream, _: TokenStream) -> TokenStream {
    TokenStream::new()
}

/// The same if there is something wrong with the `scopes!`, which is reported only there: leaves the copy.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn __instead_of_wrong_scopes(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// On the copy that is left: emits the function as it was written, and stand-ins for its companions.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn __as_written(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache::detour::as_written(attr.into(), &item.into()).into()
}
