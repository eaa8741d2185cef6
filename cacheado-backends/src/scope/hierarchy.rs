//! Hierarchies at run time: the names of levels and arguments, for scopes that are named by text.

use std::sync::Arc;

use super::{IdText, Level, Scope, ScopeId};
use crate::error::{Error, Result};

/// The levels by which scopes can be named at run time.
///
/// `scope::hierarchy()` gives the one that `scopes!` declared; [`Hierarchy::builder`] makes one by hand. Cloning is cheap.
///
/// ```
/// use cacheado::Hierarchy;
///
/// let hierarchy = Hierarchy::builder()
///     .level("organization", "org_id")
///     .level_under("organization", "user", "user_id")
///     .build()?;
/// let user = hierarchy.scope("user", [("org_id", "acme"), ("user_id", "7")])?;
/// assert_eq!(user.to_string(), "organization=acme/user=7");
///
/// let error = hierarchy.scope("user", [("org_id", "acme")]).unwrap_err();
/// assert!(error.to_string().contains("user_id"));
/// # Ok::<(), cacheado::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hierarchy(Arc<[(Level, String)]>);

impl Hierarchy {
    /// Starts building a hierarchy.
    #[must_use]
    pub fn builder() -> HierarchyBuilder {
        HierarchyBuilder::default()
    }

    /// The hierarchy of these levels, each after its parent, with the name of the argument that identifies its tenants. Only this
    /// crate and generated code call it, and they leave out no parent.
    #[doc(hidden)]
    #[must_use]
    pub fn of(levels: impl IntoIterator<Item = (Level, String)>) -> Self {
        Self(levels.into_iter().collect())
    }

    /// The levels, each after its parent, with the names of their arguments; the root is not among them.
    pub fn levels(&self) -> impl Iterator<Item = (Level, &str)> {
        self.0.iter().map(|(level, param)| (*level, param.as_str()))
    }

    /// The level of that name (`"user"`) or path (`"organization/user"`); `"global"` is the root.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLevel`] if there is none.
    pub fn level(&self, name: &str) -> Result<Level> {
        if name == "global" {
            return Ok(Level::global());
        }
        let found = self
            .levels()
            .find(|(level, _)| level.name() == name || level.path() == name);
        found
            .map(|(level, _)| level)
            .ok_or_else(|| Error::UnknownLevel {
                level: name.to_owned(),
                known: self
                    .levels()
                    .map(|(level, _)| level.path().to_owned())
                    .collect(),
            })
    }

    /// The scope of the level called `level`, by name or path, with the ids that `params` gives by their arguments' names. Ids of
    /// other levels are ignored.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLevel`] for a level that is not declared, [`Error::MissingParam`] for an id that `params` lacks,
    /// [`Error::RepeatedParam`] for one that it has twice.
    pub fn scope<N, V>(
        &self,
        level: &str,
        params: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Scope>
    where
        N: AsRef<str>,
        V: ScopeId,
    {
        let level = self.level(level)?;
        let params: Vec<(N, V)> = params.into_iter().collect();
        let ids = level.chain().into_iter().map(|step| {
            let param = self
                .levels()
                .find(|(own, _)| *own == step)
                .map_or("", |(_, param)| param);
            let mut given = params.iter().filter(|(name, _)| name.as_ref() == param);
            match (given.next(), given.next()) {
                (Some((_, id)), None) => Ok(id.id_text()),
                (None, _) => Err(Error::MissingParam {
                    level: level.path().to_owned(),
                    step: step.name().to_owned(),
                    param: param.to_owned(),
                }),
                // it is unclear whose scope is meant
                (Some(_), Some(_)) => Err(Error::RepeatedParam {
                    level: level.path().to_owned(),
                    param: param.to_owned(),
                }),
            }
        });
        let ids: Vec<IdText<'_>> = ids.collect::<Result<_>>()?;
        Ok(Scope::new(level, &ids))
    }
}

fn with(secret: bool) -> &'static str {
    if secret { "with" } else { "without" }
}

/// A level as it was declared.
#[derive(Clone, Debug)]
struct Declared {
    parent: Option<String>,
    name: String,
    param: String,
    secret: bool,
}

