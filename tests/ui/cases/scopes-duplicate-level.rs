cacheado::scopes! {
    organization(org_id) { user(user_id) }
    company(company_id) { user(member_id) }
}

fn main() {}
