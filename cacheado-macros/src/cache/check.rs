//! Checks that need both the options and the function: whether `self` is accounted for, whether skipped names exist, and whether a
//! function of this shape can be cached at all.
//!
//! This only rejects. Where a scope's ids come from is determined in `scopes::resolve`.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, Path, PathArguments, Type};

use super::argument::Arg;
use super::boxed::{boxed_output, ends_in_boxed_future, future_output};
use super::options::{Options, SingleFlight};
use super::plan::{Place, is_skipped, key_expressions, place};
use super::scope_option::SCOPES_WITHOUT_SCOPE;
use super::signature::{Flavor, Function};
use super::types::{bare, find_impl_trait};
use crate::mentions::{among, mentions, same};
use crate::parse::{Errors, did_you_mean, list_names};

/// The checks that need no hierarchy.
pub(crate) fn check(function: &Function, options: &Options, errors: &mut Errors) {
    check_shape(function, options, errors);
    if place(function, options.block) == Place::Free && function.mentions_self_type() {
        errors.on(
            &function.sig.ident,
            "a function without a receiver that names `Self` needs `#[cache_impl]` on its impl block",
        );
    }
    if let Some(error) = function.names_twice() {
        errors.push(error);
    }
    if let Some(path) = hidden_path(function, options) {
        let name = &function.sig.ident;
        errors.on(
            path,
            format!(
                "a cached function comes with a hidden type of its name, which here is what `{name}` means: call the \
                 function otherwise, or write a path that does not begin with `{name}`"
            ),
        );
    }
    check_skip(function, options, errors);
    check_self(function, options, errors);
    for arg in &function.args {
        if let Some(cfg) = arg.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            errors.on(
                cfg,
                "an argument of a cached function can't be left out by `#[cfg]`: put that on functions, one for each build",
            );
        }
    }
    match (&options.scope, &options.scopes) {
        (Some(scope), _) => scope.check_global(errors),
        (None, Some(scopes)) => errors.on(scopes, SCOPES_WITHOUT_SCOPE),
        (None, None) => {}
    }
}

/// A path in the signature that begins with the function's own name, as `regex::Regex` does in `fn regex`.
pub(crate) fn hidden_path(function: &Function, options: &Options) -> Option<Path> {
    struct Find<'a>(&'a Ident, Option<Path>);
    impl VisitMut for Find<'_> {
        fn visit_path_mut(&mut self, path: &mut Path) {
            let is_global = path.leading_colon.is_some();
            if !is_global && path.segments.len() > 1 && same(&path.segments[0].ident, self.0) {
                self.1.get_or_insert_with(|| path.clone());
            }
            visit_mut::visit_path_mut(self, path);
        }
    }
    if options.batch.is_some() || place(function, options.block) != Place::Free {
        return None;
    }
    let mut find = Find(&function.sig.ident, None);
    find.visit_signature_mut(&mut function.sig.clone());
    find.1
}

fn check_shape(function: &Function, options: &Options, errors: &mut Errors) {
    let sig = &function.sig;
    if let Some(token) = &sig.constness {
        errors.on(
            token,
            "a `const fn` can't be cached, since it may run when compiling: leave out `const`",
        );
    }
    if let Some(abi) = &sig.abi {
        errors.on(
            abi,
            "an `extern` function can't be cached: cache a plain function that it calls",
        );
    }
    if let Some(variadic) = &sig.variadic {
        errors.on(
            variadic,
            "a function of variadic arguments can't be cached: cache one that takes a slice",
        );
    }
    check_output(function, options, errors);
    check_local(options, errors);
}

/// Rejects options about the shared tier on `local` values, which never go there.
fn check_local(options: &Options, errors: &mut Errors) {
    if !options.local {
        return;
    }
    if let Some(fails) = &options.fails {
        errors.on(
            fails,
            "`local` values never meet the shared tier, so it can't fail: leave out one of the two",
        );
    }
    if let SingleFlight::Cluster(cluster) = &options.single_flight {
        errors.on(
            cluster,
            "`local` values are no other process's: leave out one of the two",
        );
    }
}

fn check_output(function: &Function, options: &Options, errors: &mut Errors) {
    let output = &function.output;
    if let Type::Never(never) = output {
        errors.on(
            never,
            "a function that never returns has nothing to cache: leave out the attribute",
        );
    }
    if let Some(borrowed) = borrowed_value(output) {
        if !borrowed.is_static {
            errors.on(
                borrowed.ty,
                "a borrowed value can't be cached, since it doesn't outlive the call: return an owned \
                 one, or an `Arc` of one",
            );
        } else if !options.local {
            errors.on(
                borrowed.ty,
                "a borrowed value can't leave the process: add `local`, or return an owned value",
            );
        }
    }
    if let Some(found) = find_impl_trait(output) {
        if future_output(&found.bounds).is_some() {
            errors.on(
                found,
                "write `async fn` instead: what is cached is what the future gives",
            );
        } else {
            errors.on(
                found,
                "an `impl Trait` can't be stored: name the type that is returned",
            );
        }
    } else if !matches!(function.flavor, Flavor::Sync) {
        // the type that the future gives is known
    } else if boxed_output(output).is_some() {
        errors.on(
            output,
            "write `async fn` instead, or let the body end in `Box::pin(async move { … })`: what is \
             cached is what the future gives",
        );
    } else if ends_in_boxed_future(&function.body) {
        errors.on(
            output,
            "an alias of a future can't be seen through: write `async fn` instead, or name the type as \
             `Pin<Box<dyn Future<Output = …> + Send>>`: what is cached is what the future gives",
        );
    }
}

