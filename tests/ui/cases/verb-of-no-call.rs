use cacheado::{bypass, cache, evict, peek, put, refresh};

#[cache]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {
    let _ = evict!(orders);
    let _ = peek!();
    let _ = put!(orders(3));
    let _ = put!(orders(3),);
    let _ = refresh!(orders(3), 5);
    let _ = bypass!(5);
    let _ = put!(self::orders, 5);
    let _ = evict!(scope = "organization", org_id = "acme");
}
