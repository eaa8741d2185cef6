//! Functions as they appear in the source: what generated code says of each, and the instances of each.

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
    /// What `type_name` prints of a type that is declared inside the function.
    pub(super) declared: fn() -> &'static str,
    /// The position of the name.
    pub(super) line: u32,
    pub(super) column: u32,
    /// Whether it is a method or an associated function.
    pub(super) method: bool,
    /// Its crate's target, if that is not a library, which may have the same path.
    pub(super) target: Option<&'static str>,
    pub(super) name: Option<&'static str>,
    /// With an explicit name: the names of the arguments in the key, in order; empty for one without a name.
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

/// A function as it appears in the source. A generic one has an instance for each instantiation.
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
    /// A free function in `module`, the value of `module_path!()`, with its name at `line` and `column`. `declared` returns the path
    /// of an `__Item` that is declared inside it. The other methods add what its attribute says.
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

    /// Marks it as a method or an associated function.
    #[must_use]
    pub const fn method(mut self) -> Self {
        self.spec.method = true;
        self
    }

    /// Sets the `target` of its crate, which is not a library and may have the same name as one.
    #[must_use]
    pub const fn target(mut self, target: &'static str) -> Self {
        self.spec.target = Some(target);
        self
    }

    /// Sets its explicit name, and the names of the arguments in its key.
    #[must_use]
    pub const fn name(mut self, name: &'static str, args: &'static [&'static str]) -> Self {
        (self.spec.name, self.spec.args) = (Some(name), args);
        self
    }

    /// Sets its version.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.spec.version = version;
        self
    }

    /// Sets its scope level.
    #[must_use]
    pub const fn level(mut self, level: &'static LevelDef) -> Self {
        self.spec.level = Some(level);
        self
    }

    /// Sets the bound for this function alone. A bound beyond what fits in memory counts as the largest possible one.
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

    /// Lets concurrent callers load separately.
    #[must_use]
    pub const fn without_single_flight(mut self) -> Self {
        self.spec.sharing = Sharing::Beside;
        self
    }

    /// Lets concurrent callers in all processes share one load.
    #[must_use]
    pub const fn single_flight_in_cluster(mut self) -> Self {
        self.spec.sharing = Sharing::Cluster;
        self
    }

    /// Sets the lifetime of its values, if it is the same for all.
    #[must_use]
    pub const fn ttl(mut self, seconds: u64, nanos: u32) -> Self {
        self.spec.ttl = Some(Duration::new(seconds, nanos));
        self
    }

    /// Sets how long past its lifetime a value may stand in for one that can't be loaded.
    #[must_use]
    pub const fn stale(mut self, span: Duration) -> Self {
        self.spec.aging.stale = Some(span);
        self
    }

    /// Sets the fraction of its lifetime after which a hit begins a refresh.
    ///
    /// # Panics
    ///
    /// At compile time, if it is out of range.
    #[must_use]
    pub const fn refresh_after(mut self, part: f64) -> Self {
        assert!(
            part > 0.0 && part < 1.0,
            "`refresh_after` is more than 0 and less than 1"
        );
        self.spec.aging.refresh_after = Some(part);
        self
    }

    /// Sets how eagerly a hit begins a refresh, the more so the closer the end is and the longer a load takes.
    ///
    /// # Panics
    ///
    /// At compile time, if it is out of range.
    #[must_use]
    pub const fn xfetch(mut self, eagerness: f64) -> Self {
        assert!(eagerness > 0.0, "`xfetch` is more than 0");
        self.spec.aging.xfetch = Some(eagerness);
        self
    }

    /// Sets the fraction by which a lifetime may be longer.
    ///
    /// # Panics
    ///
    /// At compile time, if it is out of range.
    #[must_use]
    pub const fn jitter(mut self, part: f64) -> Self {
        assert!(part >= 0.0 && part <= 1.0, "`jitter` is from 0 to 1");
        self.spec.aging.jitter = Some(part);
        self
    }

    /// Sets how long a call waits for the body while there is a stand-in.
    #[must_use]
    pub const fn timeout(mut self, span: Duration) -> Self {
        self.spec.aging.timeout = Some(span);
        self
    }

    /// Sets how long a call waits for the body in any case.
    #[must_use]
    pub const fn hard_timeout(mut self, span: Duration) -> Self {
        self.spec.aging.hard_timeout = Some(span);
        self
    }

    /// Sets how long an `Err` is kept.
    #[must_use]
    pub const fn err_ttl(mut self, span: Duration) -> Self {
        self.spec.aging.err_ttl = Some(span);
        self
    }

    /// Sets how long an unused value lives.
    #[must_use]
    pub const fn idle(mut self, span: Duration) -> Self {
        self.spec.aging.idle = Some(span);
        self
    }

    /// Lets a load outlive its caller.
    #[must_use]
    pub const fn detached(mut self) -> Self {
        self.spec.aging.detached = true;
        self
    }

    /// Marks its body as owning what it needs.
    #[must_use]
    pub const fn owned(mut self) -> Self {
        self.spec.owned = true;
        self
    }

    /// The instance that `marker`, a closure inside the item, belongs to.
    #[inline]
    pub fn instance_of<M>(&'static self, _: &M) -> &'static Function {
        // lifetimes are not part of an identity: the code is the same for all of them
        let identity = typeid::of::<M>();
        match self.first.get() {
            Some(first) if first.identity == identity => first,
            _ => self.instance(identity, std::any::type_name::<M>(), None),
        }
    }

    /// As [`instance_of`](Self::instance_of), for a function with an explicit name. `Of` and `Args` are made of its `Self`, if it is a
    /// method, and of its own type parameters.
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

    /// The only instance. `M` is a type of the item's own, and is the same in all calls.
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

/// The types of an instance, where their identity matters and not just their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Types {
    /// The type that it is a method of.
    pub(super) of: TypeId,
    /// Its own type parameters.
    pub(super) args: TypeId,
}

/// The function's path for people to read. Functions inside bodies can have the same path, so theirs includes the source position.
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
