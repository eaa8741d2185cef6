//! What is done with the result of a call is done with that of the verb.

use cacheado::{bypass, cache, cache_impl, evict, expire, peek, put, refresh};

#[cache(ttl = 60)]
async fn orders(limit: usize) -> Result<usize, String> {
    Ok(limit)
}

struct Shop;

#[cache_impl]
impl Shop {
    #[cache(skip(self))]
    async fn stock(&self, id: u32) -> u32 {
        id
    }
}

async fn all() -> Result<(), cacheado::Error> {
    evict!(orders(1).await)?;
    peek!(orders(1)?).await;
    put!(orders(1).await, 2)?;
    refresh!(orders(1).await?);
    bypass!((Shop.stock(1)).await);
    expire!(Shop::stock(&Shop, 1).await)?;
    expire!(5.await);
    Ok(())
}

fn main() {
    drop(all());
}