/// Builds a [`Hierarchy`] at run time.
#[derive(Clone, Debug, Default)]
pub struct HierarchyBuilder {
    levels: Vec<Declared>,
    /// `secret` was called before any level.
    secret_of_none: bool,
}

impl HierarchyBuilder {
    /// Adds a level directly under the root. `param` is the name of the argument that identifies its tenants.
    #[must_use]
    pub fn level(self, name: impl Into<String>, param: impl Into<String>) -> Self {
        self.declare(None, name.into(), param.into())
    }

    /// Adds a level under `parent`, which must have been added before.
    #[must_use]
    pub fn level_under(
        self,
        parent: impl Into<String>,
        name: impl Into<String>,
        param: impl Into<String>,
    ) -> Self {
        self.declare(Some(parent.into()), name.into(), param.into())
    }

    /// Marks the ids of the level that was added last as secret, as `#[secret]` does in `scopes!`: they leave the process only as
    /// keyed hashes. Unless the cache's builder has a `secret_key`, the entries stay in the process, and evictions at that level reach
    /// no other process.
    ///
    /// All declarations of a level of the same path in a process must agree: a hierarchy that does not is not [built](Self::build). A
    /// level of `scopes!` is known, and secret, from its first use on.
    #[must_use]
    pub fn secret(mut self) -> Self {
        match self.levels.last_mut() {
            Some(level) => level.secret = true,
            None => self.secret_of_none = true,
        }
        self
    }

    fn declare(mut self, parent: Option<String>, name: String, param: String) -> Self {
        self.levels.push(Declared {
            parent,
            name,
            param,
            secret: false,
        });
        self
    }

    /// Builds the hierarchy.
    ///
    /// # Errors
    ///
    /// [`Error::Hierarchy`] if a name is empty, reserved (`global`, `hierarchy`), contains a `/`, or is used twice, for a level or for
    /// an argument; if a parent is not added before its children; if [`secret`](Self::secret) comes before any level; or if the
    /// process knows a level of the same path as secret and this one is not, or the other way round.
    pub fn build(self) -> Result<Hierarchy> {
        let wrong = |message: String| Err(Error::Hierarchy { message });
        if self.secret_of_none {
            return wrong(
                "`secret` comes before any level: call it after the level whose ids are secret"
                    .to_owned(),
            );
        }
        let mut levels: Vec<(Level, String)> = Vec::with_capacity(self.levels.len());
        for Declared {
            parent,
            name,
            param,
            secret,
        } in self.levels
        {
            if name.is_empty() || name.contains('/') {
                return wrong(format!(
                    "`{name}` can't name a level: a name is not empty and holds no `/`"
                ));
            }
            if name == "global" || name == "hierarchy" {
                return wrong(format!("`{name}` is reserved: give the level another name"));
            }
            if param.is_empty() {
                return wrong(format!(
                    "level `{name}` has no argument: say which argument names its tenants"
                ));
            }
            if levels.iter().any(|(level, _)| level.name() == name) {
                return wrong(format!("level `{name}` is declared twice"));
            }
            if levels.iter().any(|(_, other)| *other == param) {
                return wrong(format!(
                    "argument `{param}` names the tenants of two levels"
                ));
            }
            let under = match parent {
                None => Level::global(),
                Some(parent) => match levels.iter().find(|(level, _)| level.name() == parent) {
                    Some((level, _)) => *level,
                    None => {
                        return wrong(format!(
                            "level `{name}` stands under `{parent}`, which is not declared before it"
                        ));
                    }
                },
            };
            let level = Level::declare(under, &name, secret).map_err(|level| {
                let (path, others) = (level.path(), with(level.is_secret()));
                let message = format!(
                    "level `{path}` is declared {others} secret ids elsewhere in the process, and {} here: declare it alike, or entries are stored under ids that are hashed at one time and not at another",
                    with(secret)
                );
                Error::Hierarchy { message }
            })?;
            levels.push((level, param));
        }
        Ok(Hierarchy::of(levels))
    }
}
