//! Keys that this process knows, so that messages about them can be read.

use std::sync::LazyLock;

use cacheado_backends::{IdText, Key, LevelDef, Probe, Scope, Space, SpaceSpec};

static ORGANIZATION: LevelDef = LevelDef::new("organization", "org_id", None, false);
static USER: LevelDef = LevelDef::new("user", "user_id", Some(&ORGANIZATION), false);

/// The key of a programmatic call in no scope, that of a function in a scope, and that of another function with an explicit name.
pub(crate) static KEYS: LazyLock<[Key; 3]> = LazyLock::new(|| {
    let user = Scope::new(USER.level(), &["acme", "7"].map(IdText::borrowed));
    let function = |name: &str, version, explicit| {
        Space::create(SpaceSpec {
            name: name.to_owned(),
            version,
            explicit,
            level: user.level(),
            stable: true,
        })
    };
    let args = (1_u64, Some("two"), [3_i8, -4]);
    let probe = Probe::new(
        Space::programmatic(Scope::global().level()),
        &[],
        "settings",
    );
    let programmatic = probe.and_then(|probe| probe.to_key());
    let by_path = Probe::in_scope(function("shop::profile", 0, false), &user, &args);
    let by_name = Probe::in_scope(function("profile", 300, true), &user, &());
    [
        programmatic,
        by_path.and_then(|probe| probe.to_key()),
        by_name.and_then(|probe| probe.to_key()),
    ]
    .map(|key| key.expect("nothing in it fails to serialize"))
});
