use cacheado::cache;

struct Catalog;

impl Catalog {
    #[cache(ttl = 60)]
    fn currencies() -> Vec<String> {
        vec!["EUR".to_owned()]
    }
}

trait Priced {
    fn currency(of: u32) -> String;
}

impl Priced for Catalog {
    #[cache(ttl = 60)]
    fn currency(of: u32) -> String {
        of.to_string()
    }
}

fn main() {}
