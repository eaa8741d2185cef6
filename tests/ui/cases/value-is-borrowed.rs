use cacheado::cache;

#[cache]
fn trimmed(text: &str) -> &str {
    text.trim()
}

struct Names(Vec<String>);

#[cache(skip(names))]
fn name(names: &Names, at: usize) -> Option<&String> {
    names.0.get(at)
}

fn main() {}
