//! The durations and fractions that options take: the meaning of literals, and which literals are rejected.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, Expr, ExprLit, Lit, Result, UnOp};

use crate::parse::peel;

/// The duration that a literal says; `None` if it is not a literal but an expression.
///
/// `noun` is the option's word for the duration.
pub(crate) fn literal(option: &str, noun: &str, value: &Expr) -> Result<Option<Duration>> {
    let error = |message: String| Err(Error::new_spanned(value, message));
    let span = match peel(value) {
        Expr::Unary(minus)
            if matches!(minus.op, UnOp::Neg(_)) && matches!(peel(&minus.expr), Expr::Lit(_)) =>
        {
            return error(format!(
                "`{option}` is negative: a {noun} is more than zero{}",
                instead_of_none(option)
            ));
        }
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Int(_) | Lit::Float(_) if has_unit(lit) => {
                return error(format!(
                    "`{option}` has a unit that Rust's numbers don't have: write it as text, {}",
                    as_text(lit)
                ));
            }
            Lit::Int(int) if !int.suffix().starts_with('f') => {
                int.base10_parse::<u64>().ok().map(Duration::from_secs)
            }
            Lit::Int(int) => from_seconds(int.base10_parse().ok()),
            Lit::Float(float) => from_seconds(float.base10_parse().ok()),
            Lit::Str(text) => match humantime::parse_duration(text.value().trim()) {
                Ok(span) => Some(span),
                // with a point, it is not the number that is too large, but the precision that is too fine
                Err(humantime::DurationError::NumberOverflow) if !text.value().contains('.') => {
                    None
                }
                Err(why) => {
                    return error(format!(
                        "`{option}` is no duration ({why}): write it as `\"5m\"` or `\"1h 30m\"`"
                    ));
                }
            },
            _ => return error(format!("`{option}` {}", forms(option))),
        },
        Expr::Binary(_) if is_number(value) => {
            return error(format!("`{option}` {}", forms(option)));
        }
        _ => return Ok(None),
    };
    match span {
        None => error(too_long(option)),
        Some(Duration::ZERO) => error(format!(
            "`{option}` is zero: a {noun} is more than zero{}",
            instead_of_none(option)
        )),
        Some(span) => Ok(Some(span)),
    }
}

/// Whether it is a number, or arithmetic on numbers.
fn is_number(value: &Expr) -> bool {
    match peel(value) {
        Expr::Binary(both) => is_number(&both.left) && is_number(&both.right),
        Expr::Lit(ExprLit { lit, .. }) => matches!(lit, Lit::Int(_) | Lit::Float(_)),
        _ => false,
    }
}

/// Whether a number ends in something other than a type, as `5m` does. Parsing it drops that.
fn has_unit(lit: &Lit) -> bool {
    let suffix = match lit {
        Lit::Int(int) => int.suffix(),
        Lit::Float(float) => float.suffix(),
        _ => "",
    };
    let (kind, bits) = suffix.split_at(suffix.len().min(1));
    let is_type = matches!(kind, "i" | "u" | "f")
        && (bits == "size" || (!bits.is_empty() && bits.bytes().all(|it| it.is_ascii_digit())));
    !suffix.is_empty() && !is_type
}

/// The text to write for a number with a unit, or examples of such texts if its unit is unknown.
fn as_text(lit: &Lit) -> String {
    let text = lit.to_token_stream().to_string().replace('_', "");
    match humantime::parse_duration(&text) {
        Ok(_) => format!("`\"{text}\"`"),
        Err(_) => "say `\"5m\"` or `\"1h 30m\"`".to_owned(),
    }
}

/// What to write instead, if no value or no end was meant.
fn instead_of_none(option: &str) -> &'static str {
    match option {
        "ttl" => "; leave `ttl` out to keep values until evicted, and the attribute to keep none",
        _ => "; leave it out if it is not wanted",
    }
}

fn too_long(option: &str) -> String {
    let instead = match option {
        "ttl" => "leave `ttl` out to keep a value until evicted",
        _ => "leave it out, or give less",
    };
    format!("`{option}` has more seconds than a `Duration` holds: {instead}")
}

fn forms(option: &str) -> &'static str {
    match option {
        "ttl" => {
            "takes seconds (`300`, `0.5`), text (`\"5m\"`), a `Duration`, or `|value| -> Duration`"
        }
        _ => "takes seconds (`300`, `0.5`), text (`\"5m\"`), or a constant `Duration`",
    }
}

/// A lifetime of that many seconds; `None` if a `Duration` can't hold it.
fn from_seconds(seconds: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds?).ok()
}

/// The expression of a constant `Duration`, and its value if it is a literal.
pub(crate) fn constant(option: &str, value: &Expr) -> Result<(TokenStream, Option<Duration>)> {
    if matches!(peel(value), Expr::Closure(_)) {
        let message = format!("`{option}` {}", forms(option));
        return Err(Error::new_spanned(value, message));
    }
    let literal = literal(option, "duration", value)?;
    let tokens = literal.map_or_else(|| value.to_token_stream(), spelled);
    Ok((tokens, literal))
}

/// The expression of a known `Duration`.
pub(crate) fn spelled(span: Duration) -> TokenStream {
    let (seconds, nanos) = (span.as_secs(), span.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}

/// The number that a literal says, `None` if it says none. `Err` for an expression, which may be a constant.
fn number(value: &Expr) -> std::result::Result<Option<f64>, TokenStream> {
    match peel(value) {
        Expr::Lit(ExprLit { lit, .. }) if has_unit(lit) => Ok(None),
        Expr::Lit(ExprLit { lit, .. }) => Ok(match lit {
            Lit::Int(int) => int.base10_parse().ok(),
            Lit::Float(float) => float.base10_parse().ok(),
            _ => None,
        }),
        Expr::Unary(_) | Expr::Closure(_) => Ok(None),
        _ => Err(value.to_token_stream()),
    }
}

/// The expression of a constant fraction, as an `f64`: more than 0 and less than 1, or up to 1 if it may be `all`.
pub(crate) fn part(option: &str, all: bool, value: &Expr) -> Result<TokenStream> {
    let fits = |part: f64| part > 0.0 && (part < 1.0 || (all && part <= 1.0));
    match number(value) {
        Err(constant) => Ok(constant),
        Ok(Some(part)) if fits(part) => Ok(quote!(#part)),
        Ok(_) => {
            let limit = if all { "1 at most" } else { "less than 1" };
            let message =
                format!("`{option}` is a part of `ttl`: more than 0 and {limit}, as `0.8`");
            Err(Error::new_spanned(value, message))
        }
    }
}

/// The expression of a constant factor, as an `f64`: more than 0.
pub(crate) fn factor(option: &str, value: &Expr) -> Result<TokenStream> {
    match number(value) {
        Err(constant) => Ok(constant),
        Ok(Some(factor)) if factor > 0.0 && factor.is_finite() => Ok(quote!(#factor)),
        Ok(_) => {
            let message = format!(
                "`{option}` is a factor, more than 0: with `1.0` a refresh begins about as long ahead of the end as a load takes"
            );
            Err(Error::new_spanned(value, message))
        }
    }
}
