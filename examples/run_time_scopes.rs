//! Scopes that are known only at run time: a hierarchy from a configuration, and tenants that are given as text.

use cacheado::{Cache, Hierarchy};

/// What a configuration file might contain: the level, its argument, and the level above.
const CONFIGURATION: [(&str, &str, Option<&str>); 3] = [
    ("region", "region_id", None),
    ("store", "store_id", Some("region")),
    ("till", "till_id", Some("store")),
];

fn main() -> cacheado::Result<()> {
    let mut hierarchy = Hierarchy::builder();
    for (level, param, above) in CONFIGURATION {
        hierarchy = match above {
            None => hierarchy.level(level, param),
            Some(above) => hierarchy.level_under(above, level, param),
        };
    }
    let cache = Cache::builder().scopes(hierarchy.build()?).build()?;

    for store in ["1", "10"] {
        for till in ["a", "b"] {
            let scope = cache.scope(
                "till",
                [
                    ("region_id", "north"),
                    ("store_id", store),
                    ("till_id", till),
                ],
            )?;
            println!("storing the takings of {scope}");
            assert!(cache.set("takings", &0.0_f64).scope(scope).run()?);
        }
    }

    // a level is given by its name or its path; ids that it does not need are ignored
    let store = cache.scope("region/store", [("region_id", "north"), ("store_id", "1")])?;
    let evicted = cache.evict_by_scope(store).run()?;
    println!("evicting store 1: {evicted} entries");
    assert_eq!(evicted, 2);
    assert_eq!(cache.keys().run()?.len(), 2);

    // an error says what is unknown or missing
    let unknown = cache.scope("shop", [("region_id", "north")]).unwrap_err();
    println!("{unknown}");
    assert!(unknown.to_string().contains("`shop`"));
    let missing = cache.scope("store", [("region_id", "north")]).unwrap_err();
    println!("{missing}");
    assert!(missing.to_string().contains("`store_id`"));
    let twice = Hierarchy::builder()
        .level("a", "id")
        .level("b", "id")
        .build()
        .unwrap_err();
    println!("{twice}");
    assert!(twice.to_string().contains("`id`"));
    Ok(())
}
