//! Parsing helpers that all macros of this crate share: an error collector, the forms of options (`keyword = value`, `keyword(…)`,
//! flags), hints at the nearest name, and spans.
//!
//! What an option means is decided elsewhere.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned as _;
use syn::{Error, Expr, Result, Token};

/// Collects errors, so that all mistakes in one attribute are reported at once.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            none => *none = Some(error),
        }
    }

    pub(crate) fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(Error::new(span, message));
    }

    /// Adds an error that underlines all of `tokens`.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// The value of `result`. If it is an error, adds that and returns `None`.
    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Whether the attribute is written `#[cache = …]`. The compiler rejects that form itself, but expands the attribute all the same. The
/// tokens don't show the form, so this is asked only about tokens that are wrong. If the form can't be determined, the user sees one
/// error more.
pub(crate) fn is_key_value(attr: &TokenStream) -> bool {
    let text = Span::call_site().source_text();
    let text = text.filter(|_| !attr.is_empty()).unwrap_or_default();
    let is_ahead = |it: char| it.is_alphanumeric() || it.is_whitespace() || "#[_:".contains(it);
    text.trim_start_matches(is_ahead).starts_with('=')
}

/// How an option is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `keyword`
    Flag,
    /// `keyword = value`
    Value,
    /// `keyword(a, b)`
    List,
    /// `keyword = value` or `keyword(value, …)`
    ValueOrList,
}

/// The keyword of one option, with its span.
pub(crate) struct Keyword(pub(crate) Ident);

impl Parse for Keyword {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.call(Ident::parse_any).map(Keyword)
    }
}

impl Keyword {
    pub(crate) fn text(&self) -> String {
        self.0.unraw().to_string()
    }

    /// Checks that what follows has the form `form`. The error shows the right form.
    pub(crate) fn expect(&self, form: Form, input: ParseStream<'_>) -> Result<()> {
        let fits = match form {
            Form::Flag => input.is_empty() || input.peek(Token![,]),
            Form::Value => input.peek(Token![=]),
            Form::List => input.peek(syn::token::Paren),
            Form::ValueOrList => input.peek(Token![=]) || input.peek(syn::token::Paren),
        };
        if fits {
            return Ok(());
        }
        let name = self.text();
        let right = match form {
            Form::Flag => format!("`{name}` is a flag and takes no value"),
            Form::Value => format!("`{name}` takes a value: `{name} = …`"),
            Form::List => format!("`{name}` takes a list: `{name}(…)`"),
            Form::ValueOrList => format!("`{name}` takes a value: `{name} = …` or `{name}(…)`"),
        };
        Err(Error::new(self.0.span(), right))
    }

    /// Parses the rest of `keyword = expression`, whose `keyword` has been read, and returns the expression.
    pub(crate) fn value(&self, input: ParseStream<'_>) -> Result<Expr> {
        self.expect(Form::Value, input)?;
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(Error::new(
                equals.span(),
                format!("`{}` lacks its value", self.text()),
            ));
        }
        // the syntax of another language, where `#` marks an argument
        let marked = input.fork();
        if let Ok(mark) = marked.parse::<Token![#]>()
            && let Ok(name) = marked.parse::<Ident>()
        {
            return Err(Error::new(
                mark.span,
                format!(
                    "an argument is named without `#`: `{} = {name}`",
                    self.text()
                ),
            ));
        }
        input.parse()
    }
}

/// Skips the value of an unknown option, whatever it is, so that the options after it are still read.
pub(crate) fn skip_option(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.peek(Token![=]) && !input.peek(Token![==]) {
            input.parse::<Token![=]>()?;
            input.parse::<Expr>()?;
        } else {
            input.parse::<TokenTree>()?;
        }
    }
    Ok(())
}

/// Parses the comma between two options, unless the input ends.
pub(crate) fn comma_or_end(input: ParseStream<'_>) -> Result<()> {
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(())
}

/// The expression without the invisible groups and parentheses around it.
pub(crate) fn peel(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => peel(&group.expr),
        Expr::Paren(paren) => peel(&paren.expr),
        other => other,
    }
}

/// The candidate most similar to `name`, ignoring case, if any is similar enough.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let likeness = strsim::jaro_winkler(&lower, &candidate.to_lowercase());
            (likeness, candidate)
        })
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `, did you mean …?`, or nothing.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    nearest(name, candidates).map_or_else(String::new, |near| format!(", did you mean `{near}`?"))
}

/// `` `a`, `b` and `c` ``
pub(crate) fn list_names<T: std::fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::from("none"),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// The tokens inside the next group, which must have this delimiter.
pub(crate) fn group(input: ParseStream<'_>, delimiter: Delimiter) -> Result<TokenStream> {
    match input.parse()? {
        TokenTree::Group(group) if group.delimiter() == delimiter => Ok(group.stream()),
        other => Err(Error::new(other.span(), "unexpected token")),
    }
}

/// The spans of the first and the last token of `tokens`, for generated code whose errors should underline the whole.
pub(crate) fn ends(tokens: impl ToTokens, default: Span) -> (Span, Span) {
    let mut trees = tokens.into_token_stream().into_iter();
    let Some(first) = trees.next() else {
        return (default, default);
    };
    let start = match &first {
        TokenTree::Group(group) if group.delimiter() != Delimiter::None => group.span_open(),
        tree => tree.span(),
    };
    let end = match trees.last().unwrap_or(first) {
        TokenTree::Group(group) if group.delimiter() != Delimiter::None => group.span_close(),
        tree => tree.span(),
    };
    (start, end)
}

/// The span of an expression's first token.
pub(crate) fn start(tokens: &impl ToTokens) -> Span {
    ends(tokens, tokens.span()).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name() {
        assert_eq!(nearest("usr", ["organization", "user"]), Some("user"));
        assert_eq!(nearest("TTL", ["scope", "ttl"]), Some("ttl"));
        assert_eq!(nearest("zebra", ["organization", "user"]), None);
        assert_eq!(list_names(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
