cacheado::scopes! {
    organization(org_id),
    car(car_id)
}

fn main() {}
