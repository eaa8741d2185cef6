use cacheado::cache;

struct Order {
    id: u64,
}

#[cache(local)]
fn order(id: u64) -> Order {
    Order { id }
}

#[cache(local)]
fn find(id: u64) -> Result<Option<Order>, String> {
    Ok(Some(Order { id }))
}

#[cache(local)]
async fn later(id: u64) -> Order {
    Order { id }
}

#[cache(local)]
async fn find_later(id: u64) -> Result<Option<Order>, String> {
    Ok(Some(Order { id }))
}

#[cache(local)]
fn held<T: Send + Sync + 'static>(id: u64) -> Option<T> {
    let _ = id;
    None
}

fn main() {
    order(7).id;
    let _ = find(7);
    let _ = later(7);
    let _ = find_later(7);
    let _ = held::<Order>(7);
}
