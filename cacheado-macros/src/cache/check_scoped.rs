//! Checks that need the resolved scope: for ids that are skipped, for arguments that could change before they are read, and for a
//! `key` whose text is the same for all calls.
//!
//! This only rejects, as `check` does.

use proc_macro2::Ident;
use syn::Expr;
use syn::ext::IdentExt as _;

use super::argument::Arg;
use super::options::Options;
use super::owned::is_owned;
use super::plan::{Kind, in_bypass, in_key_expressions, is_skipped, key_expressions};
use super::scope::ScopeOfCall;
use super::secret;
use super::signature::{Flavor, Function};
use super::values::texts_of;
use crate::mentions::{among, mentions, same};
use crate::parse::{Errors, list_names, peel};

/// The checks that need the resolved scope.
pub(crate) fn check(
    kind: Kind,
    function: &Function,
    options: &Options,
    scope: &ScopeOfCall,
    errors: &mut Errors,
) {
    secret::check(function, options, scope, errors);
    check_mut_refs(kind, function, options, scope, errors);
    check_skipped_ids(function, options, scope, errors);
    check_key(function, options, scope, errors);
    if let Some(option) = &options.scope {
        let args = function.args.iter();
        let args = args.filter(|arg| !is_skipped(arg, options));
        let names: Vec<Ident> = args.flat_map(Arg::binds).collect();
        option.check_ids(&names, errors);
    }
    if let Flavor::Boxed(boxed) = &function.flavor {
        let args = function.args.iter().filter(|arg| {
            let is_named = in_key_expressions(arg, options) || in_bypass(options, &arg.binds());
            // a pattern is bound inside the block
            arg.rebind || scope.has(arg) || is_named || !is_skipped(arg, options)
        });
        let mut read: Vec<Ident> = args.flat_map(Arg::binds).collect();
        read.extend(function.self_word().filter(|this| {
            let this = std::slice::from_ref(this);
            key_expressions(options).any(|expr| mentions(expr, this)) || in_bypass(options, this)
        }));
        boxed.check_lead(&read, errors);
    }
}

/// Checks that no argument that the function can change is part of the key.
fn check_mut_refs(
    kind: Kind,
    function: &Function,
    options: &Options,
    scope: &ScopeOfCall,
    errors: &mut Errors,
) {
    // `owned::check` reports an argument that would have to be kept
    if is_owned(kind, options) {
        return;
    }
    for arg in &function.args {
        let Some(holds) = arg.holds_mut_ref() else {
            continue;
        };
        // `batch::check` reports a `&mut` in the ids
        let is_batch = (options.batch.as_ref()).is_some_and(|ids| same(&arg.name, ids));
        if is_batch || is_skipped(arg, options) {
            continue;
        }
        if scope.has_all_of(arg) {
            errors.on(
                &arg.ty,
                "an id of the scope is only read: take it as `&`, or by value",
            );
            continue;
        }
        let names: Vec<String> = arg.binds().iter().map(Ident::to_string).collect();
        let names = match names.as_slice() {
            [] => String::from("…"),
            names => names.join(", "),
        };
        errors.at(
            arg.span(),
            format!("an argument {holds} is no part of a key: add `skip({names})`"),
        );
    }
}

/// Checks that no id of the scope is skipped. The id would still distinguish calls, contrary to what the author of the `skip` may
/// expect. A pattern that has more than ids is skipped as a whole, ids included.
fn check_skipped_ids(
    function: &Function,
    options: &Options,
    scope: &ScopeOfCall,
    errors: &mut Errors,
) {
    let args = function.args.iter();
    let ids = args
        .filter(|arg| scope.has_all_of(arg))
        .flat_map(Arg::binds);
    let ids: Vec<Ident> = ids.collect();
    let level = options.scope.as_ref().map(|scope| scope.name.value());
    for skipped in options.skip.iter().filter(|name| among(name, &ids)) {
        errors.at(
            skipped.span(),
            format!(
                "`{skipped}` is an id of the scope `{}`, which no `skip` takes out of it: leave it out of `skip`, or, if \
                 results don't depend on it, name a scope without it",
                level.as_deref().unwrap_or("global"),
            ),
        );
    }
}

