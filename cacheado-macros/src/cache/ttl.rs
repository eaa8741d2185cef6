//! The forms of `ttl`.

use std::time::Duration;

use syn::{Expr, Result};

use super::duration::literal;
use crate::parse::peel;

/// How long an entry lives.
pub(crate) enum Ttl {
    /// A literal, known at compile time.
    Fixed(Duration),
    /// An expression that gives a `Duration`.
    Expr(Expr),
    /// The path of a `Duration`, or of a function like the closure. Only the compiler knows which.
    Path(Expr),
    /// `|value| -> Duration`
    Closure(Expr),
}

impl Ttl {
    pub(crate) fn read(value: Expr) -> Result<Ttl> {
        match peel(&value) {
            Expr::Closure(_) => return Ok(Ttl::Closure(value)),
            Expr::Path(_) => return Ok(Ttl::Path(value)),
            _ => {}
        }
        let literal = literal("ttl", "lifetime", &value)?;
        Ok(literal.map_or_else(|| Ttl::Expr(value), Ttl::Fixed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn fixed(value: Expr) -> Duration {
        match Ttl::read(value) {
            Ok(Ttl::Fixed(lifetime)) => lifetime,
            Ok(_) => panic!("not a literal"),
            Err(error) => panic!("{error}"),
        }
    }

    fn refused(value: Expr) -> String {
        Ttl::read(value).err().expect("an error").to_string()
    }

    #[test]
    fn literals() {
        assert_eq!(fixed(parse_quote!(300)), Duration::from_mins(5));
        assert_eq!(fixed(parse_quote!(1_000u32)), Duration::from_secs(1000));
        assert_eq!(fixed(parse_quote!(0.5)), Duration::from_millis(500));
        assert_eq!(fixed(parse_quote!(2f64)), Duration::from_secs(2));
        assert_eq!(fixed(parse_quote!("10m")), Duration::from_mins(10));
        assert_eq!(fixed(parse_quote!("1h 30m")), Duration::from_mins(90));
    }

    #[test]
    fn no_lifetimes() {
        assert!(refused(parse_quote!(0)).contains("zero"));
        assert!(refused(parse_quote!(0.0)).contains("zero"));
        assert!(refused(parse_quote!(1e-12)).contains("zero"));
        assert!(refused(parse_quote!("0s")).contains("zero"));
        assert!(refused(parse_quote!(-5)).contains("negative"));
        assert!(refused(parse_quote!(-0.5)).contains("negative"));
        assert!(refused(parse_quote!(1e20)).contains("more seconds"));
        assert!(refused(parse_quote!(1e999)).contains("more seconds"));
        assert!(refused(parse_quote!(18446744073709551616)).contains("more seconds"));
        assert!(refused(parse_quote!("99999999999999999999s")).contains("more seconds"));
        assert!(refused(parse_quote!("NaN")).contains("no duration"));
        assert!(refused(parse_quote!(true)).contains("takes seconds"));
    }
}
