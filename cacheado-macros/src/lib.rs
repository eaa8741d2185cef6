//! The attributes and macros of cacheado. Use them through the crate `cacheado`, which re-exports
//! them: what they generate calls its runtime.
//!
//! Each macro leads into a module of its own: `cache` (`#[cache]`, `#[cache_put]`), `evict`
//! (`#[cache_evict]`), `cache_impl`, `scopes` and `verbs` (`evict!` and its kin). `parse` and
//! `runtime` serve them all.

mod cache;
mod cache_impl;
mod evict;
mod parse;
mod runtime;
mod scopes;
mod verbs;

use proc_macro::TokenStream;

use self::cache::Kind;
use self::verbs::Verb;

/// Memoizes a function: sync or async, free or method, in any impl, also under `#[async_trait]`.
///
/// ```ignore
/// #[cache(ttl = "10m", scope = "user", skip(db))]
/// async fn profile(db: &Db, org_id: &str, user_id: u64) -> Result<Profile, DbError> {
///     db.profile(org_id, user_id).await
/// }
/// ```
///
/// | option | value | meaning |
/// |---|---|---|
/// | `ttl` | seconds (`300`, `0.5`), text (`"5m"`), a `Duration` expression, or `\|value\| -> Duration` | lifetime; left out: until evicted |
/// | `scope` | `"user"`, or the path `"organization/user"`; `scope("user", org_id = ctx.org)` names ids that are no plain arguments | a level of [`scopes!`], default `"global"` |
/// | `scopes` | path | the module that `scopes!` made, default `crate::scope` |
/// | `cache` | expression, may use `self` and arguments | which `Cache`, default the process-wide one |
/// | `skip(a, self)` | argument names | left out of the key |
/// | `key` | expression over the arguments | replaces the arguments' part of the key |
/// | `name`, `version` | text, integer | names the entries; functions with one explicit name share entries on purpose |
/// | `max_items` | integer | bound for this function alone |
/// | `when` | `\|value\| -> bool` | store only if true |
/// | `bypass` | `bool` expression over the arguments | true: neither read nor stored |
/// | `cache_none` | `bool`, default `true` | whether `None` is stored |
/// | `local` | flag | in-process only: the value needs no serde |
/// | `single_flight` | `true` (default), `false` | one load per key at a time |
///
/// Of a `Result<T, E>` the `T` is stored, and an `Err` is not; of anything else the whole. `ttl` and
/// `when` see what is stored. A `ttl` expression is evaluated after a miss, before the body.
///
/// # Keys
///
/// Every argument is part of the key, by what serde serializes of it, but those that are scope ids
/// (they are in the scope's path) and those in `skip`. An argument taken as `&mut` must be skipped.
/// `self` must be accounted for: `skip(self)`, or named in `key`, `scope(…)` or `cache`. An argument
/// that is a pattern is a part as a whole. `key = (a, b)` moves neither `a` nor `b`.
///
/// # Methods
///
/// On a function with a receiver `#[cache]` alone memoizes. With [`#[cache_impl]`](macro@cache_impl) on
/// the impl block, functions without a receiver can be annotated too, and those of an inherent impl
/// get the verbs ([`evict!`], [`peek!`], [`put!`], [`refresh!`], [`bypass!`]), which free functions
/// always have.
///
/// # Limits
///
/// A free function takes its name in the type namespace as well, so a module or type beside it can't
/// be called the same. What is returned must be a type that can be named, and be owned.
#[proc_macro_attribute]
pub fn cache(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache::attribute(Kind::Cache, &attr.into(), &item.into()).into()
}

/// Always runs the function, and stores what it returns. Takes the options of
/// [`#[cache]`](macro@cache).
///
/// A `name` in common makes it store for another function:
///
/// ```ignore
/// #[cache(name = "profile", scope = "user")]
/// fn profile(org_id: &str, user_id: u64) -> Result<Profile, DbError> { /* … */ }
///
/// #[cache_put(name = "profile", scope = "user", skip(profile))]
/// fn save(org_id: &str, user_id: u64, profile: &Profile) -> Result<Profile, DbError> { /* … */ }
/// ```
#[proc_macro_attribute]
pub fn cache_put(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache::attribute(Kind::Put, &attr.into(), &item.into()).into()
}

