//! `cached`: `#[concurrent_cached]`, whose sharded store its documentation recommends for concurrent callers, with and without a
//! lifetime; and `#[cached]`, with one lock around everything and its option for shared reads.
//!
//! Keys are owned: the attribute clones the arguments on each call.

use std::sync::Arc;

use cached::macros::{cached, concurrent_cached};

use crate::contender::contender;
use crate::shapes::{
    LongText, NumberText, Numbers, Shape, Slow, TenantBytes, TenantRef, TenantText, TextRef,
};

/// Sharded, without a lifetime.
pub(crate) struct Cached;

/// Sharded, with a lifetime of an hour.
pub(crate) struct CachedTtl;

/// One lock for reads and writes.
pub(crate) struct CachedOneLock;

/// With single flight.
pub(crate) struct CachedByKey;

/// Sharded. The least recently used entry makes room.
pub(crate) struct Bounded;

/// The functions with one attribute for all shapes, and their contender.
macro_rules! functions {
    ($type:ident, $module:ident, #[$attribute:meta]) => {
        mod $module {
            use super::*;

            #[$attribute]
            fn tenant_text(org_id: &str, user_id: &str, item: u64) -> Arc<str> {
                TenantText::load(TenantRef {
                    org: org_id,
                    user: user_id,
                    item,
                })
            }

            #[$attribute]
            fn tenant_bytes(org_id: &str, user_id: &str, item: u64) -> Vec<u8> {
                TenantBytes::load(TenantRef {
                    org: org_id,
                    user: user_id,
                    item,
                })
            }

            #[$attribute]
            fn numbers(key: u64) -> u64 {
                Numbers::load(key)
            }

            #[$attribute]
            fn number_text(key: u64) -> Arc<str> {
                NumberText::load(key)
            }

            #[$attribute]
            fn long_text(key: &str) -> Arc<str> {
                LongText::load(TextRef(key))
            }

            #[$attribute]
            fn slow(key: u64) -> u64 {
                Slow::load(key)
            }

            // `prime_cache` stores what the body returns, which is what the others put
            contender!(
                $type,
                TenantText,
                |key| tenant_text(&key.org, &key.user, key.item),
                |key, _value| {
                    tenant_text_prime_cache(&key.org, &key.user, key.item);
                    true
                },
            );
            contender!(
                $type,
                TenantBytes,
                |key| tenant_bytes(&key.org, &key.user, key.item),
                |key, _value| {
                    tenant_bytes_prime_cache(&key.org, &key.user, key.item);
                    true
                },
            );
            contender!($type, Numbers, |key| numbers(*key), |key, _value| {
                numbers_prime_cache(*key);
                true
            });
            contender!($type, NumberText, |key| number_text(*key), |key, _value| {
                number_text_prime_cache(*key);
                true
            });
            contender!($type, LongText, |key| long_text(key), |key, _value| {
                long_text_prime_cache(key);
                true
            });
            contender!($type, Slow, |key| slow(*key), |key, _value| {
                slow_prime_cache(*key);
                true
            });
        }
    };
}

functions!(Cached, sharded, #[concurrent_cached]);
functions!(CachedTtl, mortal, #[concurrent_cached(ttl_secs = 3600)]);
functions!(CachedOneLock, one_lock, #[cached(unsync_reads = true)]);
functions!(CachedByKey, by_key, #[cached(sync_writes = "by_key")]);
// the bound is `BOUND`
functions!(Bounded, bounded, #[concurrent_cached(max_size = 100_000)]);

const _: () = assert!(super::BOUND == 100_000);
