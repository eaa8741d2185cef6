use cacheado::cache;

cacheado::scopes! {
    organization(org_id) { user(user_id) { session(#[secret] session_id) } }
    car(car_id)
}

struct Context {
    org: String,
}

#[cache(scope("user", organization_id = context.org), skip(context))]
fn orders(context: &Context, org_id: &str, user_id: u64) -> u64 {
    org_id.len() as u64 + user_id + context.org.len() as u64
}

fn main() {}
