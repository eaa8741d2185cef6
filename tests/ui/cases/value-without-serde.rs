use cacheado::cache;

#[derive(Clone)]
struct Order {
    id: u64,
}

#[cache]
fn order(id: u64) -> Order {
    Order { id }
}

#[cache]
async fn find(id: u64) -> Result<Option<Order>, String> {
    Ok(Some(Order { id }))
}

fn main() {
    order(7).id;
    let _ = find(7);
}
