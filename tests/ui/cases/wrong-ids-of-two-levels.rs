use cacheado::{cache, cache_impl};

cacheado::scopes! { organization(org_id) { user(user_id) } }

#[cache(scope = "user")]
fn second(org_id: u64, user_id: Option<u8>, item: u64) -> u64 {
    org_id + u64::from(user_id.unwrap_or(0)) + item
}

#[cache(scope = "user")]
async fn both(org_id: Option<u64>, user_id: Vec<u8>, item: u64) -> usize {
    org_id.iter().count() + user_id.len() + item as usize
}

struct Context {
    org: Option<String>,
    user: u32,
}

#[cache_impl]
impl Context {
    #[cache(scope("user", org_id = self.org, user_id = self.user))]
    fn given(&self, item: u64) -> u64 {
        item
    }
}

fn main() {
    let context = Context { org: None, user: 7 };
    second(1, None, 2);
    context.given(3);
    let _ = both(None, Vec::new(), 4);
}
