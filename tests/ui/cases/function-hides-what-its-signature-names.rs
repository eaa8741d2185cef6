use cacheado::cache;

mod entity {
    pub mod user {
        #[derive(Clone, serde::Serialize, serde::Deserialize)]
        pub struct Model;
    }
}
use entity::user;

#[cache(ttl = 60)]
fn user(id: u32) -> Option<user::Model> {
    (id > 0).then_some(user::Model)
}

#[cache(ttl = 60)]
fn serde(id: u32) -> Result<u32, serde::de::value::Error> {
    Ok(id)
}

mod elsewhere {
    // a longer path says which is meant
    #[cacheado::cache(ttl = 60)]
    pub fn user(id: u32) -> Option<super::user::Model> {
        (id > 0).then_some(super::user::Model)
    }
}

fn main() {
    user(1);
    elsewhere::user(1);
}
