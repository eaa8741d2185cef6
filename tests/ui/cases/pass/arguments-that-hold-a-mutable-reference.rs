//! What holds a `&mut` can be skipped as one can that is it; a function that is handed one in its calls holds none.
use cacheado::{bypass, cache, evict};

#[cache(skip(buffer))]
fn fill(buffer: Option<&mut Vec<u8>>, count: usize) -> usize {
    if let Some(buffer) = buffer {
        buffer.resize(count, 0);
    }
    count
}

#[cache(skip(buffers))]
async fn fill_all(buffers: Vec<&mut Vec<u8>>, count: usize) -> usize {
    for buffer in buffers {
        buffer.resize(count, 0);
    }
    count
}

#[cache(skip(buffer, count), key = count)]
fn fill_to((buffer, count): (&mut Vec<u8>, usize)) -> usize {
    buffer.resize(count, 0);
    count
}

#[cache(key = start)]
fn next(advance: impl Fn(&mut u64), start: u64) -> u64 {
    let mut at = start;
    advance(&mut at);
    at
}

#[cache(key = start)]
fn next_of(advance: fn(&mut u64), start: u64) -> u64 {
    let mut at = start;
    advance(&mut at);
    at
}

fn main() {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    assert_eq!(fill(Some(&mut one), 3), 3);
    assert_eq!(bypass!(fill(Some(&mut one), 4)), 4);
    let _ = evict!(fill(None, 3));
    let _ = fill_all(vec![&mut one, &mut other], 5);
    assert_eq!(fill_to((&mut one, 6)), 6);
    assert_eq!(next(|at| *at += 1, 3), next_of(|at| *at += 1, 3));
    assert_eq!(one.len(), 6);
}
