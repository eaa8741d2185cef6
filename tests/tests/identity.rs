//! Identity: each function has entries of its own. Whatever two functions have in common (name, module, arguments, line), neither is
//! ever served the other's value. Only an explicit `name` shares entries, and only between functions that agree.

#![allow(
    clippy::unused_self,
    clippy::used_underscore_binding,
    reason = "arguments that only the key, or the identity, needs"
)]

use std::any::type_name;
use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cacheado::{Cache, cache, cache_impl, cache_put, default_cache, evict, peek, put};
use serde::Serialize;

/// Counts the runs of a body.
#[derive(Default)]
struct Runs(AtomicUsize);

impl Runs {
    const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

mod functions {
    pub(crate) mod left {
        #[cacheado::cache]
        pub(crate) fn side(_id: u32) -> String {
            "left".to_owned()
        }
    }

    pub(crate) mod right {
        #[cacheado::cache]
        pub(crate) fn side(_id: u32) -> String {
            "right".to_owned()
        }
    }

    #[cacheado::cache]
    pub(crate) fn side(_id: u32) -> String {
        "here".to_owned()
    }
}

#[test]
fn functions_of_one_name_in_several_modules() {
    for _ in 0..2 {
        assert_eq!(functions::left::side(1), "left");
        assert_eq!(functions::right::side(1), "right");
        assert_eq!(functions::side(1), "here");
    }
}

#[test]
fn evicting_one_namesake_leaves_the_others() {
    functions::left::side(2);
    functions::right::side(2);
    assert!(evict!(functions::left::side(2)).unwrap());
    assert_eq!(peek!(functions::left::side(2)).unwrap(), None);
    assert_eq!(
        peek!(functions::right::side(2)).unwrap().as_deref(),
        Some("right")
    );
}

#[test]
fn putting_into_one_namesake_leaves_the_others() {
    assert!(put!(functions::left::side(3), "put".to_owned()).unwrap());
    assert_eq!(functions::left::side(3), "put");
    assert_eq!(functions::right::side(3), "right");
}

struct Cat;
struct Dog;

impl Cat {
    #[cache(skip(self), local)]
    fn sound(&self, _times: u32) -> &'static str {
        "meow"
    }
}

impl Dog {
    #[cache(skip(self), local)]
    fn sound(&self, _times: u32) -> &'static str {
        "woof"
    }
}

#[test]
fn methods_of_one_name_in_two_impls_of_one_module() {
    for _ in 0..2 {
        assert_eq!(Cat.sound(1), "meow");
        assert_eq!(Dog.sound(1), "woof");
    }
}

struct Row<const N: usize>;

impl Row<1> {
    #[cache(skip(self))]
    fn width(&self) -> usize {
        1
    }
}

impl Row<2> {
    #[cache(skip(self))]
    fn width(&self) -> usize {
        2
    }
}

struct Of<T>(PhantomData<T>);

impl Of<u8> {
    #[cache(skip(self), local)]
    fn what(&self) -> &'static str {
        "u8"
    }
}

impl Of<u16> {
    #[cache(skip(self), local)]
    fn what(&self) -> &'static str {
        "u16"
    }
}

#[test]
fn namesakes_in_two_impls_of_one_type_with_other_arguments() {
    for _ in 0..2 {
        assert_eq!(Row::<1>.width(), 1);
        assert_eq!(Row::<2>.width(), 2);
        assert_eq!(Of::<u8>(PhantomData).what(), "u8");
        assert_eq!(Of::<u16>(PhantomData).what(), "u16");
    }
}

#[cache_impl]
impl Cat {
    #[cache(local)]
    fn legs(_scale: u32) -> &'static str {
        "cat's legs"
    }
}

#[cache_impl]
impl Dog {
    #[cache(local)]
    fn legs(_scale: u32) -> &'static str {
        "dog's legs"
    }
}

