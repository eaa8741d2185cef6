cacheado::scopes! {
    a(a_id) { b(b_id) { c(c_id) { d(d_id) { e(e_id) { f(f_id) { g(g_id) { h(h_id) { i(i_id) { j(j_id) { k(k_id) { l(l_id) { m(m_id) { n(n_id) } } } } } } } } } } } } }
}

#[cacheado::cache(scope = "a")]
fn f(a_id: u32) -> u32 {
    a_id
}

fn main() {
    f(1);
}