/// Checks a `key` that consists of literal texts only: they must not be formats, and not begin with an argument's name. The key would
/// be the same for all calls, which is intended only where no argument distinguishes them.
fn check_key(function: &Function, options: &Options, scope: &ScopeOfCall, errors: &mut Errors) {
    let Some(key) = &options.key else {
        return;
    };
    let cache = options.cache.as_ref();
    let is_cache = |arg: &Arg| cache.is_some_and(|expr| mentions(expr, &arg.binds()));
    let tells = |arg: &&Arg| !is_skipped(arg, options) && !scope.has(arg) && !is_cache(arg);
    let args = function.args.iter().filter(tells).flat_map(Arg::binds);
    let Some(texts) = texts_of(key) else {
        let missing: Vec<Ident> = args
            .filter(|it| !mentions(key, std::slice::from_ref(it)))
            .collect();
        check_part(key, &missing, errors);
        return;
    };
    let placeholders: Vec<&str> = texts.iter().flat_map(|text| placeholders(text)).collect();
    let begin_with = texts.iter().filter_map(|text| words(text).next());
    let begin_with: Vec<&str> = begin_with.collect();
    let (named, others): (Vec<_>, Vec<_>) =
        args.map(|name| name.unraw().to_string()).partition(|name| {
            let name = name.as_str();
            begin_with.contains(&name) || placeholders.contains(&name)
        });
    let (each, instead) = match &named[..] {
        [] if placeholders.is_empty() || others.is_empty() => return,
        // as in `{}`, or a misspelt name
        [] => ("call".to_owned(), String::new()),
        [name] => (format!("`{name}`"), format!("`key = {name}` or ")),
        several => (
            list_names(several),
            format!("`key = ({})` or ", several.join(", ")),
        ),
    };
    errors.on(
        key,
        format!(
            "`key` is an expression, and this text the same for each {each}: write {instead}`key = format!(…)`"
        ),
    );
}

/// Checks that no literal text among the parts of a key has, in braces, the name of an argument that is `missing` in the key.
fn check_part(part: &Expr, missing: &[Ident], errors: &mut Errors) {
    let parts = match peel(part) {
        Expr::Tuple(tuple) => &tuple.elems,
        Expr::Array(array) => &array.elems,
        Expr::Reference(reference) => return check_part(&reference.expr, missing, errors),
        _ => {
            let texts = texts_of(part).unwrap_or_default();
            let placeholders: Vec<&str> = texts.iter().flat_map(|it| placeholders(it)).collect();
            let named = |it: &&Ident| placeholders.iter().any(|word| it.unraw() == word);
            if let Some(name) = missing.iter().find(named) {
                errors.on(
                    part,
                    format!(
                        "`key` is an expression, and this text the same for each `{name}`: write `{name}` or `format!(…)` in its place"
                    ),
                );
            }
            return;
        }
    };
    for part in parts {
        check_part(part, missing, errors);
    }
}

/// The first word of each placeholder that a format would fill in: `user` for `{user.id:?}`, an empty one for `{}`. Also the words
/// that the annotations of other caches mark, as `#user`.
fn placeholders(text: &str) -> Vec<&str> {
    // `{{` stands for a literal brace
    let pieces = text.split("{{").flat_map(|piece| piece.split('{').skip(1));
    let values = pieces.filter_map(|piece| piece.split_once('}')?.0.split(':').next());
    let braced = values.map(|value| words(value).find(|word| !word.is_empty()));
    let marked = text.split('#').skip(1);
    let marked = marked
        .map(|piece| words(piece).next())
        .filter(|word| *word != Some(""));
    braced
        .chain(marked)
        .map(Option::unwrap_or_default)
        .collect()
}

/// Splits `text` at every character that is not part of a word. The pieces may be empty.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| it != '_' && !it.is_alphanumeric())
}
