//! What users of the storefront can rely on, whether the answers come from the cache or not.

mod demonstration;
mod eviction;
mod freshness;
mod http;
mod instances;
mod isolation;
mod shop;
