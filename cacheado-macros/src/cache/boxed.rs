//! A function that returns `Pin<Box<dyn Future<Output = T>>>` and ends in `Box::pin(async move { … })`. That is what `#[async_trait]`
//! makes of an `async fn`, since it runs before the attributes inside it.
//!
//! This module only takes such a body apart and reassembles it. Its callers generate the contents of the block.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{
    Block, Expr, ExprAsync, ExprCall, GenericArgument, Item, Pat, PathArguments, Stmt, Type,
    TypeParamBound,
};

use super::argument::Arg;
use super::signature::Function;
use super::types::bare;
use crate::mentions::{contains_ident, mention};
use crate::parse::Errors;

/// Such a body, taken apart.
pub(crate) struct Boxed {
    /// `T` of `Output = T`.
    pub(crate) output: Type,
    /// The statements before the last one.
    lead: Vec<Stmt>,
    /// `Box::pin(…)`
    call: ExprCall,
    /// The `async move` block.
    block: ExprAsync,
}

impl Boxed {
    /// Takes the body apart, if the function has this shape.
    pub(crate) fn detect(function: &Function) -> Option<Boxed> {
        let output = boxed_output(&function.output)?;
        let mut block: Block = syn::parse2(function.body.clone()).ok()?;
        let Some(Stmt::Expr(Expr::Call(call), None)) = block.stmts.pop() else {
            return None;
        };
        let Expr::Path(pin) = &*call.func else {
            return None;
        };
        if pin.path.segments.last()?.ident != "pin" || call.args.len() != 1 {
            return None;
        }
        let Some(Expr::Async(inner)) = call.args.first() else {
            return None;
        };
        let inner = inner.clone();
        Some(Boxed {
            output,
            lead: block.stmts,
            call,
            block: inner,
        })
    }

    /// The statements of the `async` block, in their braces.
    pub(crate) fn body(&self) -> TokenStream {
        self.block.block.to_token_stream()
    }

    /// Rejects statements before the `async` block that could change what the lookup inside it reads: those that name one of `read`
    /// (to rebind it, or to change it), and those that can't be seen into.
    pub(crate) fn check_lead(&self, read: &[Ident], errors: &mut Errors) {
        const REMEDY: &str =
            "move this statement into the block, or cache an `async fn` that this function calls";
        for stmt in &self.lead {
            if let Some(name) = mention(stmt, read) {
                errors.at(
                    name.span(),
                    format!(
                        "`{name}` is read in the `async` block below, where the call is looked up: {REMEDY}"
                    ),
                );
            } else if may_hide_names(stmt) {
                errors.on(
                    stmt,
                    format!(
                        "this may change what an argument's name means in the `async` block below, where the call is \
                         looked up: {REMEDY}"
                    ),
                );
            }
        }
    }

    /// Whether the function may return before the block, unless that can be ruled out.
    pub(crate) fn may_return_early(&self) -> bool {
        self.lead.iter().any(|stmt| returns(stmt, true))
    }

    /// Rejects statements that return before the block, which is where the value is put.
    pub(crate) fn check_put(&self, errors: &mut Errors) {
        for stmt in self.lead.iter().filter(|stmt| returns(stmt, false)) {
            errors.on(
                stmt,
                "this may return ahead of the `async` block below, and then nothing is put: move it into the block",
            );
        }
    }

