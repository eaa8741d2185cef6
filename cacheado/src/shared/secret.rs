//! The key that hides secret ids. Without the feature `shared` there is none.

#[cfg(feature = "shared")]
pub(crate) use cacheado_backends::SecretKey;

/// Can't be constructed.
#[cfg(not(feature = "shared"))]
pub(crate) enum SecretKey {}

#[cfg(not(feature = "shared"))]
impl SecretKey {
    pub(crate) fn hide(&self, _: &cacheado_backends::Key) -> cacheado_backends::Key {
        match *self {}
    }

    pub(crate) fn hide_in_scope(&self, _: &cacheado_backends::Scope) -> cacheado_backends::Scope {
        match *self {}
    }
}
