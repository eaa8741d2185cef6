//! The names of functions, and the key space that each name gives its function.

use std::any::TypeId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroUsize;
use std::sync::{LazyLock, Mutex, PoisonError};

use cacheado_backends::{Error, Level, LevelDef, Space, SpaceSpec};

use super::Function;
use super::path::Path;
use super::site::Types;
use crate::cache::Cache;
use crate::value::ValueType;

/// The claimed names.
type Names = HashMap<Name, Claim>;
static NAMES: LazyLock<Mutex<Names>> = LazyLock::new(Mutex::default);

/// What distinguishes names.
#[derive(PartialEq, Eq, Hash)]
struct Name {
    text: String,
    version: u32,
    /// A path is not an explicit name, even if it reads the same.
    explicit: bool,
    /// Whether the name is valid in all processes. A name that is valid in this process alone does not block one that is valid in all.
    stable: bool,
    /// The types that the text of the name does not distinguish.
    types: Option<Types>,
}

impl Name {
    /// Whether the names differ only in `types`, which only this process can distinguish.
    fn reads_as(&self, other: &Self) -> bool {
        self.types != other.types
            && (&self.text, self.version) == (&other.text, other.version)
            && (self.explicit, self.stable) == (other.explicit, other.stable)
    }
}

/// A name that is taken.
struct Claim {
    space: &'static Space,
    by: String,
    /// The item that has it, by the address of its `SiteSpec`.
    site: usize,
    shape: Shape,
    /// All functions that have it, including the first: agreement with one does not imply agreement with another.
    orders: Vec<Order>,
}

/// The order of a function's arguments.
struct Order {
    of: String,
    /// The names of the arguments in its key, empty for one without a name.
    args: &'static [&'static str],
}

impl Order {
    /// Whether an argument of `other` has the name of one at a different position here. By their types alone, one could be taken for
    /// the other.
    fn is_another_than(&self, other: &Self) -> bool {
        self.args.iter().zip(other.args).any(|(mine, theirs)| {
            let elsewhere = |name: &&str, args: &[&str]| !name.is_empty() && args.contains(name);
            mine != theirs && (elsewhere(mine, other.args) || elsewhere(theirs, self.args))
        })
    }
}

impl Claim {
    /// Lets another function share the name. The error is the function that stands in the way, and why.
    fn join(
        &mut self,
        shape: &Shape,
        order: Order,
        max_items: Option<NonZeroUsize>,
    ) -> Result<&'static Space, (String, &'static str)> {
        if let Some(reason) = shape.differs_from(&self.shape) {
            return Err((self.by.clone(), reason));
        }
        if let Some(other) = self.orders.iter().find(|it| order.is_another_than(it)) {
            return Err((other.of.clone(), "their arguments stand in another order"));
        }
        // they share the entries and so their bound, which the first function with one sets; a function without one, such as most
        // puts, accepts it
        if max_items.is_some_and(|most| self.space.bound(most) != most) {
            return Err((self.by.clone(), "their `max_items` differ"));
        }
        self.orders.push(order);
        Ok(self.space)
    }
}

/// What functions that share a name on purpose must agree on.
struct Shape {
    args: String,
    value: TypeId,
    level: Level,
    /// If only one of them were local, what it puts or evicts would leave the other's entry in the shared tier.
    local: bool,
}

impl Shape {
    /// What the other differs in.
    fn differs_from(&self, other: &Self) -> Option<&'static str> {
        if self.args != other.args {
            Some("their arguments differ")
        } else if self.value != other.value {
            Some("their values are of two types")
        } else if self.level != other.level {
            Some("their scopes differ")
        } else if self.local != other.local {
            Some("only one of them is `local`")
        } else {
            None
        }
    }
}

/// The arguments' types, as compared between functions that share a name. A reference equals what it refers to, and `&str` equals
/// `String`, because their stored form is the same.
fn shape_of_args(types: &str) -> String {
    types
        .replace("alloc::string::String", "str")
        .replace('&', "")
        .replace("mut ", "")
}

impl Function {
    /// Whether the name means this function in every process. A path does if it is a module's. An explicit name does unless the
    /// function is instantiated with a closure, because all closures print alike.
    fn has_stable_name(&self, instance: &str) -> bool {
        let spec = self.spec;
        if spec.name.is_some() {
            return !instance.contains("{{");
        }
        let declared = Path::of((spec.declared)());
        self.printed
            .is_modules(&declared, &spec.module(), spec.method)
    }

    /// The path and its target: a binary and the library of one package may both be called `shop`.
    fn path_in_target(&self) -> String {
        match self.spec.target {
            Some(target) => format!("{target} {}", self.path),
            None => self.path.clone(),
        }
    }