mod animals {
    #[cacheado::cache(local)]
    pub(crate) fn legs(_scale: u32) -> &'static str {
        "a module's legs"
    }
}

#[test]
fn associated_functions_of_one_name() {
    for _ in 0..2 {
        assert_eq!(Cat::legs(1), "cat's legs");
        assert_eq!(Dog::legs(1), "dog's legs");
        assert_eq!(animals::legs(1), "a module's legs");
    }
}

#[cache(local)]
fn beside(_x: u32) -> &'static str {
    "free"
}

impl Cat {
    #[cache(skip(self), local)]
    fn beside(&self, _x: u32) -> &'static str {
        "method"
    }
}

#[test]
fn a_method_and_a_free_function_of_one_name() {
    for _ in 0..2 {
        assert_eq!(beside(1), "free");
        assert_eq!(Cat.beside(1), "method");
    }
}

fn local_in_two_blocks(first: bool) -> &'static str {
    if first {
        #[cache(local)]
        fn local(_x: u32) -> &'static str {
            "first block"
        }
        local(1)
    } else {
        #[cache(local)]
        fn local(_x: u32) -> &'static str {
            "second block"
        }
        local(1)
    }
}

fn local_elsewhere() -> &'static str {
    #[cache(local)]
    fn local(_x: u32) -> &'static str {
        "another function"
    }
    local(1)
}

#[test]
fn local_functions_of_one_name() {
    for _ in 0..2 {
        assert_eq!(local_in_two_blocks(true), "first block");
        assert_eq!(local_in_two_blocks(false), "second block");
        assert_eq!(local_elsewhere(), "another function");
    }
}

#[test]
#[rustfmt::skip]
fn local_functions_of_one_name_on_one_line() {
    let first = || { #[cache] fn local(_x: u32) -> u32 { 1 } local(0) };
    let second = || { #[cache] fn local(_x: u32) -> u32 { 2 } local(0) };
    for _ in 0..2 {
        assert_eq!((first(), second()), (1, 2));
    }
}

/// A cached local function. Every use of the macro emits the same tokens at the same place.
macro_rules! born_local {
    ($answer:expr) => {{
        #[cache]
        fn born(_x: u32) -> u32 {
            $answer
        }
        born(0)
    }};
}

/// A cached function in a module of its own.
macro_rules! born_in_module {
    ($module:ident, $answer:expr) => {
        mod $module {
            #[cacheado::cache]
            pub(crate) fn born(_x: u32) -> u32 {
                $answer
            }
        }
    };
}
born_in_module!(born_one, 1);
born_in_module!(born_two, 2);

/// A cached method of a type.
macro_rules! born_method {
    ($($type:ident $answer:expr;)*) => {
        $(struct $type;

        impl $type {
            #[cache(skip(self))]
            fn born(&self, _x: u32) -> u32 {
                $answer
            }
        })*
    };
}
born_method! {
    BornThree 3;
    BornFour 4;
}

/// A cached free function whose name is the macro's argument.
macro_rules! born_named {
    ($($name:ident $answer:expr;)*) => {
        $(#[cache]
        fn $name(_x: u32) -> u32 {
            $answer
        })*
    };
}
born_named! {
    named_five 5;
    named_six 6;
}

#[test]
fn functions_born_of_one_macro() {
    for _ in 0..2 {
        assert_eq!((born_local!(1), born_local!(2), born_local!(3)), (1, 2, 3));
        assert_eq!((born_one::born(0), born_two::born(0)), (1, 2));
        assert_eq!((BornThree.born(0), BornFour.born(0)), (3, 4));
        assert_eq!((named_five(0), named_six(0)), (5, 6));
    }
}

#[test]
fn a_local_function_is_one_however_often_its_block_runs() {
    static RUNS: Runs = Runs::new();
    for _ in 0..3 {
        #[cache]
        fn again(_x: u32) -> u32 {
            RUNS.count();
            7
        }
        assert_eq!(again(1), 7);
    }
    assert_eq!(RUNS.get(), 1);
}

#[cache]
fn name_of<T: 'static>(_x: u32) -> String {
    type_name::<T>().to_owned()
}

#[cache]
fn count_of<const N: usize>(_x: u32) -> usize {
    N
}

#[cache]
fn mixed<T: 'static, const N: usize, const B: bool>() -> String {
    format!("{} {N} {B}", type_name::<T>())
}

