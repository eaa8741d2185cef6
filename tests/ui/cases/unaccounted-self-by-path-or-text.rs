use cacheado::{Cache, cache};

cacheado::scopes! {
    organization(org_id)
}

static STORE: std::sync::LazyLock<Cache> =
    std::sync::LazyLock::new(|| Cache::builder().build().unwrap());

fn norm(id: u32) -> u32 {
    id
}

struct Tenant {
    name: String,
}

impl Tenant {
    #[cache(cache = self::STORE)]
    fn in_cache(&self, id: u32) -> String {
        format!("{}{id}", self.name)
    }

    #[cache(key = self::norm(id))]
    fn by_key(&self, id: u32) -> String {
        format!("{}{id}", self.name)
    }

    #[cache(scope("organization", org_id = self::norm(id)))]
    fn in_scope(&self, id: u32) -> String {
        format!("{}{id}", self.name)
    }

    #[cache(key = ("plan of {self}", id))]
    fn by_text(&self, id: u32) -> String {
        format!("{}{id}", self.name)
    }

    #[cache(key = format!("plan of {{self}} {id}"))]
    fn by_formatted_text(&self, id: u32) -> String {
        format!("{}{id}", self.name)
    }
}

fn main() {}
