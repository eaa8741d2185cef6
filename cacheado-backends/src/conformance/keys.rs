//! Keys and payloads for the checks, made as users of the crate make them.

use std::sync::LazyLock;
use std::time::Duration;

use serde::Serialize;

use crate::backend::Payload;
use crate::key::{Key, Probe, Space, SpaceSpec};
use crate::scope::{Hierarchy, Level, Scope};

static LEVELS: LazyLock<Hierarchy> = LazyLock::new(|| {
    let levels = Hierarchy::builder()
        .level("tenant", "tenant_id")
        .level_under("tenant", "user", "user_id")
        .level_under("user", "session", "session_id")
        .level_under("tenant", "team", "team_id")
        .level("car", "car_id");
    levels
        .build()
        .expect("in order, and declared with secret ids by nobody else")
});

fn scope(level: &str, params: &[(&str, &str)]) -> Scope {
    let scope = LEVELS.scope(level, params.iter().copied());
    scope.expect("the level and its arguments are declared")
}

pub(super) fn tenant(id: &str) -> Scope {
    scope("tenant", &[("tenant_id", id)])
}

pub(super) fn user(tenant: &str, id: &str) -> Scope {
    scope("user", &[("tenant_id", tenant), ("user_id", id)])
}

pub(super) fn session(tenant: &str, user: &str, id: &str) -> Scope {
    let ids = [("tenant_id", tenant), ("user_id", user), ("session_id", id)];
    scope("session", &ids)
}

pub(super) fn team(tenant: &str, id: &str) -> Scope {
    scope("team", &[("tenant_id", tenant), ("team_id", id)])
}

pub(super) fn car(id: &str) -> Scope {
    scope("car", &[("car_id", id)])
}

/// The key of a programmatic call.
pub(super) fn key(scope: &Scope, args: &(impl Serialize + ?Sized)) -> Key {
    key_in(Space::programmatic(scope.level()), scope, args)
}

/// The key of a call of the function whose entries are `space`.
pub(super) fn key_in(
    space: &'static Space,
    scope: &Scope,
    args: &(impl Serialize + ?Sized),
) -> Key {
    let probe = Probe::in_scope(space, scope, args).and_then(|probe| probe.to_key());
    probe.expect("the arguments serialize")
}

/// The entries of a function.
pub(super) fn function(name: &str, version: u32, explicit: bool, level: Level) -> &'static Space {
    Space::create(SpaceSpec {
        name: name.into(),
        version,
        explicit,
        level,
        stable: true,
    })
}

/// A payload that lives until it is evicted.
pub(super) fn payload(bytes: impl AsRef<[u8]>) -> Payload {
    Payload {
        bytes: bytes.as_ref().into(),
        lifetime: None,
    }
}

pub(super) fn payload_for(lifetime: Duration, bytes: impl AsRef<[u8]>) -> Payload {
    Payload {
        bytes: bytes.as_ref().into(),
        lifetime: Some(lifetime),
    }
}

/// One key in each of a set of scopes that must be told apart: the root, a car, and each level of two tenants.
pub(super) fn one_in_each_scope() -> Vec<(Scope, Key)> {
    let mut scopes = vec![Scope::global(), car("1")];
    for id in ["1", "2"] {
        scopes.extend([
            tenant(id),
            user(id, "1"),
            user(id, "2"),
            session(id, "1", "1"),
            session(id, "2", "1"),
            team(id, "1"),
        ]);
    }
    let keyed = scopes.into_iter().map(|scope| {
        let key = key(&scope, "k");
        (scope, key)
    });
    keyed.collect()
}
