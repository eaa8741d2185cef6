mod quoted {
    cacheado::scopes! { "organization"(org_id) }
}
mod quoted_argument {
    cacheado::scopes! { organization("org_id") }
}
mod typed {
    cacheado::scopes! { organization(String) { user(u64) } }
}
mod in_brackets {
    cacheado::scopes! { organization[org_id] }
}
mod secret {
    cacheado::scopes! { session(secret session_id) }
}
mod hyphen {
    cacheado::scopes! { sub-organization(org_id) }
}
mod global {
    cacheado::scopes! { global { organization(org_id) } }
}
mod public {
    cacheado::scopes! { pub organization(org_id) }
}
mod module_behind {
    cacheado::scopes! { organization(org_id) mod tenancy; }
}
mod module_with_braces {
    cacheado::scopes! { pub mod tenancy { organization(org_id) } }
}
mod module_without_name {
    cacheado::scopes! { pub mod { organization(org_id) } }
}

fn main() {}
