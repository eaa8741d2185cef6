use cacheado::{Error, cache};

#[cache(local, single_flight = "cluster")]
fn loaded_once(limit: usize) -> usize {
    limit
}

#[cache(local, on_backend_error = "error")]
fn tells(limit: usize) -> Result<usize, Error> {
    Ok(limit)
}

fn main() {}
