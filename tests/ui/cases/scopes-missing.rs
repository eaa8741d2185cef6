use cacheado::{cache, cache_evict, cache_impl, evict, peek, refresh};

#[cache(scope = "user")]
fn orders(org_id: &str, user_id: u64) -> u64 {
    org_id.len() as u64 + user_id
}

#[cache(scope = "user", skip(limit))]
async fn some_orders(org_id: &str, user_id: u64, limit: Option<&mut u64>) -> Option<u64> {
    limit.map(|limit| *limit + user_id + org_id.len() as u64)
}

#[cache_evict(scope = "user")]
async fn change(org_id: &str, user_id: u64) -> bool {
    org_id.len() as u64 == user_id
}

#[cache_evict(orders(org_id, user_id))]
fn order(org_id: &str, user_id: u64) {
    orders(org_id, user_id);
}

struct Shop;

#[cache_impl]
impl Shop {
    #[cache(scope = "user", skip(self))]
    fn open(&self, org_id: &str, user_id: u64) -> bool {
        org_id.len() as u64 == user_id
    }
}

fn main() {
    let orders: u64 = orders("acme", 7);
    let _ = evict!(self::orders("acme", orders));
    let _: Option<u64> = peek!(self::orders("acme", orders)).unwrap();
    let _ = async { refresh!(some_orders("acme", 7, Some(&mut 3))).await.is_some() };
    let _ = async { change("acme", 7).await || Shop.open("acme", 7) };
    let _ = evict!(Shop.open("acme", 7));
    order("acme", 7);
}
