use cacheado::cache;

struct Order {
    id: u64,
}

#[cache]
fn order(id: u64) -> Order {
    Order { id }
}

#[cache]
async fn later(id: u64) -> Order {
    Order { id }
}

#[cache]
async fn find_later(id: u64) -> Result<Option<Order>, String> {
    Ok(Some(Order { id }))
}

fn main() {
    order(7).id;
    let _ = (later(7), find_later(7));
}
