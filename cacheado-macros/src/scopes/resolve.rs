//! Finds the scope that an attribute names in the hierarchy, and the source of each id of its path: an argument of that name, or an
//! expression given in `scope(…)`.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::{Error, Expr, LitStr, parse_quote};

use super::parse::{Hierarchy, Level};
use crate::cache::scope_option::ScopeOption;
use crate::mentions::same;
use crate::parse::{Errors, did_you_mean, list_names, nearest, peel};

/// A scope found in the hierarchy.
pub(crate) struct Resolved {
    /// The level's name.
    pub(crate) level: Ident,
    /// The id of each level from the root down to this one.
    pub(crate) ids: Vec<Id>,
}

/// The id of one level.
pub(crate) struct Id {
    /// The name of the id in the hierarchy.
    pub(crate) param: String,
    pub(crate) secret: bool,
    pub(crate) expr: Expr,
    /// The argument, if the id is one as it is: by the id's name, or given as `scope(…, org_id = org)`.
    pub(crate) argument: Option<Ident>,
}

impl Id {
    fn given(level: &Level, expr: &Expr, arguments: &[Ident]) -> Id {
        let name = bare_name(expr);
        let argument = arguments
            .iter()
            .find(|argument| name.is_some_and(|name| same(argument, name)));
        match (argument, name) {
            (Some(argument), Some(name)) => {
                // the argument itself, also where the name comes from a macro and would mean something else there
                let mut argument = argument.clone();
                argument.set_span(argument.span().located_at(name.span()));
                Id::argument(level, &argument)
            }
            _ => Id {
                param: level.param(),
                secret: level.secret,
                expr: expr.clone(),
                argument: None,
            },
        }
    }

