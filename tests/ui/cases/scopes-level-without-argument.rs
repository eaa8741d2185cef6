cacheado::scopes! {
    organization { user(user_id) }
}

fn main() {}
