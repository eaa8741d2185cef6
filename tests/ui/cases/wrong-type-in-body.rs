use cacheado::cache;

#[cache]
fn orders(limit: usize) -> u64 {
    if limit > 5 {
        return "many";
    }
    limit
}

#[cache]
async fn later(limit: usize) -> u64 {
    if limit > 5 {
        return "many";
    }
    limit
}

fn main() {}
