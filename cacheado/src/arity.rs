//! Looking up and naming a call, by the number of parts in its key.
//!
//! [`key_part`] requires that a part can be in a key, where the part is passed. The functions here require the same, and nothing after
//! them requires anything. So a part that can't be in a key is one error, at that part.

use serde::Serialize;

use crate::cache::Cache;
use crate::call::Call;
use crate::function::{Function, Mode, Storage};
use crate::ids::Ids;
use crate::load::pending::Pending;
use crate::outcome::{Carry, Outcome, Value};

/// An argument that can be part of a key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be part of a key",
    label = "not serializable",
    note = "derive `serde::Serialize` for it, leave it out with `skip(…)`, or say with `key = …` what identifies the call",
    note = "of a type parameter ask `T: serde::Serialize`; of an array of more than 32 elements, which serde does not know, take the slice: `key = array[..]`"
)]
pub trait KeyPart: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> KeyPart for T {}

/// An argument that is part of the key.
#[inline]
pub fn key_part<T: KeyPart + ?Sized>(part: &T) -> &T {
    part
}

macro_rules! by_arity {
    ($($look:ident, $call:ident: $($part:ident $Part:ident),*;)*) => {$(
        /// [`Function::look`].
        ///
        /// # Errors
        ///
        /// [`Pending`], if there is no hit.
        #[inline(always)]
        #[allow(clippy::inline_always, reason = "it only hands over what it is given")]
        #[allow(clippy::too_many_arguments, reason = "one for each part of a key")]
        #[allow(clippy::result_large_err, reason = "it is no error, but how to load")]
        pub fn $look<'i, S: Storage, R, K, I, $($Part: KeyPart + ?Sized,)* const IDS: usize>(
            ids: I,
            _: S,
            function: &'static Function,
            carry: Carry<R, K>,
            mode: Mode,
            cache: &Cache,
            $($part: &$Part),*
        ) -> Result<R, Pending<R, K>>
        where
            I: Ids<'i, IDS>,
            K: Outcome<R>,
            K::Stored: Value,
        {
            function.look::<S, R, K, I, _, IDS>(carry, mode, cache, ids, &($($part,)*))
        }

        /// [`Function::call`].
        #[inline]
        #[allow(clippy::too_many_arguments, reason = "one for each part of a key")]
        pub fn $call<'i, R, K, D, I, $($Part: KeyPart + ?Sized,)* const IDS: usize>(
            function: &'static Function,
            carry: Carry<R, K>,
            cache: &Cache,
            ids: I,
            $($part: &$Part),*
        ) -> Call<R, D>
        where
            I: Ids<'i, IDS>,
            K: Outcome<R>,
            K::Stored: Value,
        {
            function.call(carry, cache, ids, &($($part,)*))
        }
    )*};
}

by_arity! {
    look0, call0:;
    look1, call1: part0 Part0;
    look2, call2: part0 Part0, part1 Part1;
    look3, call3: part0 Part0, part1 Part1, part2 Part2;
    look4, call4: part0 Part0, part1 Part1, part2 Part2, part3 Part3;
    look5, call5: part0 Part0, part1 Part1, part2 Part2, part3 Part3, part4 Part4;
    look6, call6: part0 Part0, part1 Part1, part2 Part2, part3 Part3, part4 Part4, part5 Part5;
    look7, call7: part0 Part0, part1 Part1, part2 Part2, part3 Part3, part4 Part4, part5 Part5, part6 Part6;
    look8, call8: part0 Part0, part1 Part1, part2 Part2, part3 Part3, part4 Part4, part5 Part5, part6 Part6, part7 Part7;
    look9, call9: part0 Part0, part1 Part1, part2 Part2, part3 Part3, part4 Part4, part5 Part5, part6 Part6, part7 Part7, part8 Part8;
    look10, call10: part0 Part0, part1 Part1, part2 Part2, part3 Part3, part4 Part4, part5 Part5, part6 Part6, part7 Part7, part8 Part8, part9 Part9;
    look11, call11: part0 Part0, part1 Part1, part2 Part2, part3 Part3, part4 Part4, part5 Part5, part6 Part6, part7 Part7, part8 Part8, part9 Part9, part10 Part10;
    look12, call12: part0 Part0, part1 Part1, part2 Part2, part3 Part3, part4 Part4, part5 Part5, part6 Part6, part7 Part7, part8 Part8, part9 Part9, part10 Part10, part11 Part11;
}
