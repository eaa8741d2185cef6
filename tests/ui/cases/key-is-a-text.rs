//! Nothing formats it: it is one key for all calls.

use cacheado::cache;

struct Db;

#[derive(serde::Serialize)]
struct User {
    id: u32,
}

#[cache(key = "user:{id}")]
fn one(db: &Db, id: u32) -> u32 {
    let _ = db;
    id
}

#[cache(key = "{org:?}/{id:>8}")]
fn two(db: &Db, id: u32, org: &str) -> u32 {
    let _ = (db, org);
    id
}

#[cache(key = "user:{}")]
fn without_a_name(db: &Db, id: u32) -> u32 {
    let _ = db;
    id
}

#[cache(key = "user:{user.id}")]
fn field(db: &Db, user: &User) -> u32 {
    let _ = db;
    user.id
}

#[cache(key = "user:{usr_id}")]
fn misspelt(db: &Db, user_id: u32) -> u32 {
    let _ = db;
    user_id
}

#[cache(key = "user_id")]
fn name_alone(user_id: u32) -> u32 {
    user_id
}

#[cache(key = "user.id")]
fn path_alone(user: &User) -> u32 {
    user.id
}

#[cache(key = "#org + ':' + #id")]
fn of_another_language(id: u32, org: &str) -> u32 {
    let _ = org;
    id
}

#[cache(key = "#p0")]
fn by_place(user_id: u32) -> u32 {
    user_id
}

#[cache(key = ["org", "id"])]
fn list(id: u32, org: &str) -> u32 {
    let _ = org;
    id
}

#[cache(key = ("user", "id"))]
fn labelled(id: u32) -> u32 {
    id
}

#[cache(key = "user:{id}".to_string())]
fn owned(id: u32) -> u32 {
    id
}

#[cache(key = String::from("id"))]
fn made_a_string(id: u32) -> u32 {
    id
}

#[cache(key = ("user:{id}", org))]
fn beside_another(id: u32, org: &str) -> usize {
    id as usize + org.len()
}

#[cache(key = #id)]
fn marked(id: u32) -> u32 {
    id
}

fn main() {}
