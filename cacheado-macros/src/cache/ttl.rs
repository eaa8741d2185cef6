//! The forms of `ttl`: what a literal means, and which literals can't be a lifetime.

use std::time::Duration;

use syn::{Error, Expr, ExprLit, Lit, Result, UnOp};

use crate::parse::peel;

/// How long an entry lives.
pub(crate) enum Ttl {
    /// A literal, known now.
    Fixed(Duration),
    /// An expression that gives a `Duration`.
    Expr(Expr),
    /// `|value| -> Duration`
    Closure(Expr),
}

const TOO_LONG: &str =
    "`ttl` has more seconds than a `Duration` holds: leave `ttl` out to keep a value until evicted";

impl Ttl {
    pub(crate) fn read(value: Expr) -> Result<Ttl> {
        let error = |message: &str| Err(Error::new_spanned(&value, message));
        let lifetime = match peel(&value) {
            Expr::Closure(_) => return Ok(Ttl::Closure(value)),
            Expr::Unary(minus)
                if matches!(minus.op, UnOp::Neg(_))
                    && matches!(peel(&minus.expr), Expr::Lit(_)) =>
            {
                return error("`ttl` is negative: a lifetime is more than zero");
            }
            Expr::Lit(ExprLit { lit, .. }) => match lit {
                Lit::Int(int) if !int.suffix().starts_with('f') => {
                    int.base10_parse::<u64>().ok().map(Duration::from_secs)
                }
                Lit::Int(int) => from_seconds(int.base10_parse().ok()),
                Lit::Float(float) => from_seconds(float.base10_parse().ok()),
                Lit::Str(text) => match humantime::parse_duration(text.value().trim()) {
                    Ok(lifetime) => Some(lifetime),
                    // with a point, it is the precision that is too fine
                    Err(humantime::DurationError::NumberOverflow)
                        if !text.value().contains('.') =>
                    {
                        None
                    }
                    Err(why) => {
                        return error(&format!(
                            "`ttl` is no duration ({why}): write it as `\"5m\"` or `\"1h 30m\"`"
                        ));
                    }
                },
                _ => {
                    return error(
                        "`ttl` takes seconds (`300`, `0.5`), text (`\"5m\"`), a `Duration`, \
                         or `|value| -> Duration`",
                    );
                }
            },
            _ => return Ok(Ttl::Expr(value)),
        };
        match lifetime {
            None => error(TOO_LONG),
            Some(Duration::ZERO) => error("`ttl` is zero: a lifetime is more than zero"),
            Some(lifetime) => Ok(Ttl::Fixed(lifetime)),
        }
    }
}

/// A lifetime of that many seconds; nothing if a `Duration` can't hold them.
fn from_seconds(seconds: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds?).ok()
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
