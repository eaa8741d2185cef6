//! The grammar of `scopes!`: levels, each with the argument that identifies its members, and the levels below it.
//!
//! This also parses the hierarchy that the hidden `hierarchy!` hands over, which has the same grammar.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Result, Token, Visibility, braced, parenthesized};

use super::mistakes;
use crate::parse::Errors;

/// How many levels a path has at most: as many as `Ids` of the crate `cacheado` takes.
const MOST_LEVELS: usize = 12;

/// The contents of `scopes! { … }`.
pub(crate) struct Scopes {
    /// The module to generate; `None`: `pub(crate) mod scope`.
    pub(crate) module: Option<Module>,
    pub(crate) hierarchy: Hierarchy,
}

/// `pub mod tenancy;`
pub(crate) struct Module {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
}

/// All levels of all trees, each after its parent.
#[derive(Default)]
pub(crate) struct Hierarchy {
    pub(crate) levels: Vec<Level>,
}

/// One level: `session(#[secret] session_id)`.
pub(crate) struct Level {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) name: Ident,
    /// The argument that identifies a member of the level.
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
            let has_braces = input.peek(syn::token::Brace);
            if has_braces {
                let below;
                braced!(below in input);
                self.parse_levels(Some(index), &below, errors)?;
            }
            if let Some(error) = mistakes::behind(&self.levels[index], has_braces, input) {
                return Err(error);
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
            // deeper ones would be the same mistake again
            if self.path(index).len() == MOST_LEVELS + 1 {
                errors.at(
                    level.name.span(),
                    format!(
                        "`{name}` is level {} of its path, which has at most {MOST_LEVELS}: leave out levels that no function \
                         names and no eviction needs",
                        MOST_LEVELS + 1
                    ),
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
        let name: Ident = input
            .parse()
            .map_err(|error| mistakes::no_name(input).unwrap_or(error))?;
        if !input.peek(syn::token::Paren) {
            return Err(mistakes::no_argument(&name, input));
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
            return Err(mistakes::lacks_argument(&name));
        }
        let param: Ident = content
            .parse()
            .map_err(|error| mistakes::no_param(&name, &content).unwrap_or(error))?;
        if !content.is_empty() {
            return Err(mistakes::behind_param(&name, &param, &content));
        }
        if let Some(error) = mistakes::is_type(&name, &param) {
            errors.push(error);
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
        if input.peek(syn::token::Brace) {
            return Err(input.error("the module lacks its name: `mod scope;`"));
        }
        let name = input.parse()?;
        if input.peek(syn::token::Brace) {
            return Err(input.error(format!(
                "the levels follow `mod {name};` without braces around them"
            )));
        }
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
        assert!(message(quote!(a(x) { b(y); })).contains("side by side"));
        assert!(message(quote!(global { a(x) })).contains("leave it out"));
        assert_eq!(message(quote!(a(a))), "fine");
        assert_eq!(message(quote!(r#type(r#mod) #[doc = "b"] b(str))), "fine");
    }

    #[test]
    fn levels_nest_in_braces() {
        let nests = "levels nest in braces: `a(x) { b(y) }`";
        assert_eq!(message(quote!(a(x) > b(y) > c(z))), nests);
        assert_eq!(message(quote!(a(x) -> b(y))), nests);
        assert_eq!(message(quote!(a(x) => b(y))), nests);
        assert_eq!(message(quote!(a(x) / b(y))), nests);
        assert_eq!(message(quote!(a(x)::b(y))), nests);
        assert_eq!(message(quote!(a(x).b(y))), nests);
        assert_eq!(message(quote!(a(x, b(y)))), nests);
        assert_eq!(message(quote!(c(z) { a(x) > b(y) })), nests);
        assert!(message(quote!(a(x) > b)).ends_with("`a(x) { … }`"));
        assert!(message(quote!(a(x) { b(y) } > c(z))).contains("below `a(x)`"));
    }

    #[test]
    fn what_is_no_name() {
        assert!(message(quote!("a"("x"))).contains("levels have no quotes: `a(…)`"));
        assert!(message(quote!(a("x"))).contains("no quotes: `a(x)`"));
        assert!(message(quote!(a(u64))).contains("`a(a_id)`"));
        assert!(message(quote!(a(secret x))).contains("`a(#[secret] x)`"));
        assert!(message(quote!(a[x])).contains("`a(x)`"));
        assert!(message(quote!(a = x)).contains("`a(x)`"));
        assert!(message(quote!(a: x)).contains("`a(x)`"));
        assert!(message(quote!(a - b(x))).contains("`a_b`"));
        assert!(message(quote!(pub a(x))).contains("`pub mod scope;`"));
        assert!(message(quote!(a(x) mod b;)).contains("ahead of all levels"));
        assert!(message(quote!(pub mod { a(x) })).contains("lacks its name"));
        assert!(message(quote!(pub mod b { a(x) })).contains("`mod b;` without braces"));
        assert!(message(quote!(type(x))).contains("keyword `type`"));
        assert!(message(quote!(1)).contains("expected a level"));
    }
}
