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

#[cache(scope("session", session_id = token.as_str()), key = (token.as_str(), page))]
fn in_key_as_it_is_given(token: &String, page: u32) -> String {
    format!("{token} {page}")
}

#[cache(scope("session", session_id = token.trim()), key = (page, &token[..]))]
fn in_key_looked_at(token: &str, page: u32) -> String {
    format!("{token} {page}")
}

#[cache(scope("session", session_id = context.token), key = (page, context.token.clone()))]
fn in_key_as_field(context: &Context, page: u32) -> String {
    format!("{} {page}", context.language)
}

#[cache(scope("session", session_id = token.as_str()), key = format!("{token} {page}"))]
fn in_key_in_a_text(token: &String, page: u32) -> String {
    format!("{token} {page}")
}

#[cache(scope("session", session_id = context.token), key = format!("{} {page}", context.token))]
fn in_key_in_a_text_as_field(context: &Context, page: u32) -> String {
    format!("{} {page}", context.language)
}

impl Context {
    #[cache(scope("session", session_id = self.token), key = (page, &self))]
    fn in_key_as_part(&self, page: u32) -> String {
        format!("{} {page}", self.language)
    }

    #[cache(scope("session", session_id = self.token), key = (&self.token, page))]
    fn in_key_as_field_of_self(&self, page: u32) -> String {
        format!("{} {page}", self.language)
    }
}

fn main() {}
