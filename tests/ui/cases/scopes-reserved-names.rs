cacheado::scopes! {
    global(id)
    organization(org_id) { hierarchy(level) }
}

fn main() {}
