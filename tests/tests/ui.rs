//! The compile errors of the macros: each mistake is one message, at the token that is wrong, and says
//! what would be right. And, beside them, what has to compile.
//!
//! `TRYBUILD=overwrite` writes the messages anew.

#[test]
fn compile_errors() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/*.rs");
}
