use cacheado::cache;

cacheado::scopes! {
    session(#[secret] session_id)
}

struct Context {
    token: String,
    language: String,
}

#[cache(scope("session", session_id = token.trim()))]
fn as_argument(token: &str, page: u32) -> String {
    format!("{token} {page}")
}

#[cache(scope = "session")]
fn in_pattern((session_id, page): (String, u32)) -> String {
    format!("{session_id} {page}")
}

#[cache(scope("session", session_id = token), key = (page, format!("{token}")))]
fn in_key(token: &str, page: u32) -> String {
    format!("{token} {page}")
}

#[cache(scope = "session", key = (session_id, page))]
fn in_key_by_name(session_id: &str, page: u32) -> String {
    format!("{session_id} {page}")
}

impl Context {
    #[cache(scope("session", session_id = self.token), key = (page, &self))]
    fn in_key_as_part(&self, page: u32) -> String {
        format!("{} {page}", self.language)
    }
}

fn main() {}
