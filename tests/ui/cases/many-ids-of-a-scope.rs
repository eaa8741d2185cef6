//! The scope of a call is one.

use std::collections::HashMap;

use cacheado::{cache, scopes};

scopes! { user(user_id) }

#[cache(scope = "user", batch(user_id))]
fn names(user_id: &[u32]) -> HashMap<u32, String> {
    user_id.iter().map(|id| (*id, id.to_string())).collect()
}

fn main() {}
