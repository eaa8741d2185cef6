//! Option values that are literals or paths: which are valid, and the error that shows the right form.

use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Lit, LitStr, Path, Result, Token};

use crate::parse::peel;

/// The text, if the option's value is a text literal.
pub(crate) fn literal_of(value: &Expr) -> Option<&LitStr> {
    match peel(value) {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text),
        _ => None,
    }
}

/// The texts in a value that consists of texts only, and so is the same for all calls: `"user"`, `["org", "id"]`,
/// `String::from("id")`.
pub(crate) fn texts_of(value: &Expr) -> Option<Vec<String>> {
    const AS_TEXT: [&str; 4] = ["to_string", "to_owned", "into", "as_str"];
    let all = |values: &Punctuated<Expr, Token![,]>| {
        let texts: Option<Vec<Vec<String>>> = values.iter().map(texts_of).collect();
        texts.map(|texts| texts.concat())
    };
    match peel(value) {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(vec![text.value()]),
        Expr::Array(array) => all(&array.elems),
        Expr::Tuple(tuple) => all(&tuple.elems),
        Expr::Reference(reference) => texts_of(&reference.expr),
        Expr::MethodCall(call)
            if call.args.is_empty() && AS_TEXT.iter().any(|it| call.method == it) =>
        {
            texts_of(&call.receiver)
        }
        Expr::Call(call) => match &*call.func {
            Expr::Path(path)
                if path
                    .path
                    .segments
                    .last()
                    .is_some_and(|it| it.ident == "from") =>
            {
                all(&call.args)
            }
            _ => None,
        },
        _ => None,
    }
}

/// The text literal of `value`. `form` shows the right form in errors.
pub(crate) fn text_of(value: &Expr, form: &str) -> Result<LitStr> {
    let option = form.split(' ').next().unwrap_or(form);
    if let Some(text) = literal_of(value) {
        return Ok(text.clone());
    }
    match peel(value) {
        Expr::Path(path) if path.path.get_ident().is_some() => Err(Error::new_spanned(
            value,
            format!(
                "`{option}` takes text in quotes: `{option} = \"{}\"`",
                quote::quote!(#path)
            ),
        )),
        _ => Err(Error::new_spanned(
            value,
            format!("`{option}` takes text in quotes: `{form}`"),
        )),
    }
}

pub(crate) fn bool_of(name: &str, value: &Expr) -> Result<bool> {
    match peel(value) {
        Expr::Lit(ExprLit {
            lit: Lit::Bool(flag),
            ..
        }) => Ok(flag.value),
        _ => Err(Error::new_spanned(
            value,
            match name {
                "single_flight" => format!("`{name}` takes `true`, `false` or `\"cluster\"`"),
                _ => format!("`{name}` takes `true` or `false`"),
            },
        )),
    }
}

/// An integer literal, or the expression of a constant.
pub(crate) fn integer_of(name: &str, value: Expr) -> Result<Expr> {
    let fits = match peel(&value) {
        Expr::Lit(ExprLit {
            lit: Lit::Int(int), ..
        }) => {
            let int = int.base10_parse::<u64>();
            int.is_ok_and(|int| name != "version" || u32::try_from(int).is_ok())
        }
        Expr::Lit(_) | Expr::Unary(_) | Expr::Closure(_) => false,
        _ => true,
    };
    if fits {
        Ok(value)
    } else {
        let most = if name == "version" {
            " up to 4294967295"
        } else {
            ""
        };
        Err(Error::new_spanned(
            value,
            format!("`{name}` takes a whole number{most}"),
        ))
    }
}

pub(crate) fn at_least_one(value: Expr) -> Result<Expr> {
    if let Expr::Lit(ExprLit {
        lit: Lit::Int(int), ..
    }) = peel(&value)
        && int.base10_parse::<u64>().is_ok_and(|int| int == 0)
    {
        return Err(Error::new_spanned(
            value,
            "`max_items = 0` would store nothing: the bound is at least 1",
        ));
    }
    Ok(value)
}

/// The expression that is the value of `cache`. The compiler checks its type.
pub(crate) fn cache_of(value: Expr) -> Result<Expr> {
    match peel(&value) {
        Expr::Lit(_) | Expr::Closure(_) => Err(Error::new_spanned(
            value,
            "`cache` takes an expression that gives a `Cache`: `cache = self.cache`",
        )),
        _ => Ok(value),
    }
}

/// The path that is the value of `scopes`.
pub(crate) fn path_of(value: &Expr) -> Result<Path> {
    match peel(value) {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
        _ => Err(Error::new_spanned(
            value,
            "`scopes` takes the path of the module that `scopes!` made: `scopes = crate::tenancy`",
        )),
    }
}
