//! Behaviour tests through the public API; see `tests/`.
