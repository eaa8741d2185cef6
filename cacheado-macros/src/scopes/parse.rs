//! The grammar of `scopes!`: levels, each with the argument that tells one member from another, and
//! the levels below it.
//!
//! Also reads the hierarchy back from what the hidden `hierarchy!` hands over, which is in the same
//! grammar.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Result, Token, Visibility, braced, parenthesized};

use crate::parse::Errors;

/// What stands in `scopes! { … }`.
pub(crate) struct Scopes {
    /// The module to make; none: `pub(crate) mod scope`.
    pub(crate) module: Option<Module>,
    pub(crate) hierarchy: Hierarchy,
}

/// `pub mod tenancy;`
pub(crate) struct Module {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
}

/// All levels of all trees, each behind its parent.
#[derive(Default)]
pub(crate) struct Hierarchy {
    pub(crate) levels: Vec<Level>,
}

/// One level: `session(#[secret] session_id)`.
pub(crate) struct Level {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) name: Ident,
    /// The argument that tells one member of the level from another.
    pub(crate) param: Ident,
    pub(crate) secret: bool,
    pub(crate) parent: Option<usize>,
}

impl Hierarchy {
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.levels.iter().position(|level| level.name() == name)
    }

    /// The levels from the root down to this one.
    pub(crate) fn path(&self, level: usize) -> Vec<&Level> {
        let mut path = vec![&self.levels[level]];
        while let Some(parent) = path.last().and_then(|level| level.parent) {
            path.push(&self.levels[parent]);
        }
        path.reverse();
        path
    }

    /// `organization/user`
    pub(crate) fn path_text(&self, level: usize) -> String {
        let names: Vec<String> = self.path(level).iter().map(|level| level.name()).collect();
        names.join("/")
    }

    /// The hierarchy in the grammar of `scopes!`, without its documentation.
    pub(crate) fn tokens(&self) -> TokenStream {
        self.children_tokens(None)
    }

    fn children_tokens(&self, parent: Option<usize>) -> TokenStream {
        let children = self
            .levels
            .iter()
            .enumerate()
            .filter(|(_, level)| level.parent == parent);
        children
            .map(
                |(
                    index,
                    Level {
                        name,
                        param,
                        secret,
                        ..
                    },
                )| {
                    let secret = secret.then(|| quote!(#[secret]));
                    let below = self.children_tokens(Some(index));
                    quote!(#name(#secret #param) { #below })
                },
            )
            .collect()
    }

    fn parse_levels(
        &mut self,
        parent: Option<usize>,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> Result<()> {
        while !input.is_empty() {
            let index = self.levels.len();
            let level = Level::parse(parent, input, errors)?;
            self.levels.push(level);
            if input.peek(syn::token::Brace) {
                let below;
                braced!(below in input);
                self.parse_levels(Some(index), &below, errors)?;
            }
            if input.peek(Token![,]) || input.peek(Token![;]) {
                return Err(input.error("levels stand side by side, with nothing between them"));
            }
        }
        Ok(())
    }

    fn check(&self, errors: &mut Errors) {
        for (index, level) in self.levels.iter().enumerate() {
            let earlier = &self.levels[..index];
            let name = level.name();
            if name == "global" || name == "hierarchy" {
                let what = if name == "global" {
                    "the root of all levels"
                } else {
                    "a function"
                };
                errors.at(
                    level.name.span(),
                    format!("`{name}` is reserved for {what}: choose another name"),
                );
            } else if earlier.iter().any(|other| other.name == level.name) {
                errors.at(
                    level.name.span(),
                    format!("there are two levels `{name}`: names are unique over all trees"),
                );
            }
            if let Some(other) = earlier.iter().find(|other| other.param == level.param) {
                errors.at(
                    level.param.span(),
                    format!(
                        "the argument `{}` already belongs to the level `{}`: arguments are unique \
                         over all trees",
                        level.param,
                        other.name()
                    ),
                );
            }
        }
    }
}

impl Level {
    /// The level's name, without `r#`.
    pub(crate) fn name(&self) -> String {
        self.name.unraw().to_string()
    }

    /// The name of its argument, without `r#`.
    pub(crate) fn param(&self) -> String {
        self.param.unraw().to_string()
    }

    fn parse(parent: Option<usize>, input: ParseStream<'_>, errors: &mut Errors) -> Result<Level> {
        let docs = input.call(Attribute::parse_outer)?;
        for attr in docs.iter().filter(|attr| !attr.path().is_ident("doc")) {
            let hint = if attr.path().is_ident("secret") {
                "`#[secret]` stands on the argument: `session(#[secret] session_id)`"
            } else {
                "a level takes no attribute but documentation"
            };
            errors.on(attr, hint);
        }
        let name: Ident = input.parse()?;
        if !input.peek(syn::token::Paren) {
            return Err(lacks_argument(&name));
        }
        let content;
        parenthesized!(content in input);
        let mut secret = false;
        for attr in content.call(Attribute::parse_outer)? {
            if attr.path().is_ident("secret") && attr.meta.require_path_only().is_ok() && !secret {
                secret = true;
            } else {
                errors.on(
                    attr,
                    "the only attribute of a level's argument is `#[secret]`, once",
                );
            }
        }
        if content.is_empty() {
            return Err(lacks_argument(&name));
        }
        let param: Ident = content.parse()?;
        if !content.is_empty() {
            return Err(content.error(format!(
                "a level has one argument, which tells one `{name}` from another, and no type"
            )));
        }
        Ok(Level {
            docs,
            name,
            param,
            secret,
            parent,
        })
    }
}

fn lacks_argument(name: &Ident) -> Error {
    Error::new(
        name.span(),
        format!(
            "the level `{name}` lacks the argument that tells one from another: `{name}({name}_id)`"
        ),
    )
}

impl Parse for Hierarchy {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut hierarchy = Hierarchy::default();
        let mut errors = Errors::default();
        let parsed = hierarchy.parse_levels(None, input, &mut errors);
        errors.take(parsed);
        hierarchy.check(&mut errors);
        errors.finish()?;
        Ok(hierarchy)
    }
}

impl Parse for Scopes {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let ahead = input.fork();
        let names_module = ahead.call(Attribute::parse_outer).is_ok()
            && ahead.parse::<Visibility>().is_ok()
            && ahead.peek(Token![mod]);
        let module = if names_module {
            Some(input.parse()?)
        } else {
            None
        };
        let hierarchy: Hierarchy = input.parse()?;
        if hierarchy.levels.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                "no level is declared: `scopes! { organization(org_id) }`",
            ));
        }
        Ok(Scopes { module, hierarchy })
    }
}

