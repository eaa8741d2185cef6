use cacheado::cache;

#[cache(batch(ids))]
fn names(ids: &[u32]) -> Vec<String> {
    ids.iter().map(u32::to_string).collect()
}

fn main() {
    names(&[1]);
}
