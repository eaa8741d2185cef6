//! `ttl`, `none_ttl`, `when` and `cache_none`: the closure that decides whether a value is stored, and for how long.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::Expr;

use super::argument::{Arg, bound_by};
use super::duration::spelled;
use super::owned::{self, Keeping};
use super::plan::Plan;
use super::renamed_self::self_word;
use super::ttl::Ttl;
use crate::mentions::{among, mentions};
use crate::parse::{ends, peel, start};
use crate::runtime::{at, local};

/// The closure, and what is evaluated once before it.
pub(crate) struct Decide {
    pub(crate) prelude: TokenStream,
    pub(crate) closure: TokenStream,
}

/// Whether there is anything to decide. If not, every value is stored, for a lifetime that the site knows.
fn is_needed(plan: &Plan) -> bool {
    let options = &plan.options;
    options.no_none.is_some()
        || options.aging.none_ttl.is_some()
        || options.when.is_some()
        || !matches!(options.ttl, None | Some(Ttl::Fixed(_)))
}

/// The closure for the function's own load. It may borrow arguments.
pub(crate) fn borrowed(plan: &Plan) -> Option<Decide> {
    is_needed(plan).then(|| decide(plan, &TokenStream::new(), &TokenStream::new()))
}

/// The closure for a load that may outlive the call. It keeps the arguments that it uses.
pub(crate) fn kept(plan: &Plan) -> Option<Decide> {
    if !is_needed(plan) {
        return None;
    }
    let ttl = match &plan.options.ttl {
        Some(Ttl::Closure(closure)) => Some(closure),
        _ => None,
    };
    let closures = || plan.options.when.iter().chain(ttl);
    let asks = |names: &[Ident]| closures().any(|closure| captures(closure, names));
    let Keeping { keep, lend } = owned::around_closure(plan, &asks);
    let Decide { prelude, closure } = decide(plan, &quote!(move), &lend);
    Some(Decide {
        prelude: quote!(#prelude #keep),
        closure: owned::closure_without_self(plan, &closure),
    })
}

/// What decides whether a value that is put is stored.
pub(crate) enum Owned {
    /// Nothing: it always is.
    Always,
    /// A closure in a handle that outlives the arguments.
    Asks(Decide),
    /// Something that such a handle can't hold: `ttl` or `when` names arguments.
    Borrows,
}

/// The decision for a handle that outlives the arguments.
pub(crate) fn owned(plan: &Plan) -> Owned {
    if !is_needed(plan) {
        return Owned::Always;
    }
    let (args, options) = (&plan.function.args, &plan.options);
    let mut names: Vec<Ident> = args.iter().flat_map(Arg::binds).collect();
    names.push(self_word());
    let by_pattern = args.iter().filter(|arg| arg.pat.is_some());
    let by_pattern: Vec<Ident> = by_pattern.flat_map(Arg::binds).collect();
    let ttl_borrows = match &options.ttl {
        Some(Ttl::Closure(closure)) => captures(closure, &names),
        // evaluated ahead of time, when patterns are not destructured yet
        Some(Ttl::Expr(expr) | Ttl::Path(expr)) => mentions(expr, &by_pattern),
        Some(Ttl::Fixed(_)) | None => false,
    };
    let when_borrows = options
        .when
        .as_ref()
        .is_some_and(|when| captures(when, &names));
    if ttl_borrows || when_borrows {
        Owned::Borrows
    } else {
        Owned::Asks(decide(plan, &quote!(move), &TokenStream::new()))
    }
}

/// Whether `closure` captures one of `names`. Its own parameters shadow arguments of the same name.
fn captures(closure: &Expr, names: &[Ident]) -> bool {
    let hidden: Vec<Ident> = match peel(closure) {
        Expr::Closure(closure) => closure.inputs.iter().flat_map(bound_by).collect(),
        _ => Vec::new(),
    };
    let seen = names.iter().filter(|name| !among(name, &hidden));
    mentions(closure, &seen.cloned().collect::<Vec<_>>())
}

/// `lend` binds what the closure uses, if it must not borrow that.
fn decide(plan: &Plan, capture: &TokenStream, lend: &TokenStream) -> Decide {
    let options = &plan.options;
    let runtime = &plan.runtime;
    let value = local("__cacheado_value");
    let lifetime = local("__cacheado_ttl");
    let decision = runtime.private("Decision");
    let is_none = |option| {
        let is_none = runtime.private_at("is_none", option);
        let span = at(option);
        // the same local, with the span of the option
        let value = Ident::new("__cacheado_value", span);
        quote_spanned!(span=> #is_none(#value))
    };

    let none_ttl = options.aging.none_ttl.as_ref().map(|given| {
        let (is_none, ttl) = (is_none(given.span), &given.value);
        quote! {
            if #is_none {
                const __CACHEADO_NONE_TTL: ::core::time::Duration = #ttl;
                return #decision::Store { ttl: ::core::option::Option::Some(__CACHEADO_NONE_TTL) };
            }
        }
    });
    let none = options.no_none.map(|span| {
        let is_none = is_none(span);
        quote!(if #is_none { return #decision::Skip; })
    });
    // gives the parameter of the user's closure its type before its body is checked
    let given = |closure: &Expr, gives: TokenStream| {
        let span = start(closure);
        let see = runtime.private_at("closures_see_what_is_stored", span);
        quote_spanned!(at(span)=> #see::<_, #gives>(#value, #closure))
    };
    let when = options.when.as_ref().map(|when| {
        let given = given(when, quote!(::core::primitive::bool));
        quote! {
            let __cacheado_keep = #given;
            if !__cacheado_keep { return #decision::Skip; }
        }
    });
    let mut prelude = TokenStream::new();
    let ttl = match &options.ttl {
        None => quote!(::core::option::Option::None),
        Some(Ttl::Fixed(fixed)) => {
            let fixed = spelled(*fixed);
            quote!(::core::option::Option::Some(#fixed))
        }
        Some(Ttl::Expr(expr)) => {
            prelude = quote!(let #lifetime: ::core::time::Duration = #expr;);
            quote!(::core::option::Option::Some(#lifetime))
        }
        Some(Ttl::Path(path)) => {
            let (first, last) = ends(path, start(path));
            let says = runtime.private_at("lifetime", first);
            prelude = quote!(let #lifetime = #path;);
            // the same local, with the span of the path, which an error about it underlines
            let lifetime = Ident::new("__cacheado_ttl", at(first));
            let of = quote_spanned!(at(last)=> (#value, &#lifetime));
            quote!(::core::option::Option::Some(#says #of))
        }
        Some(Ttl::Closure(closure)) => {
            let given = given(closure, quote!(::core::time::Duration));
            quote!(::core::option::Option::Some(#given))
        }
    };
    let asks = when.is_some() || matches!(options.ttl, Some(Ttl::Path(_) | Ttl::Closure(_)));
    let param = if asks || none.is_some() || none_ttl.is_some() {
        quote!(#value)
    } else {
        quote!(_)
    };
    let closure = quote! {
        #capture |#param| -> #decision {
            #lend
            #none
            #when
            #none_ttl
            #decision::Store { ttl: #ttl }
        }
    };
    Decide { prelude, closure }
}
