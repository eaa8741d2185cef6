cacheado::scopes! {
    organization(org_id: u64)
}

fn main() {}
