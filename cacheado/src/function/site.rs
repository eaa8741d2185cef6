//! Functions as they stand in the source: what generated code says of each, and which instances of it there are.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use cacheado_backends::LevelDef;

use super::Function;
use super::path::Path;
use crate::aging::Aging;
use crate::load::Sharing;

/// What the attribute says of a function.
#[derive(Debug)]
pub(super) struct SiteSpec {
    /// `module_path!()`.
    pub(super) module: &'static str,
    /// What `type_name` prints of a type that is declared inside of it.
    pub(super) declared: fn() -> &'static str,
    /// Where the name stands.
    pub(super) line: u32,
    pub(super) column: u32,
    /// Whether it is a method or an associated function.
    pub(super) method: bool,
    /// What its crate is, if not a library, as whose path it may have the same.
    pub(super) target: Option<&'static str>,
    pub(super) name: Option<&'static str>,
    /// With an explicit name, those of the arguments that make up the key, in their order; empty for what has none.
    pub(super) args: &'static [&'static str],
    pub(super) version: u32,
    /// `None`: global.
    pub(super) level: Option<&'static LevelDef>,
    pub(super) max_items: Option<usize>,
    pub(super) sharing: Sharing,
    pub(super) ttl: Option<Duration>,
    pub(super) aging: Aging,
    /// Whether its body owns what it needs, so that it can run in the background.
    pub(super) owned: bool,
}

/// A function as it stands in the source; a generic one has an instance for each instantiation.
#[derive(Debug)]
pub struct Site {
    spec: SiteSpec,
    /// The first instance: the only one, unless the function is generic.
    first: OnceLock<&'static Function>,
}

/// The instances of generic functions, by identity. Never shrinks; a program has as many as the compiler made.
static INSTANCES: LazyLock<RwLock<HashMap<TypeId, &'static Function>>> =
    LazyLock::new(RwLock::default);

impl Site {
    /// A free function in `module`, which is what `module_path!()` gives, whose name stands at that `line`
    /// and `column`; `declared` gives the path of an `__Item` that is declared inside of it. The others say what its attribute says.
    #[must_use]
    pub const fn new(
        module: &'static str,
        declared: fn() -> &'static str,
        line: u32,
        column: u32,
    ) -> Self {
        let spec = SiteSpec {
            module,
            declared,
            line,
            column,
            method: false,
            target: None,
            name: None,
            args: &[],
            version: 0,
            level: None,
            max_items: None,
            sharing: Sharing::Single,
            ttl: None,
            aging: Aging::NONE,
            owned: false,
        };
        Self {
            spec,
            first: OnceLock::new(),
        }
    }

    /// It is a method or an associated function.
    #[must_use]
    pub const fn method(mut self) -> Self {
        self.spec.method = true;
        self
    }

    /// Its crate is no library but a `target` beside one, which may have the same name.
    #[must_use]
    pub const fn target(mut self, target: &'static str) -> Self {
        self.spec.target = Some(target);
        self
    }

    /// Its explicit name, and those of the arguments that make up its key.
    #[must_use]
    pub const fn name(mut self, name: &'static str, args: &'static [&'static str]) -> Self {
        (self.spec.name, self.spec.args) = (Some(name), args);
        self
    }

    /// Its version.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.spec.version = version;
        self
    }

    /// Its scope level.
    #[must_use]
    pub const fn level(mut self, level: &'static LevelDef) -> Self {
        self.spec.level = Some(level);
        self
    }