    fn argument(level: &Level, argument: &Ident) -> Id {
        Id {
            param: level.param(),
            secret: level.secret,
            expr: parse_quote!(#argument),
            argument: Some(argument.clone()),
        }
    }
}

/// The name, if the expression is one or a reference to one.
pub(crate) fn bare_name(expr: &Expr) -> Option<&Ident> {
    match peel(expr) {
        Expr::Path(path) => path.path.get_ident(),
        Expr::Reference(reference) => bare_name(&reference.expr),
        _ => None,
    }
}

/// Finds `scope` in `hierarchy`. `arguments` are the names of the function's arguments, of which `batch` is the one with many ids.
/// Adds mistakes to `errors`.
pub(crate) fn resolve(
    scope: &ScopeOption,
    hierarchy: &Hierarchy,
    arguments: &[Ident],
    batch: Option<&Ident>,
    errors: &mut Errors,
) -> Option<Resolved> {
    let level = errors.take(find_level(&scope.name, hierarchy))?;
    let path = hierarchy.path(level);
    let given_right = check_given(scope, &path, errors);
    let mut missing = Vec::new();
    let mut ids = Vec::new();
    for level in &path {
        let given = scope.ids.iter().find(|(id, _)| id.unraw() == level.param());
        let argument = arguments
            .iter()
            .find(|argument| argument.unraw() == level.param());
        match (given, argument) {
            (Some((_, expr)), _) => ids.push(Id::given(level, expr, arguments)),
            (None, Some(argument)) => ids.push(Id::argument(level, argument)),
            (None, None) => missing.push(*level),
        }
    }
    if missing.is_empty() {
        Some(Resolved {
            level: hierarchy.levels[level].name.clone(),
            ids,
        })
    } else {
        // an id that is given under a wrong name is reported already
        if given_right {
            errors.on(
                &scope.name,
                missing_arguments(&scope.name, hierarchy, &missing, arguments, batch),
            );
        }
        None
    }
}

fn find_level(name: &LitStr, hierarchy: &Hierarchy) -> syn::Result<usize> {
    let path = name.value();
    let last = path.rsplit('/').next().unwrap_or(&path);
    let names: Vec<String> = hierarchy.levels.iter().map(Level::name).collect();
    let Some(level) = hierarchy.find(last) else {
        let hint = did_you_mean(last, names.iter().map(String::as_str));
        // a path in another notation: the name most like the whole of it may be a wider scope
        let end = last.rsplit([':', '.', '>']).next().unwrap_or_default();
        let hint = if let Some(level) = hierarchy.find(end.trim()) {
            let right = hierarchy.path_text(level);
            format!(", did you mean `{right}`?")
        } else if let Some(level) = hierarchy.levels.iter().find(|level| level.param == last) {
            format!(", did you mean `{}`, whose id that is?", level.name())
        } else if hint.is_empty() {
            let names = names.iter().map(String::as_str);
            format!(
                ", the scopes are {}",
                list_names(["global"].into_iter().chain(names))
            )
        } else {
            hint
        };
        return Err(Error::new(
            name.span(),
            format!("unknown scope `{last}`{hint}"),
        ));
    };
    let right = hierarchy.path_text(level);
    if path.contains('/') && path != right {
        return Err(Error::new(
            name.span(),
            format!("there is no scope `{path}`: the path of `{last}` is `{right}`"),
        ));
    }
    Ok(level)
}

/// Checks that every name in `scope(…, name = …)` is an id of the path. Returns whether that is so.
fn check_given(scope: &ScopeOption, path: &[&Level], errors: &mut Errors) -> bool {
    let params = || path.iter().map(|level| level.param());
    let mut right = true;
    for (id, _) in &scope.ids {
        let name = id.unraw().to_string();
        if !params().any(|param| param == name) {
            right = false;
            let known: Vec<String> = params().collect();
            let hint = did_you_mean(&name, known.iter().map(String::as_str));
            errors.at(
                id.span(),
                format!(
                    "`{name}` is no id of the scope `{}`, whose ids are {}{hint}",
                    scope.name.value(),
                    list_names(known.iter()),
                ),
            );
        }
    }
    right
}

fn missing_arguments(
    scope: &LitStr,
    hierarchy: &Hierarchy,
    missing: &[&Level],
    arguments: &[Ident],
    batch: Option<&Ident>,
) -> String {
    let scope = scope.value();
    let what: Vec<String> = missing
        .iter()
        .map(|level| format!("`{}` (which {} it is)", level.param(), level.name()))
        .collect();
    let what = match what.as_slice() {
        [one] => format!("the argument {one}"),
        [rest @ .., last] => format!("the arguments {} and {last}", rest.join(", ")),
        [] => unreachable!("called with a missing argument"),
    };
    let arguments: Vec<String> = arguments
        .iter()
        .map(|name| name.unraw().to_string())
        .collect();
    let near = |level: &Level| {
        let arguments = || arguments.iter().map(String::as_str);
        let id_of_level = format!("{}_id", level.name());
        nearest(&level.param(), arguments()).or_else(|| arguments().find(|it| *it == id_of_level))
    };
    let is_batch = |name: &str| batch.is_some_and(|batch| batch.unraw() == name);
    if let Some(level) = missing.iter().find(|it| near(it).is_some_and(is_batch)) {
        let instead = match level.parent {
            Some(parent) => format!("write `scope = \"{}\"`", hierarchy.levels[parent].name()),
            None => "leave `scope` out".to_owned(),
        };
        return format!(
            "the scope `{scope}` needs {what}, one for the whole call, and the ids of a `batch` lie below its scope: {instead}"
        );
    }
    let given = missing
        .iter()
        .map(|level| format!("{} = {}", level.param(), near(level).unwrap_or("…")));
    let instead = format!(
        "`scope(\"{scope}\", {})`",
        given.collect::<Vec<_>>().join(", ")
    );
    let remedy = match (near(missing[0]), missing.len()) {
        (Some(near), _) => format!("is it `{near}`? Then {instead}"),
        (None, 1) => format!("add it, or write {instead}"),
        (None, _) => format!("add them, or write {instead}"),
    };
    format!("the scope `{scope}` needs {what}: {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::{format_ident, quote};

    fn message(name: &str, ids: Vec<(Ident, Expr)>, arguments: &[&str]) -> String {
        let hierarchy: Hierarchy =
            syn::parse2(quote!(organization(org_id) { user(user_id) } car(car_id))).unwrap();
        let scope = ScopeOption {
            name: LitStr::new(name, proc_macro2::Span::call_site()),
            ids,
        };
        let arguments: Vec<Ident> = arguments
            .iter()
            .map(|name| format_ident!("{name}"))
            .collect();
        let mut errors = Errors::default();
        let resolved = resolve(&scope, &hierarchy, &arguments, None, &mut errors);
        match errors.finish() {
            Ok(()) => format!("{} ids", resolved.unwrap().ids.len()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn found() {
        assert_eq!(
            message("user", vec![], &["db", "user_id", "org_id"]),
            "2 ids"
        );
        assert_eq!(
            message("organization/user", vec![], &["user_id", "org_id"]),
            "2 ids"
        );
        let given = vec![(format_ident!("org_id"), parse_quote!(ctx.org))];
        assert_eq!(message("user", given, &["ctx", "user_id"]), "2 ids");
    }

    #[test]
    fn not_found() {
        assert_eq!(
            message("usr", vec![], &[]),
            "unknown scope `usr`, did you mean `user`?"
        );
        assert_eq!(
            message("zebra", vec![], &[]),
            "unknown scope `zebra`, the scopes are `global`, `organization`, `user` and `car`"
        );
        assert_eq!(
            message("org_id", vec![], &[]),
            "unknown scope `org_id`, did you mean `organization`, whose id that is?"
        );
        for path in [
            "organization::user",
            "organization.user",
            "organization > user",
        ] {
            let error = message(path, vec![], &[]);
            assert!(
                error.contains("did you mean `organization/user`?"),
                "{error}"
            );
        }
        assert_eq!(
            message("car/user", vec![], &[]),
            "there is no scope `car/user`: the path of `user` is `organization/user`"
        );
        assert_eq!(
            message("user", vec![], &["user_id"]),
            "the scope `user` needs the argument `org_id` (which organization it is): \
             add it, or write `scope(\"user\", org_id = …)`"
        );
        assert!(
            message("user", vec![], &[])
                .contains("the arguments `org_id` (which organization it is) and `user_id`")
        );
        assert!(message("user", vec![], &["orgid", "user_id"]).contains("is it `orgid`?"));
        assert!(
            message("user", vec![], &["organization_id", "user_id"])
                .contains("is it `organization_id`?")
        );
        let given = vec![(format_ident!("car_id"), parse_quote!(1))];
        assert!(message("user", given, &["org_id", "user_id"]).contains("`car_id` is no id"));
    }
}