/// Two types with the same printed name: both are local to one function.
fn local_types_of_one_name() -> (u32, u32) {
    trait Number {
        fn number() -> u32;
    }

    #[cache]
    fn number_of<T: Number + 'static>() -> u32 {
        T::number()
    }

    let first = {
        struct Local;
        impl Number for Local {
            fn number() -> u32 {
                1
            }
        }
        number_of::<Local>()
    };
    let second = {
        struct Local;
        impl Number for Local {
            fn number() -> u32 {
                2
            }
        }
        number_of::<Local>()
    };
    (first, second)
}

#[test]
fn instantiations_of_a_generic_function() {
    for _ in 0..2 {
        assert_eq!(name_of::<u8>(1), "u8");
        assert_eq!(name_of::<u16>(1), "u16");
        assert_eq!(
            name_of::<Vec<Option<u8>>>(1),
            type_name::<Vec<Option<u8>>>()
        );
        assert_eq!((count_of::<1>(1), count_of::<2>(1)), (1, 2));
        assert_eq!(mixed::<u8, 1, true>(), "u8 1 true");
        assert_eq!(mixed::<u8, 1, false>(), "u8 1 false");
        assert_eq!(mixed::<u8, 2, true>(), "u8 2 true");
        assert_eq!(mixed::<i8, 1, true>(), "i8 1 true");
        assert_eq!(local_types_of_one_name(), (1, 2));
    }
}

#[cache]
fn shown(value: impl Display + Serialize) -> String {
    format!("{value} of {}", std::any::type_name_of_val(&value))
}

#[test]
fn instantiations_by_an_impl_trait_argument() {
    for _ in 0..2 {
        assert_eq!(shown(1_u8), "1 of u8");
        assert_eq!(shown(1_u16), "1 of u16");
        assert_eq!(shown("1"), "1 of &str");
    }
}

struct Holder<T>(PhantomData<T>);

impl<T: 'static> Holder<T> {
    #[cache(skip(self))]
    fn held(&self, _x: u32) -> String {
        type_name::<T>().to_owned()
    }

    #[cache(skip(self))]
    fn held_with<U: 'static>(&self) -> String {
        format!("{} {}", type_name::<T>(), type_name::<U>())
    }
}

#[cache_impl]
impl<T: 'static> Holder<T> {
    #[cache]
    fn made(_x: u32) -> String {
        type_name::<Self>().to_owned()
    }

    /// Through `Self`.
    fn through_self(x: u32) -> String {
        Self::made(x)
    }
}

#[test]
fn methods_of_a_generic_type() {
    for _ in 0..2 {
        assert_eq!(Holder::<u8>(PhantomData).held(1), "u8");
        assert_eq!(Holder::<u16>(PhantomData).held(1), "u16");
        assert_eq!(Holder::<u8>(PhantomData).held_with::<i8>(), "u8 i8");
        assert_eq!(Holder::<u8>(PhantomData).held_with::<i16>(), "u8 i16");
        assert_eq!(Holder::<i8>(PhantomData).held_with::<i8>(), "i8 i8");
        assert_eq!(Holder::<u8>::through_self(1), type_name::<Holder<u8>>());
        assert_eq!(Holder::<u16>::through_self(1), type_name::<Holder<u16>>());
    }
}

