use cacheado::{cache, cache_evict};

cacheado::scopes! {
    organization(org_id)
}

macro_rules! functions {
    ($id:ident, $org_id:ident) => {
        #[cache(skip(id))]
        fn skipped($id: u32, id: u32) -> u32 {
            $id + id
        }

        #[cache(scope = "organization")]
        fn scoped($org_id: u32, org_id: u32) -> u32 {
            $org_id + org_id
        }

        #[cache]
        fn in_patterns(($id, id): (u32, u32)) -> u32 {
            $id + id
        }

        #[cache_evict(scope = "organization")]
        fn evicts($org_id: u32, org_id: u32) -> u32 {
            $org_id + org_id
        }
    };
}

functions!(id, org_id);

#[cache]
fn either((Ok(id) | Err(id)): Result<u32, u32>) -> u32 {
    id
}

fn main() {
    either(Ok(1));
    skipped(1, 2);
    scoped(1, 2);
    in_patterns((1, 2));
    evicts(1, 2);
}