    /// The bound for this function alone. One that is more than there can be in memory is as good as the most that can be.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is at least 1, and what is too large is not cast"
    )]
    pub const fn max_items(mut self, most: i128) -> Self {
        let all = usize::MAX;
        self.spec.max_items = Some(if most < all as i128 {
            most as usize
        } else {
            all
        });
        self
    }

    /// Callers at once don't share one load.
    #[must_use]
    pub const fn without_single_flight(mut self) -> Self {
        self.spec.sharing = Sharing::Beside;
        self
    }

    /// Callers at once share one load, in whatever process they are.
    #[must_use]
    pub const fn single_flight_in_cluster(mut self) -> Self {
        self.spec.sharing = Sharing::Cluster;
        self
    }

    /// The lifetime of its values, if that is one for all.
    #[must_use]
    pub const fn ttl(mut self, seconds: u64, nanos: u32) -> Self {
        self.spec.ttl = Some(Duration::new(seconds, nanos));
        self
    }

    /// How long past its lifetime a value may stand in for one that can't be had.
    #[must_use]
    pub const fn stale(mut self, span: Duration) -> Self {
        self.spec.aging.stale = Some(span);
        self
    }

    /// The part of its lifetime past which a hit begins a refresh.
    ///
    /// # Panics
    ///
    /// When compiling, if it is out of its range.
    #[must_use]
    pub const fn refresh_after(mut self, part: f64) -> Self {
        assert!(
            part > 0.0 && part < 1.0,
            "`refresh_after` is more than 0 and less than 1"
        );
        self.spec.aging.refresh_after = Some(part);
        self
    }

    /// How eagerly a hit begins a refresh, the more so the closer the end is and the longer a load takes.
    ///
    /// # Panics
    ///
    /// When compiling, if it is out of its range.
    #[must_use]
    pub const fn xfetch(mut self, eagerness: f64) -> Self {
        assert!(eagerness > 0.0, "`xfetch` is more than 0");
        self.spec.aging.xfetch = Some(eagerness);
        self
    }

    /// By how much of itself a lifetime may be longer.
    ///
    /// # Panics
    ///
    /// When compiling, if it is out of its range.
    #[must_use]
    pub const fn jitter(mut self, part: f64) -> Self {
        assert!(part >= 0.0 && part <= 1.0, "`jitter` is from 0 to 1");
        self.spec.aging.jitter = Some(part);
        self
    }

    /// How long the body is waited for while there is a value that may stand in.
    #[must_use]
    pub const fn timeout(mut self, span: Duration) -> Self {
        self.spec.aging.timeout = Some(span);
        self
    }

    /// How long the body is waited for at all.
    #[must_use]
    pub const fn hard_timeout(mut self, span: Duration) -> Self {
        self.spec.aging.hard_timeout = Some(span);
        self
    }

    /// How long an `Err` is kept.
    #[must_use]
    pub const fn err_ttl(mut self, span: Duration) -> Self {
        self.spec.aging.err_ttl = Some(span);
        self
    }

    /// How long a value lives that nobody asks for.
    #[must_use]
    pub const fn idle(mut self, span: Duration) -> Self {
        self.spec.aging.idle = Some(span);
        self
    }

    /// A load outlives its caller.
    #[must_use]
    pub const fn detached(mut self) -> Self {
        self.spec.aging.detached = true;
        self
    }

    /// Its body owns what it needs.
    #[must_use]
    pub const fn owned(mut self) -> Self {
        self.spec.owned = true;
        self
    }

    /// The instance that `marker`, a closure inside of the item, belongs to.
    #[inline]
    pub fn instance_of<M>(&'static self, _: &M) -> &'static Function {
        // lifetimes are no part of an identity: the code is the same for all of them
        let identity = typeid::of::<M>();
        match self.first.get() {
            Some(first) if first.identity == identity => first,
            _ => self.instance(identity, std::any::type_name::<M>(), None),
        }
    }

    /// The same of a function with an explicit name. `Of` and `Args` are made of its `Self`, if it is a method, and of its own type
    /// parameters.
    #[inline]
    pub fn named_instance_of<Of, Args, M>(&'static self, _: &M) -> &'static Function {
        let identity = typeid::of::<M>();
        match self.first.get() {
            Some(first) if first.identity == identity => first,
            _ => {
                let types = Types {
                    of: typeid::of::<Of>(),
                    args: typeid::of::<Args>(),
                };
                self.instance(identity, std::any::type_name::<M>(), Some(types))
            }
        }
    }

    /// The one instance. `M` is a type of the item's own, and no other is asked for.
    #[inline]
    pub fn function<M: 'static>(&'static self) -> &'static Function {
        match self.first.get() {
            Some(first) => first,
            None => self.instance(TypeId::of::<M>(), std::any::type_name::<M>(), None),
        }
    }

    #[cold]
    fn instance(
        &'static self,
        identity: TypeId,
        marker: &str,
        types: Option<Types>,
    ) -> &'static Function {
        let known = INSTANCES
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&identity)
            .copied();
        known.unwrap_or_else(|| {
            let mut instances = INSTANCES.write().unwrap_or_else(PoisonError::into_inner);
            let function = *instances.entry(identity).or_insert_with(|| {
                let printed = Path::of(marker);
                let path = readable(&printed, &self.spec);
                Box::leak(Box::new(Function {
                    identity,
                    path,
                    printed,
                    types,
                    spec: &self.spec,
                    space: OnceLock::new(),
                    taken: OnceLock::new(),
                }))
            });
            let _ = self.first.set(function);
            function
        })
    }
}

/// What an instance is instantiated with, where it is a matter of which types those are and not of what they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Types {
    /// The type that it is a method of.
    pub(super) of: TypeId,
    /// Its own type parameters.
    pub(super) args: TypeId,
}

/// The function's path as people read it. Functions inside of bodies can have one path, so those carry the place where they stand
/// as well.
fn readable(printed: &Path, spec: &SiteSpec) -> String {
    if spec.method || printed.is_in(&spec.module()) {
        printed.to_string()
    } else {
        format!("{printed}@{}:{}", spec.line, spec.column)
    }
}

impl SiteSpec {
    /// The module's path, as `type_name` prints it.
    pub(super) fn module(&self) -> String {
        self.module.replace("r#", "")
    }
}