#[test]
fn evicting_one_instantiation_leaves_the_others() {
    Holder::<u32>::made(1);
    Holder::<u64>::made(1);
    assert!(evict!(Holder::<u32>::made(1)).unwrap());
    assert!(peek!(Holder::<u32>::made(1)).unwrap().is_none());
    assert!(peek!(Holder::<u64>::made(1)).unwrap().is_some());

    name_of::<f32>(1);
    name_of::<f64>(1);
    assert!(evict!(name_of::<f32>(1)).unwrap());
    assert!(peek!(name_of::<f32>(1)).unwrap().is_none());
    assert!(peek!(name_of::<f64>(1)).unwrap().is_some());
}

trait Speaks {
    fn speak(&self, times: u32) -> String;
    fn kind(_x: u32) -> String;

    #[cache(skip(self))]
    fn provided(&self, _x: u32) -> String {
        format!("{} by default", type_name::<Self>())
    }
}

#[cache_impl]
impl Speaks for Cat {
    #[cache(skip(self))]
    fn speak(&self, _times: u32) -> String {
        "cat speaks".to_owned()
    }

    #[cache]
    fn kind(_x: u32) -> String {
        "cat".to_owned()
    }
}

#[cache_impl]
impl Speaks for Dog {
    #[cache(skip(self))]
    fn speak(&self, _times: u32) -> String {
        "dog speaks".to_owned()
    }

    #[cache]
    fn kind(_x: u32) -> String {
        "dog".to_owned()
    }
}

/// A method of the same name in another trait, for the same type.
trait Whispers {
    fn speak(&self, times: u32) -> String;
}

impl Whispers for Cat {
    #[cache(skip(self))]
    fn speak(&self, _times: u32) -> String {
        "cat whispers".to_owned()
    }
}

impl<T> Speaks for Holder<T> {
    #[cache(skip(self))]
    fn speak(&self, _times: u32) -> String {
        type_name::<T>().to_owned()
    }

    fn kind(_x: u32) -> String {
        unreachable!()
    }
}

#[test]
fn methods_of_trait_impls() {
    for _ in 0..2 {
        assert_eq!(Speaks::speak(&Cat, 1), "cat speaks");
        assert_eq!(Speaks::speak(&Dog, 1), "dog speaks");
        assert_eq!(Whispers::speak(&Cat, 1), "cat whispers");
        assert_eq!(Speaks::speak(&Holder::<u8>(PhantomData), 1), "u8");
        assert_eq!(Speaks::speak(&Holder::<u16>(PhantomData), 1), "u16");
        assert_eq!(Cat::kind(1), "cat");
        assert_eq!(Dog::kind(1), "dog");
    }
}

#[test]
fn provided_trait_methods() {
    for _ in 0..2 {
        assert_eq!(
            Cat.provided(1),
            format!("{} by default", type_name::<Cat>())
        );
        assert_eq!(
            Dog.provided(1),
            format!("{} by default", type_name::<Dog>())
        );
        assert_eq!(
            Holder::<u8>(PhantomData).provided(1),
            format!("{} by default", type_name::<Holder<u8>>())
        );
        assert_eq!(
            Holder::<i8>(PhantomData).provided(1),
            format!("{} by default", type_name::<Holder<i8>>())
        );
    }
}

static LABELS: Runs = Runs::new();

#[cache_impl]
trait Labels {
    #[cache]
    fn label(_x: u32) -> String {
        LABELS.count();
        type_name::<Self>().to_owned()
    }
}

impl Labels for Cat {}
impl Labels for Dog {}
impl<T> Labels for Holder<T> {}

#[test]
fn provided_functions_of_a_trait_without_a_receiver() {
    for _ in 0..2 {
        assert_eq!(Cat::label(1), type_name::<Cat>());
        assert_eq!(Dog::label(1), type_name::<Dog>());
        assert_eq!(Holder::<u8>::label(1), type_name::<Holder<u8>>());
        assert_eq!(Holder::<i8>::label(1), type_name::<Holder<i8>>());
    }
    assert_eq!(LABELS.get(), 4);
}

#[async_trait]
trait Fetches {
    async fn fetch(&self, id: u32) -> String;

