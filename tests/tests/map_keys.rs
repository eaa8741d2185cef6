//! Maps in keys: the order of a map's names does not matter, but all its content does.

use std::collections::HashMap;

use cacheado::{Cache, cache};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// A request with additional flattened parameters.
#[derive(Serialize)]
struct Request {
    page: u32,
    #[serde(flatten)]
    more: HashMap<String, u32>,
}

fn request(page: u32, more: u32) -> Request {
    let more = HashMap::from([("page".to_owned(), more)]);
    Request { page, more }
}

#[cache(cache = cache, skip(cache))]
fn page(cache: &Cache, request: &Request) -> u32 {
    let _ = cache;
    request.page
}

/// A map that may repeat a key, as the query of a URL does.
struct Query(Vec<(&'static str, u32)>);

impl Serialize for Query {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cache(cache = cache, skip(cache))]
fn first(cache: &Cache, query: &Query, name: &str) -> Option<u32> {
    let _ = cache;
    let mut named = query.0.iter().filter(|it| it.0 == name);
    named.next().map(|it| it.1)
}

#[test]
fn which_of_two_values_of_one_name_comes_first_tells_maps_apart() -> cacheado::Result<()> {
    let cache = Cache::builder().build()?;
    assert_eq!(page(&cache, &request(1, 2)), 1);
    assert_eq!(page(&cache, &request(2, 1)), 2);

    let one = Query(vec![("a", 1), ("b", 3), ("a", 2)]);
    let other = Query(vec![("a", 2), ("b", 3), ("a", 1)]);
    assert_eq!(first(&cache, &one, "a"), Some(1));
    assert_eq!(first(&cache, &other, "a"), Some(2));
    Ok(())
}

#[test]
fn the_order_of_names_tells_no_maps_apart() -> cacheado::Result<()> {
    let cache = Cache::builder().build()?;
    first(&cache, &Query(vec![("a", 1), ("b", 3), ("a", 2)]), "a");
    first(&cache, &Query(vec![("b", 3), ("a", 1), ("a", 2)]), "a");
    assert_eq!(cache.stats().loads, 1);
    Ok(())
}
