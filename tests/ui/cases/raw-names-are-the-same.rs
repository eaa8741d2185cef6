use cacheado::{cache, scopes};

scopes! {
    organization(org_id)
    session(#[secret] session_id)
}

#[derive(serde::Serialize)]
struct Token {
    id: String,
}

#[cache(scope("session", session_id = token.id))]
fn of_session(r#token: &Token) -> usize {
    token.id.len()
}

#[cache(scope("organization", org_id = a, r#org_id = b))]
fn of_organization(a: &str, b: &str) -> String {
    format!("{a}{b}")
}

#[cache(skip(limit, r#limit))]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}