    /// The key space. `Err` is the space of other functions that have its explicit name and differ from it.
    #[cold]
    pub(super) fn claim(
        &self,
        args: &str,
        value: TypeId,
        values: &ValueType,
        cache: &Cache,
    ) -> Result<&'static Space, &'static Space> {
        let spec = self.spec;
        let level = spec.level.map_or_else(Level::global, LevelDef::level);
        let max_items = spec.max_items.and_then(NonZeroUsize::new);
        let shape = Shape {
            args: shape_of_args(args),
            value,
            level,
            local: values.codec.is_none(),
        };
        // functions share an explicit name, instances of one function never do
        let instance = self.printed.instance(spec.method);
        let name = spec
            .name
            .map_or_else(|| self.path_in_target(), |name| format!("{name}{instance}"));
        let create = |name: String, stable: bool| {
            let space = Space::create(SpaceSpec {
                name,
                version: spec.version,
                explicit: spec.name.is_some(),
                level,
                stable,
            });
            max_items.map(|most| space.bound(most));
            space
        };
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let explicit = spec.name.is_some();
        let stable = self.has_stable_name(&instance);
        if !stable && values.codec.is_some() && cache.shared().is_some() {
            tracing::warn!(
                function = %self.path,
                "other processes could not tell a function from others: its entries stay in this one; a `name` shares them, unless there is a closure among its type arguments"
            );
        }
        let site = std::ptr::from_ref(spec).addr();
        let order = Order {
            of: self.path.clone(),
            args: spec.args,
        };
        let (types, known) = self.types_of_name(&instance);
        let key = Name {
            text: name.clone(),
            version: spec.version,
            explicit,
            stable,
            types,
        };
        let taken = explicit && stable && names.keys().any(|other| key.reads_as(other));
        let alone = format!("{name}#{}", names.len());
        match names.entry(key) {
            // if it is taken, another process could not distinguish the two types that read alike
            Entry::Vacant(vacant) => {
                let space = if taken {
                    tracing::warn!(
                        function = %self.path,
                        "two types that are called alike share an explicit name: the entries of the second stay in this process; another one may have it the other way round, so rename one of them, if they may leave it"
                    );
                    create(alone, false)
                } else {
                    create(name, stable)
                };
                let by = self.path.clone();
                vacant.insert(Claim {
                    space,
                    by,
                    site,
                    shape,
                    orders: vec![order],
                });
                Ok(space)
            }
            // sharing is on purpose only between two different items that both have the name explicitly
            Entry::Occupied(mut taken)
                if explicit && stable && known && taken.get().site != site =>
            {
                let (first, reason) = match taken.get_mut().join(&shape, order, max_items) {
                    Ok(space) => return Ok(space),
                    Err(conflict) => conflict,
                };
                let error = Error::NameConflict {
                    name,
                    first,
                    second: self.path.clone(),
                    reason,
                };
                tracing::error!(%error, "a function runs uncached");
                Err(taken.get().space)
            }
            // one name for two instances (of closures, or of local types of one name): no process could distinguish them by it, so the
            // entries of the second stay in this one
            Entry::Occupied(taken) => {
                let other = &taken.get().by;
                tracing::debug!(function = %self.path, %other, "two functions have one path: the second is cached in the process alone");
                Ok(create(alone, false))
            }
        }
    }

    /// The types that distinguish instances of an explicit name where its text does not, as two blocks may have types of one name; and
    /// whether all such types are known.
    fn types_of_name(&self, instance: &str) -> (Option<Types>, bool) {
        let spec = self.spec;
        if spec.name.is_none() || Path::is_plain(instance) {
            return (None, true);
        }
        let types = self
            .types
            .filter(|_| !self.printed.is_of_trait_with_arguments())
            .map(|types| Types {
                // methods of two types share a name on purpose, unless the types have arguments
                of: if self.printed.is_of_instance(spec.method) {
                    types.of
                } else {
                    TypeId::of::<()>()
                },
                ..types
            });
        let declared = Path::of((spec.declared)());
        let known = types.is_some()
            || self
                .printed
                .is_modules(&declared, &spec.module(), spec.method);
        (types, known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_one_name_agree_in_all_that_their_entries_have_in_common() {
        static ORG: LevelDef = LevelDef::new("organization", "org_id", None, false);
        let shape = || Shape {
            args: shape_of_args("(&u32, &alloc::string::String)"),
            value: TypeId::of::<u8>(),
            level: Level::global(),
            local: false,
        };
        let differs = |change: fn(&mut Shape)| {
            let mut other = shape();
            change(&mut other);
            shape().differs_from(&other)
        };
        assert_eq!(differs(|it| it.args = shape_of_args("(&u32, &str)")), None);
        assert_eq!(
            differs(|it| it.args = shape_of_args("(&u64, &str)")),
            Some("their arguments differ")
        );
        assert_eq!(
            differs(|it| it.value = TypeId::of::<u16>()),
            Some("their values are of two types")
        );
        assert_eq!(
            differs(|it| it.level = ORG.level()),
            Some("their scopes differ")
        );
        assert_eq!(
            differs(|it| it.local = true),
            Some("only one of them is `local`")
        );
    }
}