    #[cache(skip(self))]
    async fn prefetch(&self, _id: u32) -> String
    where
        Self: Sync,
    {
        format!("prefetched by {}", type_name::<Self>())
    }
}

#[async_trait]
impl Fetches for Cat {
    #[cache(skip(self))]
    async fn fetch(&self, _id: u32) -> String {
        "by cat".to_owned()
    }
}

#[async_trait]
impl Fetches for Dog {
    #[cache(skip(self))]
    async fn fetch(&self, _id: u32) -> String {
        "by dog".to_owned()
    }
}

#[async_trait]
impl<T: Send + Sync> Fetches for Holder<T> {
    #[cache(skip(self))]
    async fn fetch(&self, _id: u32) -> String {
        format!("by holder of {}", type_name::<T>())
    }
}

#[tokio::test]
async fn async_trait_methods() {
    for _ in 0..2 {
        assert_eq!(Cat.fetch(1).await, "by cat");
        assert_eq!(Dog.fetch(1).await, "by dog");
        let holder = Holder::<u8>(PhantomData);
        assert_eq!(holder.fetch(1).await, "by holder of u8");
        let holder = Holder::<u16>(PhantomData);
        assert_eq!(holder.fetch(1).await, "by holder of u16");
        assert!(Cat.prefetch(1).await.ends_with("::Cat"));
        assert!(Dog.prefetch(1).await.ends_with("::Dog"));
    }
}

mod asynchronous {
    #[cacheado::cache]
    pub(crate) async fn generic<T: 'static>(_x: u32) -> String {
        std::any::type_name::<T>().to_owned()
    }

    pub(crate) mod inner {
        #[cacheado::cache]
        pub(crate) async fn generic<T: 'static>(_x: u32) -> String {
            format!("inner {}", std::any::type_name::<T>())
        }
    }
}

#[tokio::test]
async fn async_functions_of_one_name_and_their_instantiations() {
    for _ in 0..2 {
        assert_eq!(asynchronous::generic::<u8>(1).await, "u8");
        assert_eq!(asynchronous::generic::<u16>(1).await, "u16");
        assert_eq!(asynchronous::inner::generic::<u8>(1).await, "inner u8");
    }
}

/// Values stored by programmatic calls do not belong to any function.
#[test]
fn programmatic_keys_are_apart_from_functions() {
    #[cache]
    fn programmatic(_key: &str) -> String {
        "of the function".to_owned()
    }

    let cache = default_cache();
    let value = "of the program".to_owned();
    cache.set(("settings",), &value).run().unwrap();
    cache.set("settings", &value).run().unwrap();
    assert_eq!(programmatic("settings"), "of the function");
    assert_eq!(
        cache.get::<String>(("settings",)).run().unwrap(),
        Some(value)
    );
}

static SHARED_RUNS: Runs = Runs::new();

#[cache(name = "shared between two functions")]
fn shared_one(x: u32, _label: &str) -> u32 {
    SHARED_RUNS.count();
    x + 1
}

#[cache(name = "shared between two functions")]
fn shared_two(x: u32, _label: String) -> u32 {
    SHARED_RUNS.count();
    x + 1
}

#[test]
fn functions_with_one_explicit_name_share() {
    assert_eq!(shared_one(1, "a"), 2);
    assert_eq!(shared_two(1, "a".to_owned()), 2);
    assert_eq!(SHARED_RUNS.get(), 1);
    assert!(evict!(shared_two(1, "a".to_owned())).unwrap());
    assert_eq!(peek!(shared_one(1, "a")).unwrap(), None);
}

static VERSION_RUNS: Runs = Runs::new();

#[cache(name = "versioned", version = 1)]
fn version_one(_x: u32) -> u32 {
    VERSION_RUNS.count();
    1
}

#[cache(name = "versioned", version = 2)]
fn version_two(_x: u32) -> u32 {
    VERSION_RUNS.count();
    2
}

