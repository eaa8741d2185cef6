use cacheado::{cache, cache_evict};

cacheado::scopes! { organization(org_id) { user(user_id) } }

struct Context {
    org: String,
}

#[cache(scope("organization", org))]
fn word(org: &str) -> String {
    org.to_owned()
}

#[cache(scope("user", org_id = ctx.org, 7))]
fn literal(ctx: &Context) -> String {
    ctx.org.clone()
}

#[cache_evict(scope("organization", ctx.org))]
fn field(ctx: &Context) {
    let _ = ctx;
}

fn main() {}
