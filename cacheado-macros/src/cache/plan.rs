//! The plan: options, function and scope, brought to the terms that `expand` and `companions` write
//! in. By then everything has been found to be right, so nothing here fails.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Expr, Path, Result};

use super::argument::Arg;
use super::key::KeyParts;
use super::options::{Block, Options};
use super::owned::is_owned;
use super::secret;
use super::signature::{Flavor, Function};
use super::values::literal_of;
use crate::parse::{Errors, among, list_names, mentions, same};
use crate::runtime::Runtime;
use crate::scopes::parse::Hierarchy;
use crate::scopes::resolve::{Id, Resolved, resolve};

/// Which attribute it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Cache,
    Put,
}

impl Kind {
    /// How it is called on the detour.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Cache => "cache",
            Kind::Put => "put",
        }
    }
}

/// Where the function stands, and so where its hidden companions go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A free function: companions in a struct of its name.
    Free,
    /// A function of an inherent impl under `#[cache_impl]`: companions beside it.
    Inherent,
    /// A method, in whatever impl, or a function of many ids: no companions.
    Bare,
}

/// Everything `expand` needs, found to be right.
pub(crate) struct Plan {
    pub(crate) runtime: Runtime,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) function: Function,
    pub(crate) options: Options,
    pub(crate) scope: ScopeOfCall,
    pub(crate) key: KeyParts,
    /// Of each argument, its pattern by reference, if the expressions of scope, key or cache need what it binds.
    pub(crate) key_bindings: Vec<Option<TokenStream>>,
    /// The same for what only `bypass` needs, which is asked where the function itself is called, with all arguments.
    pub(crate) bypass_bindings: Vec<Option<TokenStream>>,
    /// Of each argument, whether key, scope or cache need it.
    pub(crate) needed: Vec<bool>,
    /// Whether the body may outlive its call.
    pub(crate) owned: bool,
}

pub(crate) fn place(function: &Function, block: Block) -> Place {
    match block {
        Block::Inherent => Place::Inherent,
        Block::Trait => Place::Bare,
        Block::Unknown if function.receiver().is_some() => Place::Bare,
        Block::Unknown => Place::Free,
    }
}

/// Where a call stands in the hierarchy. By default, in the global scope.
#[derive(Default)]
pub(crate) struct ScopeOfCall {
    /// The path of the level's static; none: the global scope.
    pub(crate) level: Option<TokenStream>,
    /// Of each level from the root down, its id.
    pub(crate) ids: Vec<Id>,
}

impl ScopeOfCall {
    /// Whether an id is what this argument binds.
    fn has(&self, arg: &Arg) -> bool {
        arg.binds().iter().any(|name| self.is_id(name))
    }

    /// Whether all there is of this argument is in the scope's path, and so no part of the key a second time.
    pub(crate) fn has_all_of(&self, arg: &Arg) -> bool {
        arg.is_bound_whole() && arg.binds().iter().all(|name| self.is_id(name))
    }

    fn is_id(&self, name: &Ident) -> bool {
        let mut arguments = self.ids.iter().filter_map(|id| id.argument.as_ref());
        arguments.any(|argument| same(argument, name))
    }
}

impl Plan {
    /// Of each argument, its pattern by reference, if it is needed ahead of the body.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = Option<&TokenStream>> {
        let both = self.key_bindings.iter().zip(&self.bypass_bindings);
        both.map(|(in_key, in_bypass)| in_key.as_ref().or(in_bypass.as_ref()))
    }
}

/// The hierarchy, and the path by which the user reaches its module.
pub(crate) type Scopes<'a> = Option<(&'a Hierarchy, &'a Path)>;

/// Finds the scope that the options name.
pub(crate) fn scope_of_call(
    function: &Function,
    options: &Options,
    scopes: Scopes<'_>,
) -> Result<ScopeOfCall> {
    let mut found = ScopeOfCall::default();
    let (Some(scope), Some((hierarchy, path))) = (&options.scope, scopes) else {
        return Ok(found);
    };
    let names: Vec<Ident> = function.args.iter().flat_map(Arg::binds).collect();
    let mut errors = Errors::default();
    let resolved = resolve(
        scope,
        hierarchy,
        &names,
        options.batch.as_ref(),
        &mut errors,
    );
    errors.finish()?;
    let Some(resolved) = resolved else {
        return Ok(found);
    };
    found.level = Some(level_path(&resolved, path));
    found.ids = resolved.ids;
    Ok(found)
}

