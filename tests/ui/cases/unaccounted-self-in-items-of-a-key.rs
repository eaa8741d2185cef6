use cacheado::cache;

struct Shop {
    tenant: u32,
}

impl Shop {
    #[cache(key = { struct Own(u32); impl Own { fn get(&self) -> u32 { self.0 } } Own(id).get() })]
    fn price(&self, id: u32) -> u32 {
        self.tenant + id
    }

    #[cache(key = (stringify!(self), id))]
    fn name(&self, id: u32) -> u32 {
        self.tenant + id
    }
}

fn main() {}