#[test]
fn versions_of_one_name_are_apart() {
    for _ in 0..2 {
        assert_eq!((version_one(1), version_two(1)), (1, 2));
    }
    assert_eq!(VERSION_RUNS.get(), 2);
}

static VALUE_RUNS: Runs = Runs::new();

#[cache(name = "one name, two value types")]
fn gives_number(_x: u32) -> u32 {
    7
}

#[cache(name = "one name, two value types")]
fn gives_text(_x: u32) -> String {
    VALUE_RUNS.count();
    "seven".to_owned()
}

#[test]
fn a_second_claim_with_another_value_type_runs_uncached() {
    assert_eq!(gives_number(1), 7);
    for _ in 0..3 {
        assert_eq!(gives_text(1), "seven");
    }
    assert_eq!(VALUE_RUNS.get(), 3);
    assert_eq!(peek!(gives_text(1)).unwrap(), None);
    assert!(!put!(gives_text(1), "eight".to_owned()).unwrap());
    assert!(!evict!(gives_text(1)).unwrap());
    assert_eq!(peek!(gives_number(1)).unwrap(), Some(7));
}

static ARGUMENT_RUNS: Runs = Runs::new();

#[cache(name = "one name, other arguments")]
fn takes_number(_x: u32) -> u32 {
    1
}

#[cache(name = "one name, other arguments")]
fn takes_text(_x: &str) -> u32 {
    ARGUMENT_RUNS.count();
    2
}

#[test]
fn a_second_claim_with_other_arguments_runs_uncached() {
    assert_eq!(takes_number(1), 1);
    for _ in 0..3 {
        assert_eq!(takes_text("1"), 2);
    }
    assert_eq!(ARGUMENT_RUNS.get(), 3);
}

#[cache(local)]
fn unnamed_victim(_x: u32) -> &'static str {
    "the unnamed function's"
}

#[cache(name = "identity::unnamed_victim", local)]
fn named_as_the_victims_path(_x: u32) -> &'static str {
    "the named function's"
}

/// Only functions that both state a name share entries. A function without one has not agreed to share.
#[test]
fn an_explicit_name_that_is_another_functions_path_does_not_share() {
    assert_eq!(unnamed_victim(1), "the unnamed function's");
    assert_eq!(named_as_the_victims_path(1), "the named function's");
    assert_eq!(named_as_the_victims_path(2), "the named function's");
    assert_eq!(unnamed_victim(2), "the unnamed function's");
}

#[cache(name = "one name, many instantiations")]
fn named_generic<T: 'static>(_x: u32) -> String {
    type_name::<T>().to_owned()
}

#[cache(name = "one name, many sizes")]
fn named_sized<const N: usize>() -> usize {
    N
}

trait Described {
    #[cache(name = "one name, many implementors", skip(self))]
    fn describe(&self) -> String {
        type_name::<Self>().to_owned()
    }
}

impl Described for Cat {}
impl Described for Dog {}

impl<T: 'static> Holder<T> {
    #[cache(name = "one name, many holders", skip(self))]
    fn describe(&self) -> String {
        type_name::<T>().to_owned()
    }
}

/// A name replaces the item's path; the type arguments remain part of the identity.
#[test]
fn an_explicit_name_does_not_make_instantiations_share() {
    for _ in 0..2 {
        assert_eq!(named_generic::<u8>(1), "u8");
        assert_eq!(named_generic::<u16>(1), "u16");
        assert_eq!((named_sized::<1>(), named_sized::<2>()), (1, 2));
        assert_eq!(Cat.describe(), type_name::<Cat>());
        assert_eq!(Dog.describe(), type_name::<Dog>());
        assert_eq!(Holder::<u8>(PhantomData).describe(), "u8");
        assert_eq!(Holder::<i8>(PhantomData).describe(), "i8");
    }
}

/// The printed name of a type does not identify it.
trait Blend {
    const NAME: &'static str;
}

