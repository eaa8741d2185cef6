cacheado::scopes! {}

fn main() {}
