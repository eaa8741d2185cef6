use std::collections::HashMap;

use cacheado::{cache, scopes};

#[cache]
fn fill(buffer: &mut Vec<u8>, count: usize) -> usize {
    buffer.resize(count, 0);
    count
}

#[cache]
fn fill_if_any(buffer: Option<&mut Vec<u8>>, count: usize) -> usize {
    buffer.map_or(0, |buffer| buffer.len()) + count
}

#[cache]
fn fill_to((buffer, count): (&mut Vec<u8>, usize)) -> usize {
    buffer.resize(count, 0);
    count
}

#[cache]
async fn fill_all(buffers: &[Box<&mut Vec<u8>>]) -> usize {
    buffers.len()
}

#[cache(ttl = 60, stale = 60)]
fn fill_later(buffer: &mut Vec<u8>, other: Option<&mut Vec<u8>>) -> usize {
    buffer.len() + other.map_or(0, |other| other.len())
}

#[cache(batch(buffers))]
fn fill_each(buffers: &[&mut u8]) -> HashMap<u8, u8> {
    buffers.iter().map(|buffer| (**buffer, 0)).collect()
}

scopes! { car(car_id) }

#[cache(scope = "car")]
fn fill_up(car_id: &mut u64, tank: &mut u64) -> u64 {
    *car_id + *tank
}

fn main() {}
