use cacheado::cache;

#[cache(on_backend_error = "error")]
fn whole(limit: usize) -> usize {
    limit
}

#[derive(Debug)]
struct OwnError;

#[cache(on_backend_error = "error")]
fn not_from(limit: usize) -> Result<usize, OwnError> {
    Ok(limit)
}

#[cache(on_backend_error = "error")]
async fn not_from_async(limit: usize) -> Result<usize, OwnError> {
    Ok(limit)
}

#[cache(on_backend_error = "errors")]
fn misspelt(limit: usize) -> usize {
    limit
}

#[cache(single_flight = "clusters")]
fn misspelt_too(limit: usize) -> usize {
    limit
}

fn main() {}