/// The part of a stored type that borrows.
pub(crate) struct Borrowed<'a> {
    ty: &'a Type,
    /// Whether it is borrowed for `'static`.
    is_static: bool,
}

/// The part of the stored value's type that borrows: the value itself, or what is in its `Result`, `Option`, pointer or list of the
/// standard library. (In a map it may be an id of a batch.) Behind an alias, it is the compiler that rejects it.
pub(crate) fn borrowed_value(output: &Type) -> Option<Borrowed<'_>> {
    borrowed_part(output, true)
}

/// `is_whole`: `ty` is the whole output, which may be an alias of a `Result` of which only the error borrows.
fn borrowed_part(ty: &Type, is_whole: bool) -> Option<Borrowed<'_>> {
    let ty = bare(ty);
    match ty {
        Type::Reference(reference) => {
            let lifetime = reference.lifetime.as_ref();
            let is_static = lifetime.is_some_and(|lifetime| lifetime.ident == "static");
            Some(Borrowed { ty, is_static })
        }
        Type::Array(array) => borrowed_part(&array.elem, false),
        Type::Slice(slice) => borrowed_part(&slice.elem, false),
        Type::Tuple(tuple) => (tuple.elems.iter()).find_map(|part| borrowed_part(part, false)),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let PathArguments::AngleBracketed(generics) = &last.arguments else {
                return None;
            };
            let holders = [
                "Arc", "BTreeSet", "Box", "HashSet", "Option", "Rc", "Result", "Vec", "VecDeque",
            ];
            if holders.iter().any(|holder| last.ident == holder) {
                return match generics.args.first()? {
                    GenericArgument::Type(stored) => borrowed_part(stored, false),
                    _ => None,
                };
            }
            let borrows = generics.args.iter().any(
                |arg| matches!(arg, GenericArgument::Lifetime(lifetime) if lifetime.ident != "static"),
            );
            let is_static = false;
            (borrows && (!is_whole || last.ident == "Cow")).then_some(Borrowed { ty, is_static })
        }
        _ => None,
    }
}

fn check_skip(function: &Function, options: &Options, errors: &mut Errors) {
    let names: Vec<Ident> = function.args.iter().flat_map(Arg::binds).collect();
    for (index, skipped) in options.skip.iter().enumerate() {
        let text = skipped.unraw().to_string();
        if among(skipped, &options.skip[..index]) {
            errors.at(skipped.span(), format!("`{text}` is skipped twice"));
        } else if text == "_" {
            errors.at(
                skipped.span(),
                "`_` is no name to be skipped by: give the argument one, as `_db`",
            );
        } else if text == "self" {
            if function.receiver().is_none() {
                errors.at(skipped.span(), "there is no `self` to skip");
            }
        } else if !among(skipped, &names) {
            let mut known: Vec<String> = names.iter().map(Ident::to_string).collect();
            known.extend(function.receiver().map(|_| String::from("self")));
            errors.at(skipped.span(), names_no_argument("skip", &text, &known));
        }
    }
    for arg in &function.args {
        let binds = arg.binds();
        let skipped = options.skip.iter().find(|name| among(name, &binds));
        if let Some(name) = skipped
            && !is_skipped(arg, options)
        {
            let remedy = if arg.hides_names() {
                String::from("give a `key`, as the macro in its pattern may bind more")
            } else {
                format!("skip {}, or give a `key`", list_names(&binds))
            };
            errors.at(
                name.span(),
                format!("`{name}` is part of an argument that is skipped as a whole: {remedy}"),
            );
        }
    }
}

/// The message that `option` names an argument `text`, which is not among the `known` ones.
pub(crate) fn names_no_argument(option: &str, text: &str, known: &[String]) -> String {
    let hint = did_you_mean(text, known.iter().map(String::as_str));
    let hint = match (hint.is_empty(), known.is_empty()) {
        (false, _) => hint,
        (true, true) => String::from(", there are none"),
        (true, false) => format!(", the arguments are {}", list_names(known)),
    };
    format!("`{option}` names no argument `{text}`{hint}")
}

fn check_self(function: &Function, options: &Options, errors: &mut Errors) {
    let Some(this) = function.self_word() else {
        return;
    };
    let accounted = options.may_name_self
        || options.skip.iter().any(|name| name == "self")
        || key_expressions(options).any(|expr| mentions(expr, std::slice::from_ref(&this)));
    if !accounted {
        errors.at(
            this.span(),
            "`self` is not accounted for: what it holds is no part of the key. Write `skip(self)` if \
             results don't depend on it, or name it in `key`, `scope(…)` or `cache`",
        );
    }
}
