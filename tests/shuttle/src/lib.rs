//! Models of the single flight and the store for a model checker; see `tests/`.
