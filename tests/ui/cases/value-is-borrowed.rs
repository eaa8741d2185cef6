use cacheado::cache;

#[cache]
fn trimmed(text: &str) -> &str {
    text.trim()
}

fn main() {}
