//! The binary of the same name as the library. Prints what one of the two functions `price` says, of which others may have stored
//! values in a directory.

use std::error::Error;

use cacheado::{cache, Cache};
use custom_backend::Files;

#[cache]
fn price(id: u32) -> String {
    format!("{id} of the binary")
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let directory = args.next().ok_or("the first argument is a directory")?;
    let whose = args.next().ok_or("the second one says whose price")?;
    let cache = Cache::builder().backend(Files::new(directory)?).build()?;
    cache.install()?;
    match whose.as_str() {
        "library" => println!("{}", cacheado_editions::price(1)),
        _ => println!("{}", price(1)),
    }
    Ok(())
}
