cacheado::scopes! {
    organization(org_id) { user(id) }
    car(id)
}

fn main() {}
