//! The names of a cache's keys.
//!
//! All begin with the cache's name and a bucket number, in braces. Redis Cluster keeps keys with equal braces on one node, so a script
//! reaches everything that concerns one tenant. For the cache `shop` and a tenant in bucket 17:
//!
//! | key | what it is |
//! |---|---|
//! | `{shop:17}:organization=acme/user=7/shop::profile(3)~5d41…` | an entry |
//! | `{shop:17}mark:organization=acme/` | the mark of a scope, changed when the scope is evicted |
//! | `{shop:17}mark:organization=acme/user=7/shop::profile(3)~5d41…` | the mark of an entry, changed when it is evicted or set |
//! | `{shop:17}mark:` | the mark of the root, changed when all is evicted; exists while a load may be under way |
//! | `{shop:17}lease:organization=acme/user=7/shop::profile(3)~5d41…` | the claim of the load of an entry |
//! | `{shop:17}new:3f.2` | a large value that is staged before it is stored |
//! | `{shop:17}index`, `{shop:17}deadlines` | the names of the bucket's entries, by name and by when they may have expired |
//! | `{shop:0}cleared:c4a2…` | a note that the cache was cleared after a server began the run with this `run_id` |
//! | `{shop}changes` | the channel on which processes tell each other their changes |
//!
//! The cache's name is escaped, so no other cache has keys that begin like these.

use std::fmt;
use std::io::Write as _;

use ::redis::{RedisWrite, ToRedisArgs};

use super::owners::slot_of_key;
use crate::address;
use crate::key::Key;
use crate::scope::Scope;

/// The number of buckets: more than a cluster has nodes, few enough to visit one by one.
const BUCKETS: u16 = 64;

/// The names of one cache's keys.
pub(super) struct Names {
    /// The braces of each bucket.
    tags: Vec<String>,
    channel: String,
}

impl Names {
    pub(super) fn new(cache: &str) -> Self {
        let cache = address::cache(cache);
        let tag = |bucket| format!("{{{cache}:{bucket}}}");
        Self {
            tags: (0..BUCKETS).map(tag).collect(),
            channel: format!("{{{cache}}}changes"),
        }
    }

    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    /// The bucket of `key`, and the entry's name there.
    pub(super) fn entry(&self, key: &Key) -> (Bucket<'_>, String) {
        let name = address::entry(key);
        let bucket = address::bucket_of_name(&name, BUCKETS);
        (self.bucket(bucket), name)
    }

    /// Each bucket that may hold something of `scope`.
    pub(super) fn scope(&self, scope: &Scope) -> Vec<Bucket<'_>> {
        match address::bucket_of_scope(scope, BUCKETS) {
            Some(bucket) => vec![self.bucket(bucket)],
            None => (0..BUCKETS).map(|bucket| self.bucket(bucket)).collect(),
        }
    }

    /// The key of the note that the cache was cleared after a server began the run `run`.
    pub(super) fn cleared<'n>(&'n self, run: &'n str) -> Name<'n> {
        self.bucket(0).key("cleared:", run)
    }

    fn bucket(&self, bucket: u16) -> Bucket<'_> {
        Bucket(&self.tags[usize::from(bucket)])
    }
}

/// The names of one bucket's keys.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Bucket<'a>(&'a str);

impl<'a> Bucket<'a> {
    /// The cluster slot that the whole bucket is in.
    pub(super) fn slot(self) -> u16 {
        slot_of_key(self.0.as_bytes())
    }

    /// The prefix of all entry keys.
    pub(super) fn prefix(self) -> Name<'a> {
        self.key(":", "")
    }

    pub(super) fn entry<'n>(self, name: &'n str) -> Name<'n>
    where
        'a: 'n,
    {
        self.key(":", name)
    }

    pub(super) fn lease<'n>(self, name: &'n str) -> Name<'n>
    where
        'a: 'n,
    {
        self.key("lease:", name)
    }

    /// The key that a value is staged under, by a nonce.
    pub(super) fn staged<'n>(self, nonce: &'n str) -> Name<'n>
    where
        'a: 'n,
    {
        self.key("new:", nonce)
    }

    /// The mark of the entry or scope called `name`.
    pub(super) fn mark<'n>(self, name: &'n str) -> Name<'n>
    where
        'a: 'n,
    {
        self.key("mark:", name)
    }

    pub(super) fn root_mark(self) -> Name<'a> {
        self.mark("")
    }

    /// The marks that concern the entry: the root's, those of its scopes, and its own.
    pub(super) fn marks<'n>(self, name: &'n str) -> impl Iterator<Item = Name<'n>>
    where
        'a: 'n,
    {
        let scopes = std::iter::once("").chain(address::scopes(name));
        scopes.chain([name]).map(move |it| self.mark(it))
    }

    pub(super) fn index(self) -> Name<'a> {
        self.key("index", "")
    }

    pub(super) fn deadlines(self) -> Name<'a> {
        self.key("deadlines", "")
    }

    fn key<'n>(self, kind: &'n str, name: &'n str) -> Name<'n>
    where
        'a: 'n,
    {
        Name([self.0, kind, name])
    }
}

/// The name of a key, in parts that are joined where it is sent.
#[derive(Clone, Copy)]
pub(super) struct Name<'a>([&'a str; 3]);

impl ToRedisArgs for Name<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let mut argument = out.writer_for_next_arg();
        for part in self.0 {
            // writes into memory, which does not fail
            let _ = argument.write_all(part.as_bytes());
        }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| f.write_str(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Probe, Space};
    use crate::scope::Level;

    fn key(ids: &[&str], args: &str) -> Key {
        let levels = ["organization", "user"];
        let level = levels[..ids.len()]
            .iter()
            .fold(Level::global(), |under, name| {
                Level::intern(under, name, false)
            });
        let scope = Scope::of(level, ids.iter().copied());
        let probe = Probe::in_scope(Space::programmatic(level), &scope, args);
        probe.unwrap().to_key().unwrap()
    }

    #[test]
    fn names_can_be_read() {
        let names = Names::new("my shop");
        let (bucket, name) = names.entry(&key(&["acme", "7"], "x"));
        let tag = bucket.0;
        assert!(tag.starts_with("{my%20shop:"), "{tag}");
        let entry = bucket.entry(&name).to_string();
        let start = format!("{tag}:organization=acme/user=7/\"x\"~");
        assert!(entry.starts_with(&start), "{entry}");
        let marks: Vec<_> = bucket.marks(&name).map(|it| it.to_string()).collect();
        let expected = [
            String::new(),
            "organization=acme/".to_owned(),
            "organization=acme/user=7/".to_owned(),
            name,
        ];
        assert_eq!(marks, expected.map(|it| format!("{tag}mark:{it}")));
    }

    #[test]
    fn one_tenant_is_in_one_bucket() {
        let names = Names::new("shop");
        let (one, _) = names.entry(&key(&["acme", "7"], "x"));
        let (other, _) = names.entry(&key(&["acme"], "y"));
        assert!(one == other);
        let acme = key(&["acme"], "").scope();
        assert!(names.scope(&acme) == [one]);
        assert_eq!(names.scope(&Scope::global()).len(), usize::from(BUCKETS));
    }

    #[test]
    fn no_cache_has_keys_that_begin_like_anothers() {
        let of = |cache: &str| Names::new(cache).tags;
        for cache in ["a}:", "a:1", "{a", "", "a\0", "a "] {
            for (tag, other) in of(cache).into_iter().zip(of("a")) {
                assert!(!tag.starts_with(&other) && !other.starts_with(&tag));
            }
        }
    }
}