/// Evicts calls of cached functions, or whole scopes, once the function has succeeded: unless it
/// returned an `Err`.
///
/// ```ignore
/// #[cache_evict(profile(org_id, user_id))]
/// async fn rename(org_id: &str, user_id: u64, name: &str) -> Result<(), DbError> { /* … */ }
///
/// #[cache_evict(scope = "organization", before)]
/// fn close(org_id: &str) { /* … */ }
/// ```
///
/// - `profile(org_id, user_id)`, `shop::profile(…)`, `self.profile(…)`, `Self::profile(…)`: one call.
///   Arguments that the function skips are left out; `_` in their place serves too. An owned argument
///   of one's own function that its body needs as well is cloned.
/// - `scope = "user"`, `scope("user", org_id = ctx.org)`: that scope and all below it. May be repeated.
/// - `scopes = path`: the module that [`scopes!`] made, default `crate::scope`.
/// - `cache = expression`: the cache in which scopes are evicted, default the process-wide one. (A call
///   is evicted from its function's own.)
/// - `before`: ahead of the body, whatever becomes of it.
///
/// What fails of an eviction is counted and traced, and in nobody's way.
#[proc_macro_attribute]
pub fn cache_evict(attr: TokenStream, item: TokenStream) -> TokenStream {
    evict::attribute(&attr.into(), &item.into()).into()
}

/// Marks an impl block whose functions are cached, since an attribute can't see where its function
/// stands: functions without a receiver can be annotated then, and those of an inherent impl get the
/// verbs.
///
/// ```ignore
/// #[cache_impl]
/// impl Repo {
///     #[cache(ttl = 60)]
///     fn exchange_rate(currency: &str) -> f64 { /* … */ }
///
///     #[cache(cache = self.cache, scope = "user")]
///     fn orders(&self, org_id: &str, user_id: u64) -> Vec<Order> { /* … */ }
/// }
///
/// evict!(repo.orders("acme", 7))?;
/// evict!(Repo::exchange_rate("EUR"))?;
/// ```
#[proc_macro_attribute]
pub fn cache_impl(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache_impl::expand(&attr.into(), &item.into()).into()
}

/// Declares the tenant hierarchy: levels, each with the argument that tells one member from another.
///
/// ```ignore
/// cacheado::scopes! {                 // at the crate root: makes `mod scope`
///     organization(org_id) {
///         user(user_id) { session(#[secret] session_id) }
///     }
///     car(car_id) { door(door_id) }   // several trees may stand side by side
/// }
/// ```
///
/// The module has a function for each level (`scope::user("acme", 7)`, ids from the root down),
/// `scope::global()` for the root, and `scope::hierarchy()` for scopes that are named at run time.
/// `scopes! { mod tenancy; … }` names it; `pub mod tenancy;` makes it usable from other crates of a
/// workspace. A `#[secret]` id leaves the process only as a keyed hash. Names of levels and of
/// arguments are unique over all trees; `global` and `hierarchy` are reserved. A level may carry
/// documentation.
#[proc_macro]
pub fn scopes(input: TokenStream) -> TokenStream {
    scopes::declare(input.into()).into()
}

/// Evicts one call of a cached function: `Result<bool>`, whether there was an entry. A future, if the
/// function is async.
///
/// ```ignore
/// let removed: bool = evict!(profile(&db, "acme", 7)).await?;
/// ```
///
/// The call is written as it is made, by path, imported, re-exported or renamed, and type-checked so.
#[proc_macro]
pub fn evict(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Evict, input.into()).into()
}

/// What is stored for one call of a cached function, which is not run: `Result<Option<T>>`. A future,
/// if the function is async.
///
/// ```ignore
/// let cached: Option<Profile> = peek!(profile(&db, "acme", 7)).await?;
/// ```
#[proc_macro]
pub fn peek(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Peek, input.into()).into()
}

/// Stores a value for one call of a cached function, which is not run: `Result<bool>`, whether it was
/// stored. A future, if the function is async. The lifetime is that of the function; its `when` is
/// asked.
///
/// ```ignore
/// put!(profile(&db, "acme", 7), profile).await?;
/// ```
///
/// Not for a function whose `ttl` or `when` is a closure over its arguments, which a stored value
/// outlives.
#[proc_macro]
pub fn put(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Put, input.into()).into()
}

/// Runs a cached function whether or not there is an entry, stores what it returns, and gives it: what
/// a call of the function gives.
///
/// ```ignore
/// let profile = refresh!(profile(&db, "acme", 7)).await?;
/// ```
#[proc_macro]
pub fn refresh(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Refresh, input.into()).into()
}

/// Runs a cached function past its cache, which is neither read nor written: gives what a call of the
/// function gives.
///
/// ```ignore
/// let profile = bypass!(profile(&db, "acme", 7)).await?;
/// ```
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
