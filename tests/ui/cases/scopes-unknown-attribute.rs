cacheado::scopes! {
    organization(#[hidden] org_id)
    #[secret]
    car(car_id)
}

fn main() {}