impl Parse for Module {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        input.parse::<Token![mod]>()?;
        let name = input.parse()?;
        input.parse::<Token![;]>()?;
        Ok(Module { attrs, vis, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tokens: TokenStream) -> String {
        match syn::parse2::<Scopes>(tokens) {
            Ok(_) => String::from("fine"),
            Err(error) => error
                .into_iter()
                .map(|e| e.to_string())
                .collect::<Vec<_>>()
                .join("; "),
        }
    }

    #[test]
    fn trees() {
        let scopes: Scopes = syn::parse2(quote! {
            /// Who we sell to.
            pub mod tenancy;
            organization(org_id) { user(user_id) { session(#[secret] session_id) } }
            car(car_id) { door(door) }
        })
        .unwrap();
        assert!(scopes.module.is_some_and(|module| module.name == "tenancy"));
        let hierarchy = scopes.hierarchy;
        assert_eq!(hierarchy.path_text(2), "organization/user/session");
        assert_eq!(hierarchy.path_text(4), "car/door");
        assert!(hierarchy.levels[2].secret);
        let again: Hierarchy = syn::parse2(hierarchy.tokens()).unwrap();
        assert_eq!(again.path_text(2), "organization/user/session");
        assert!(again.levels[2].secret);
        assert_eq!(again.path_text(4), "car/door");
    }

    #[test]
    fn one_message_per_mistake() {
        assert!(message(quote!()).contains("no level"));
        assert!(message(quote!(a(x) { a(y) })).contains("two levels `a`"));
        assert!(message(quote!(a(x) b(x))).contains("already belongs to the level `a`"));
        assert!(message(quote!(global(x))).contains("reserved"));
        assert!(message(quote!(hierarchy(x))).contains("reserved"));
        assert!(message(quote!(a {})).contains("lacks the argument"));
        assert!(message(quote!(a())).contains("lacks the argument"));
        assert!(
            message(quote!(a(
                #[hidden]
                x
            )))
            .contains("#[secret]")
        );
        assert!(
            message(quote!(
                #[secret]
                a(x)
            ))
            .contains("stands on the argument")
        );
        assert!(message(quote!(a(x: u64))).contains("no type"));
        assert!(message(quote!(a(x), b(y))).contains("side by side"));
        assert_eq!(message(quote!(a(a))), "fine");
    }
}
