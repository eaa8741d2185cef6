//! The verbs, which are macros that take a call. They rewrite the call of a cached function to a call of one of its hidden companions,
//! so it is type-checked as the call it looks like.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprCall, ExprMethodCall, ExprPath, Member, Result, Token};

use crate::cache::companions::{BLANKS, free_name, sibling_name};
use crate::parse::{peel, start};
use crate::runtime::{Runtime, at, local};

/// One of the verbs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Evict,
    Expire,
    Peek,
    Put,
    Refresh,
    Bypass,
}

impl Verb {
    fn name(self) -> &'static str {
        let form = self.form();
        form.split('!').next().unwrap_or(form)
    }

    /// An example of its use, for error messages.
    fn form(self) -> &'static str {
        match self {
            Verb::Evict => "evict!(profile(org_id, user_id))",
            Verb::Expire => "expire!(profile(org_id, user_id))",
            Verb::Peek => "peek!(profile(org_id, user_id))",
            Verb::Put => "put!(profile(org_id, user_id), value)",
            Verb::Refresh => "refresh!(profile(org_id, user_id))",
            Verb::Bypass => "bypass!(profile(org_id, user_id))",
        }
    }
}

pub(crate) fn expand(verb: Verb, tokens: TokenStream) -> TokenStream {
    let parsed = (|input: ParseStream<'_>| parse(verb, input)).parse2(tokens);
    match parsed.and_then(|(call, value)| rewrite(verb, &call, value.as_ref())) {
        Ok(tokens) => tokens,
        Err(error) => error.to_compile_error(),
    }
}

fn parse(verb: Verb, input: ParseStream<'_>) -> Result<(Expr, Option<Expr>)> {
    if input.is_empty() {
        let message = format!("write the call of a cached function: `{}`", verb.form());
        return Err(Error::new(Span::call_site(), message));
    }
    let call: Expr = input.parse()?;
    if verb == Verb::Evict
        && let Expr::Assign(assign) = &call
        && name_alone(&assign.left).is_some_and(|name| name == "scope")
    {
        return Err(Error::new_spanned(
            call,
            "a scope is evicted by `cache.evict_by_scope(scope::user(org_id, user_id))`",
        ));
    }
    let mut value = None;
    if verb == Verb::Put {
        if input.parse::<Option<Token![,]>>()?.is_none() || input.is_empty() {
            return Err(Error::new_spanned(
                call,
                format!("the value to store is missing: `{}`", verb.form()),
            ));
        }
        value = Some(input.parse()?);
    }
    input.parse::<Option<Token![,]>>()?;
    if !input.is_empty() {
        return Err(input.error(format!("nothing else is expected here: `{}`", verb.form())));
    }
    Ok((call, value))
}

fn rewrite(verb: Verb, call: &Expr, value: Option<&Expr>) -> Result<TokenStream> {
    let runtime = Runtime::find();
    let what = match verb {
        Verb::Refresh | Verb::Bypass => "run",
        Verb::Evict | Verb::Expire | Verb::Peek => "call",
        Verb::Put => "put",
    };
    let Some(written) = WrittenCall::of(call) else {
        return Err(no_call(verb, call));
    };
    let handle = |extra: Option<TokenStream>| written.companion(what, extra);
    let mode = runtime.private("Mode");
    Ok(match verb {
        Verb::Refresh => handle(Some(quote!(#mode::Refresh))),
        Verb::Bypass => handle(Some(quote!(#mode::Bypass))),
        Verb::Evict => {
            let handle = handle(None);
            quote!(#handle.evict())
        }
        Verb::Expire => {
            let handle = handle(None);
            quote!(#handle.expire())
        }
        Verb::Peek | Verb::Put => {
            let handle = handle(None);
            let (handle_name, kind) = (local("__cacheado_call"), local("__cacheado_kind"));
            let then =
                value.map_or_else(|| quote!(peek(#kind)), |value| quote!(put(#kind, #value)));
            // temporaries that the call borrows from live until the end of a `match`; a `let` would drop them earlier
            quote! {
                match #handle {
                    #handle_name => match #handle_name.probe().__kind() {
                        #kind => #handle_name.#then,
                    },
                }
            }
        }
    })
}

/// The error for an `expr` that is not a call of a cached function. If `.await` or `?` follows the call, the message says to write it
/// after the verb.
fn no_call(verb: Verb, expr: &Expr) -> Error {
    let value = if verb == Verb::Put { ", value" } else { "" };
    let Some((call, behind)) = apart(expr) else {
        let message = match name_alone(expr) {
            Some(name) => lacks_arguments(&format!("{}!({name}(…){value})", verb.name())),
            None => format!("this is no call of a cached function: `{}`", verb.form()),
        };
        return Error::new_spanned(expr, message);
    };
    let function = call.name().map(Ident::to_string).unwrap_or_default();
    let verb = verb.name();
    Error::new_spanned(
        expr,
        format!("`{behind}` stands behind the verb: `{verb}!({function}(…){value}){behind}`"),
    )
}

/// The last segment of a path, or the name of a field, that is written in place of a call.
pub(crate) fn name_alone(expr: &Expr) -> Option<&Ident> {
    match peel(expr) {
        Expr::Path(path) => path.path.segments.last().map(|last| &last.ident),
        Expr::Field(field) => match &field.member {
            Member::Named(name) => Some(name),
            Member::Unnamed(_) => None,
        },
        _ => None,
    }
}

/// The message for a name without arguments. `form` shows how its call is written.
pub(crate) fn lacks_arguments(form: &str) -> String {
    format!("one call is named here, by its arguments: `{form}`")
}

/// The call before any `.await` and `?`, and the text of these.
fn apart(expr: &Expr) -> Option<(WrittenCall<'_>, String)> {
    let (inner, mark) = match peel(expr) {
        Expr::Await(wait) => (&wait.base, ".await"),
        Expr::Try(question) => (&question.expr, "?"),
        _ => return None,
    };
    match WrittenCall::of(inner) {
        Some(call) => Some((call, mark.to_owned())),
        None => apart(inner).map(|(call, behind)| (call, behind + mark)),
    }
}

/// A call of a cached function as the user wrote it, from which the paths of its companions are derived.
pub(crate) enum WrittenCall<'a> {
    /// `a::b::f(args)`: the companions are in the struct `f`.
    Free(&'a ExprCall, &'a ExprPath),
    /// `Type::f(args)`: the companions are beside `f`.
    Associated(&'a ExprCall, &'a ExprPath),
    /// `value.f(args)`: the companions are beside `f`.
    Method(&'a ExprMethodCall),
}

impl<'a> WrittenCall<'a> {
    /// The call in `expr`, if it is a call of something that has a name.
    pub(crate) fn of(expr: &'a Expr) -> Option<Self> {
        match peel(expr) {
            Expr::MethodCall(call) => Some(WrittenCall::Method(call)),
            Expr::Call(call) => match peel(&call.func) {
                Expr::Path(path) if is_associated(path) => {
                    Some(WrittenCall::Associated(call, path))
                }
                Expr::Path(path) => Some(WrittenCall::Free(call, path)),
                _ => None,
            },
            _ => None,
        }
    }

    /// A call of the companion `what`, with `extra` after the arguments.
    pub(crate) fn companion(&self, what: &str, extra: Option<TokenStream>) -> TokenStream {
        self.call_with(what, extra, self.args())
    }

    /// A call of the companion that takes no skipped arguments or, if one of the arguments is `_`, of the one that takes a blank for
    /// each skipped argument. The other arguments are passed through `pass`.
    pub(crate) fn keyed(&self, pass: impl Fn(&Expr) -> Expr) -> TokenStream {
        let is_blank = |arg: &Expr| matches!(arg, Expr::Infer(_));
        let what = if self.args().iter().any(is_blank) {
            BLANKS
        } else {
            "keyed"
        };
        let args = self.args().iter().map(|arg| match arg {
            Expr::Infer(blank) => {
                let skipped = Runtime::find().private_at("Skipped", blank.underscore_token.span);
                syn::parse_quote!(#skipped)
            }
            arg => pass(arg),
        });
        self.call_with(what, None, &args.collect())
    }

    /// The function's name.
    fn name(&self) -> Option<&Ident> {
        match self {
            WrittenCall::Free(_, path) | WrittenCall::Associated(_, path) => {
                path.path.segments.last().map(|last| &last.ident)
            }
            WrittenCall::Method(call) => Some(&call.method),
        }
    }

    fn args(&self) -> &Punctuated<Expr, Token![,]> {
        match self {
            WrittenCall::Free(call, _) | WrittenCall::Associated(call, _) => &call.args,
            WrittenCall::Method(call) => &call.args,
        }
    }

    fn call_with(
        &self,
        what: &str,
        extra: Option<TokenStream>,
        args: &Punctuated<Expr, Token![,]>,
    ) -> TokenStream {
        let args = args.iter().map(|arg| quote!(#arg)).chain(extra);
        match self {
            WrittenCall::Method(call) => {
                let ExprMethodCall {
                    receiver,
                    dot_token,
                    method,
                    turbofish,
                    ..
                } = call;
                let name = sibling_name(what, method);
                let span = at(call.paren_token.span.join());
                quote_spanned!(span=> #receiver #dot_token #name #turbofish(#(#args),*))
            }
            WrittenCall::Free(call, path) => {
                let mut home = (*path).clone();
                let Some(last) = home.path.segments.last_mut() else {
                    return TokenStream::new();
                };
                let arguments = std::mem::take(&mut last.arguments);
                let name = free_name(what, last.ident.span());
                // written as a type (`<f>::…`): the compiler takes an unknown name in a path for a crate, and would suggest adding it
                let open = quote_spanned!(start(path)=> <);
                let close = quote_spanned!(name.span()=> >);
                let span = at(call.paren_token.span.join());
                quote_spanned!(span=> #open #home #close::#name #arguments(#(#args),*))
            }
            WrittenCall::Associated(call, path) => {
                let mut path = (*path).clone();
                if let Some(last) = path.path.segments.last_mut() {
                    last.ident = sibling_name(what, &last.ident);
                }
                let span = at(call.paren_token.span.join());
                quote_spanned!(span=> #path(#(#args),*))
            }
        }
    }
}

/// Whether a path names an associated function. Types begin with a capital letter, modules don't.
fn is_associated(path: &ExprPath) -> bool {
    let segments = &path.path.segments;
    path.qself.is_some()
        || segments.iter().rev().nth(1).is_some_and(|home| {
            !home.arguments.is_none() || home.ident.to_string().starts_with(char::is_uppercase)
        })
}
