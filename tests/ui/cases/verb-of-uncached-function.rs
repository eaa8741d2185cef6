use cacheado::evict;

fn orders(limit: usize) -> usize {
    limit
}

fn main() {
    let _ = evict!(orders(3));
}
