use cacheado::cache;

#[cache]
fn name(id: u64) -> &'static str {
    if id == 0 { "root" } else { "other" }
}

#[cache]
async fn names(id: u64) -> Result<Option<&'static str>, String> {
    Ok((id == 0).then_some("root"))
}

#[cache(local)]
fn local(id: u64) -> &'static str {
    name(id)
}

fn main() {}
