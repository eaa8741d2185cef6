//! The option `scope`: `scope = "user"`, or `scope("user", org_id = ctx.org)` with ids that are not arguments of the same name.
//! Whether the scope exists is determined in `scopes::resolve`.

use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Error, Expr, Ident, LitStr, Result, Token};

use super::values::{literal_of, text_of, texts_of};
use crate::mentions::same;
use crate::parse::{Errors, Keyword, comma_or_end, peel};

/// `scope = "user"` or `scope("user", org_id = ctx.org)`.
pub(crate) struct ScopeOption {
    pub(crate) name: LitStr,
    /// Ids that are not arguments of the same name.
    pub(crate) ids: Vec<(Ident, Expr)>,
}

impl ScopeOption {
    pub(crate) fn is_global(&self) -> bool {
        self.name.value() == "global"
    }

    /// Checks that no id is a text that names an argument: it would be the same tenant for all calls.
    pub(crate) fn check_ids(&self, arguments: &[Ident], errors: &mut Errors) {
        for (id, value) in &self.ids {
            let texts = texts_of(value).unwrap_or_default();
            let [text] = &texts[..] else {
                continue;
            };
            let name = text.trim_matches(['#', '{', '}']);
            if let Some(named) = arguments.iter().find(|it| it.unraw() == name) {
                errors.on(
                    value,
                    format!(
                        "an id is an expression, and this text the same for each `{named}`: write `{id} = {named}`"
                    ),
                );
            }
        }
    }

    /// Checks that `global` is given no ids. Without a hierarchy it is the only scope, and it has none.
    pub(crate) fn check_global(&self, errors: &mut Errors) {
        for (id, _) in self.ids.iter().filter(|_| self.is_global()) {
            errors.at(
                id.span(),
                format!("the scope `global` has no ids, so no `{id}`"),
            );
        }
    }
}

/// The error about an attribute that has `scopes` but no `scope`.
pub(crate) const SCOPES_WITHOUT_SCOPE: &str =
    "`scopes` says where a `scope` is found, and there is none: name one, or leave out `scopes`";

/// Parses what follows `scope`. The outer error is one of syntax, the inner one of meaning.
pub(crate) fn parse_scope(
    keyword: &Keyword,
    input: ParseStream<'_>,
) -> Result<Result<ScopeOption>> {
    const FORM: &str = "scope = \"user\"";
    if input.peek(Token![=]) {
        let value = keyword.value(input)?;
        if let Expr::Call(call) = peel(&value)
            && let Some(name) = last_name(&call.func)
        {
            let message =
                format!("the level is a text, with ids beside it: `scope(\"{name}\", org_id = …)`");
            return Ok(Err(Error::new_spanned(value, message)));
        }
        return Ok(text_of(&value, FORM).map(|name| ScopeOption {
            name,
            ids: Vec::new(),
        }));
    }
    let content;
    syn::parenthesized!(content in input);
    if content.is_empty() {
        return Ok(Err(Error::new(
            keyword.0.span(),
            "`scope` lacks the level: `scope(\"user\", org_id = …)`",
        )));
    }
    let level: Expr = content.parse()?;
    let name = literal_of(&level).cloned().ok_or_else(|| {
        let name = last_name(&level).unwrap_or_else(|| String::from("user"));
        let message = format!("the level comes first, in quotes: `scope(\"{name}\", org_id = …)`");
        Error::new_spanned(&level, message)
    });
    let mut ids: Vec<(Ident, Expr)> = Vec::new();
    let mut errors = Errors::default();
    comma_or_end(&content)?;
    while !content.is_empty() {
        let (id, value) = parse_id(&content)?;
        if ids.iter().any(|(known, _)| same(known, &id)) {
            errors.at(id.span(), format!("the scope id `{id}` is given twice"));
        } else {
            ids.push((id, value));
        }
        comma_or_end(&content)?;
    }
    Ok(errors
        .finish()
        .and(name.map(|name| ScopeOption { name, ids })))
}

/// `user` of `user`, of `"user"` and of `scope::user`.
fn last_name(level: &Expr) -> Option<String> {
    match peel(level) {
        Expr::Path(path) => path.path.segments.last().map(|it| it.ident.to_string()),
        level => literal_of(level).map(LitStr::value),
    }
}

/// `org_id = ctx.org`.
fn parse_id(input: ParseStream<'_>) -> Result<(Ident, Expr)> {
    let ahead = input.fork();
    if let Ok(value) = ahead.parse::<Expr>()
        && !matches!(value, Expr::Assign(_))
        && (ahead.is_empty() || ahead.peek(Token![,]))
    {
        return Err(Error::new_spanned(
            value,
            "which id of the scope this is must be said: `org_id = …`; an argument of the id's own name is found without",
        ));
    }
    let id: Keyword = input.parse()?;
    let value = id.value(input)?;
    Ok((id.0, value))
}
