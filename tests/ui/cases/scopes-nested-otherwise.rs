mod by_greater {
    cacheado::scopes!(organization(org_id) > user(user_id) > session(session_id));
}
mod below_braces {
    cacheado::scopes! { organization(org_id) { user(user_id) -> session(session_id) } }
}
mod in_parentheses {
    cacheado::scopes! { organization(org_id, user(user_id)) }
}
mod behind_braces {
    cacheado::scopes! { organization(org_id) { user(user_id) } > session(session_id) }
}

fn main() {}
