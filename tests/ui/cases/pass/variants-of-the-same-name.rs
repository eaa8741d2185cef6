//! A method may be called as a variant of its type, and then a path means that.
#![deny(warnings)]
#![allow(non_camel_case_types)]

use std::sync::Arc;

use cacheado::{cache, cache_impl, evict, peek, refresh};
use serde::Serialize;

#[derive(Clone, Serialize)]
enum Size {
    small,
    scaled(u32),
    cut { to: u32 },
    kept,
    shared,
    asked,
}

#[cache_impl]
impl Size {
    #[cache(key = self)]
    fn small(&self) -> bool {
        matches!(self, Self::small)
    }

    #[cache(key = (self, by))]
    fn scaled<T: Into<u32> + Copy + Serialize>(&self, by: T) -> u32 {
        match self {
            Self::scaled(size) => size * by.into(),
            _ => 1,
        }
    }

    #[cache(key = (self, N))]
    fn cut<const N: u32>(self) -> u32 {
        match self {
            Self::cut { to } => to - N,
            _ => 1,
        }
    }

    #[cache(skip(self))]
    fn kept<T: Serialize>(&mut self, of: T) -> u32 {
        let _ = of;
        *self = Self::kept;
        1
    }

    #[cache(key = &*self)]
    async fn shared<T: Serialize + Send + Sync>(self: Arc<Self>, of: T) -> bool {
        let _ = of;
        matches!(*self, Self::shared)
    }

    #[cache(key = (self, by))]
    fn asked(&self, by: impl Into<u32> + Serialize) -> u32 {
        by.into()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert!(Size::small.small());
    assert_eq!(Size::scaled(3).scaled(2_u8), 6);
    assert_eq!(peek!(Size::scaled(3).scaled(2_u8)).unwrap(), Some(6));
    assert_eq!((Size::cut { to: 3 }).cut::<2>(), 1);
    assert!(evict!((Size::cut { to: 3 }).cut::<2>()).unwrap());
    assert_eq!(Size::kept.kept(1), 1);
    assert!(Arc::new(Size::shared).shared(1).await);
    assert!(evict!(Arc::new(Size::shared).shared(1)).await.unwrap());
    assert_eq!(refresh!(Size::asked.asked(2_u8)), 2);
}