    /// The function's body with `core` in place of the `async` block's statements.
    pub(crate) fn with_body(&self, core: &TokenStream) -> TokenStream {
        let Boxed {
            lead, call, block, ..
        } = self;
        let (func, async_token) = (&call.func, &block.async_token);
        // `core` reads arguments, so they move into the future even if the author's statements need none of them
        quote!(#(#lead)* #func(#async_token move { #core }))
    }

    /// `#[async_trait]` binds pattern arguments inside the block (`let (a, b) = …__arg1…;`). This finds out from there which names the
    /// body sees.
    pub(crate) fn name_patterns(&self, args: &mut [Arg]) {
        for stmt in &self.block.block.stmts {
            let Stmt::Local(local) = stmt else { continue };
            let (pat, Some(init)) = (&local.pat, &local.init) else {
                continue;
            };
            if matches!(pat, Pat::Ident(_) | Pat::Type(_)) {
                continue;
            }
            let renamed = args
                .iter_mut()
                .filter(|arg| arg.name.to_string().starts_with("__arg"));
            let init = &init.expr;
            if let Some(arg) = renamed
                .into_iter()
                .find(|arg| is_rebinding(init, &arg.name))
            {
                arg.pat = Some(pat.clone());
                arg.rebind = false;
            }
        }
    }
}

/// Whether a statement may return from the function. A macro may, but can't be seen into: `hidden` is the answer for macros.
fn returns(stmt: &Stmt, hidden: bool) -> bool {
    struct Returns {
        found: bool,
        hidden: bool,
    }
    impl VisitMut for Returns {
        // a return inside these leaves only these
        fn visit_item_mut(&mut self, _: &mut Item) {}
        fn visit_expr_closure_mut(&mut self, _: &mut syn::ExprClosure) {}
        fn visit_expr_async_mut(&mut self, _: &mut ExprAsync) {}

        fn visit_expr_return_mut(&mut self, _: &mut syn::ExprReturn) {
            self.found = true;
        }
        fn visit_expr_try_mut(&mut self, _: &mut syn::ExprTry) {
            self.found = true;
        }
        fn visit_macro_mut(&mut self, _: &mut syn::Macro) {
            self.found |= self.hidden;
        }
    }
    let mut returns = Returns {
        found: false,
        hidden,
    };
    returns.visit_stmt_mut(&mut stmt.clone());
    returns.found
}

/// Whether a statement may bind names that it does not spell out.
fn may_hide_names(stmt: &Stmt) -> bool {
    struct Macros(bool);
    impl VisitMut for Macros {
        fn visit_pat_mut(&mut self, pat: &mut Pat) {
            self.0 |= matches!(pat, Pat::Macro(_));
            visit_mut::visit_pat_mut(self, pat);
        }
    }
    match stmt {
        Stmt::Macro(_) | Stmt::Item(Item::Use(_) | Item::Macro(_)) => true,
        Stmt::Local(local) => {
            let mut macros = Macros(false);
            macros.visit_pat_mut(&mut local.pat.clone());
            macros.0
        }
        _ => false,
    }
}

/// Whether an initializer is the argument, alone or in a block.
fn is_rebinding(init: &Expr, name: &Ident) -> bool {
    match init {
        Expr::Path(path) => path.path.is_ident(name),
        Expr::Block(block) => contains_ident(block.to_token_stream(), &name.to_string()),
        _ => false,
    }
}

/// `T` of `Pin<Box<dyn Future<Output = T> + …>>`.
pub(crate) fn boxed_output(ty: &Type) -> Option<Type> {
    let boxed = only_argument(ty, "Pin")?;
    let future = only_argument(&boxed, "Box")?;
    let Type::TraitObject(object) = bare(&future) else {
        return None;
    };
    future_output(&object.bounds)
}

/// Whether a body ends in `Box::pin(async …)` or `async { … }.boxed()`, and so returns a boxed future, whatever the name of its type
/// is.
pub(crate) fn ends_in_boxed_future(body: &TokenStream) -> bool {
    let Some(TokenTree::Group(braces)) = body.clone().into_iter().next() else {
        return false;
    };
    let is_async = |args: &Group| {
        let first = args.stream().into_iter().next();
        matches!(first, Some(TokenTree::Ident(first)) if first == "async")
    };
    let trees: Vec<TokenTree> = braces.stream().into_iter().collect();
    match &trees[..] {
        [
            ..,
            TokenTree::Ident(home),
            TokenTree::Punct(_),
            TokenTree::Punct(_),
            TokenTree::Ident(pin),
            TokenTree::Group(args),
        ] => home == "Box" && pin == "pin" && is_async(args),
        [
            ..,
            TokenTree::Ident(word),
            TokenTree::Group(_),
            TokenTree::Punct(_),
            TokenTree::Ident(boxed),
            TokenTree::Group(_),
        ] => (word == "move" || word == "async") && (boxed == "boxed" || boxed == "boxed_local"),
        _ => false,
    }
}

/// `T` of a bound `…::Future<Output = T>`.
pub(crate) fn future_output<'a>(
    bounds: impl IntoIterator<Item = &'a TypeParamBound>,
) -> Option<Type> {
    bounds.into_iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let last = bound.path.segments.last();
        let last = last.filter(|last| last.ident == "Future")?;
        let PathArguments::AngleBracketed(generics) = &last.arguments else {
            return None;
        };
        generics.args.iter().find_map(|arg| match arg {
            GenericArgument::AssocType(output) if output.ident == "Output" => {
                Some(output.ty.clone())
            }
            _ => None,
        })
    })
}

/// `T` of a path `…::NAME<T>`.
fn only_argument(ty: &Type, name: &str) -> Option<Type> {
    let Type::Path(path) = bare(ty) else {
        return None;
    };
    let last = path
        .path
        .segments
        .last()
        .filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(generics) = &last.arguments else {
        return None;
    };
    match generics.args.first() {
        Some(GenericArgument::Type(inner)) if generics.args.len() == 1 => Some(inner.clone()),
        _ => None,
    }
}
