use cacheado::cache;

#[cache(when = |value| value.len())]
fn name(id: u64) -> String {
    id.to_string()
}

fn main() {}