/// Brings everything together.
pub(crate) fn plan(kind: Kind, function: Function, options: Options, scope: ScopeOfCall) -> Plan {
    let runtime = Runtime::find();
    let key = KeyParts::of(&function, &options, &scope, &runtime);
    let (mut key_bindings, mut bypass_bindings) = (Vec::new(), Vec::new());
    let mut needed = Vec::new();
    for arg in &function.args {
        let name = &arg.name;
        let in_key = scope.has(arg) || in_key_expressions(arg, &options);
        let pat = arg.pat_by_ref();
        let binding = pat.map(|pat| quote!(#[allow(unused_variables)] let #pat = &#name;));
        let in_bypass = !in_key && in_bypass(&options, &arg.binds());
        bypass_bindings.push(binding.clone().filter(|_| in_bypass));
        key_bindings.push(binding.filter(|_| in_key));
        needed.push(in_key || !is_skipped(arg, &options));
    }
    let owned = is_owned(kind, &options);
    let place = match options.batch {
        Some(_) => Place::Bare,
        None => place(&function, options.block),
    };
    Plan {
        runtime,
        kind,
        place,
        function,
        options,
        scope,
        key,
        key_bindings,
        bypass_bindings,
        needed,
        owned,
    }
}

/// What can only be said once the scope is known.
pub(crate) fn check(
    function: &Function,
    options: &Options,
    scope: &ScopeOfCall,
    errors: &mut Errors,
) {
    secret::check(function, options, scope, errors);
    check_skipped_ids(function, options, scope, errors);
    check_key(function, options, scope, errors);
    if let Flavor::Boxed(boxed) = &function.flavor {
        let args = function.args.iter().filter(|arg| {
            let is_named = in_key_expressions(arg, options) || in_bypass(options, &arg.binds());
            // a pattern is bound in the block
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

/// That no id of the scope is skipped: it would go on to tell one call from another, as whoever wrote `skip` may not expect.
/// A pattern with more than ids is skipped as a whole, ids included.
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

/// That a text that is the key is no format, nor begins with an argument's name: it would stand for all calls. One is meant to where no
/// argument tells these apart.
fn check_key(function: &Function, options: &Options, scope: &ScopeOfCall, errors: &mut Errors) {
    let Some(text) = options.key.as_ref().and_then(literal_of) else {
        return;
    };
    let content = text.value();
    let placeholders = placeholders(&content);
    let begins_with = words(&content).next().unwrap_or_default();
    let cache = options.cache.as_ref();
    let is_cache = |arg: &Arg| cache.is_some_and(|expr| mentions(expr, &arg.binds()));
    let tells = |arg: &&Arg| !is_skipped(arg, options) && !scope.has(arg) && !is_cache(arg);
    let args = function.args.iter().filter(tells).flat_map(Arg::binds);
    let (named, others): (Vec<_>, Vec<_>) = args
        .map(|name| name.unraw().to_string())
        .partition(|name| begins_with == name || placeholders.contains(&name.as_str()));
    let (each, instead) = match &named[..] {
        [] if placeholders.is_empty() || others.is_empty() => return,
        // as in `{}`, or misspelt
        [] => ("call".to_owned(), String::new()),
        [name] => (format!("`{name}`"), format!("`key = {name}` or ")),
        several => (
            list_names(several),
            format!("`key = ({})` or ", several.join(", ")),
        ),
    };
    errors.on(
        text,
        format!(
            "`key` is an expression, and this text the same for each {each}: write {instead}`key = format!(…)`"
        ),
    );
}

/// Of all that `text` has in braces, the first word of what a format would put there: `user` of `{user.id:?}`, and of `{}` none. And the
/// words that other caches' annotations mark, as `#user`.
fn placeholders(text: &str) -> Vec<&str> {
    // two braces stand for one
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

/// What stands before, between and after all that is in no word, which may be empty.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| it != '_' && !it.is_alphanumeric())
}

/// The level's static, by the path that the user has to the module of `scopes!`.
pub(crate) fn level_path(resolved: &Resolved, module: &Path) -> TokenStream {
    let level = &resolved.level;
    quote!(#module::__levels::#level)
}

/// Whether `skip` leaves the argument out.
pub(crate) fn is_skipped(arg: &Arg, options: &Options) -> bool {
    let binds = arg.binds();
    !binds.is_empty() && !arg.hides_names() && binds.iter().all(|name| among(name, &options.skip))
}

/// Whether `key`, `scope(…)` or `cache` name the argument.
pub(crate) fn in_key_expressions(arg: &Arg, options: &Options) -> bool {
    let binds = arg.binds();
    key_expressions(options).any(|expr| mentions(expr, &binds))
}

fn in_bypass(options: &Options, names: &[Ident]) -> bool {
    let bypass = options.bypass.as_ref();
    bypass.is_some_and(|expr| mentions(expr, names))
}

/// The expressions that decide where an entry is: of `key`, `scope(…)` and `cache`.
pub(crate) fn key_expressions(options: &Options) -> impl Iterator<Item = &Expr> {
    let ids = options
        .scope
        .iter()
        .flat_map(|scope| scope.ids.iter().map(|(_, expr)| expr));
    options.key.iter().chain(&options.cache).chain(ids)
}