#[cache(name = "one name, types of one path")]
fn blend<T: Blend + 'static>(_x: u32) -> String {
    T::NAME.to_owned()
}

#[cache(name = "one name, types of one path")]
fn the_same_blend<T: Blend + 'static>(_x: u32) -> String {
    format!("{}, asked for again", T::NAME)
}

#[cache_put(name = "one name, types of one path", skip(value))]
fn rename_blend<T: Blend + 'static>(_x: u32, value: &str) -> String {
    value.to_owned()
}

impl<T: Blend + 'static> Holder<T> {
    #[cache(name = "one name, holders of types of one path", skip(self))]
    fn blend(&self) -> String {
        T::NAME.to_owned()
    }

    #[cache(name = "one name, holders of types of one path", skip(self))]
    fn the_same_blend(&self) -> String {
        format!("{}, asked for again", T::NAME)
    }
}

trait Shelf<T: Blend + 'static> {
    #[cache(name = "one name, shelves of types of one path", skip(self))]
    fn on_shelf(&self) -> String {
        T::NAME.to_owned()
    }

    #[cache(name = "one name, shelves of types of one path", skip(self))]
    fn again_on_shelf(&self) -> String {
        format!("{}, asked for again", T::NAME)
    }
}

impl<T: Blend + 'static> Shelf<T> for Cat {}

struct Tea<T>(PhantomData<T>);

impl<T: Blend + 'static> Tea<T> {
    #[cache(name = "one name, anonymous types of one path", skip(self, _of))]
    fn of(&self, _of: impl Blend) -> String {
        T::NAME.to_owned()
    }

    #[cache(name = "one name, anonymous types of one path", skip(self, _of))]
    fn again(&self, _of: impl Blend) -> String {
        format!("{}, asked for again", T::NAME)
    }
}

/// Two blocks of one function each have a type of one name, which prints the same.
#[test]
fn an_explicit_name_does_not_make_types_of_one_path_share() {
    macro_rules! tea {
        ($name:literal) => {{
            struct Leaf;
            impl Blend for Leaf {
                const NAME: &'static str = $name;
            }
            let held = Holder::<Leaf>(PhantomData);
            let shelf: &dyn Shelf<Leaf> = &Cat;
            let tea = Tea::<Leaf>(PhantomData);
            let found = [
                blend::<Leaf>(1),
                the_same_blend::<Leaf>(1),
                rename_blend::<Leaf>(2, $name),
                blend::<Leaf>(2),
                held.blend(),
                held.the_same_blend(),
            ];
            let not_known_to_be_one = [
                shelf.on_shelf(),
                shelf.again_on_shelf(),
                tea.of(Leaf),
                tea.again(Leaf),
            ];
            (type_name::<Leaf>(), found, not_known_to_be_one)
        }};
    }
    let (first, second) = (tea!("green"), tea!("black"));
    assert_eq!(first.0, second.0);
    for ((_, found, not_known_to_be_one), name) in [(first, "green"), (second, "black")] {
        assert_eq!(found, [name; 6]);
        for found in not_known_to_be_one {
            assert!(found.starts_with(name), "{found} is not of {name}");
        }
    }
}

static CACHE_OF_PATHS: LazyLock<Cache> = LazyLock::new(|| Cache::builder().build().unwrap());

mod deep {
    #[cacheado::cache(cache = &*super::CACHE_OF_PATHS)]
    pub(crate) fn path<T: 'static>(_x: u32) -> u32 {
        1
    }
}

#[test]
fn statistics_name_the_full_path_with_its_type_arguments() {
    deep::path::<u8>(1);
    deep::path::<Vec<u16>>(1);
    let names: Vec<String> = CACHE_OF_PATHS.stats().by_function.into_keys().collect();
    assert_eq!(
        names,
        [
            "identity::deep::path<alloc::vec::Vec<u16>>",
            "identity::deep::path<u8>"
        ]
    );
}
