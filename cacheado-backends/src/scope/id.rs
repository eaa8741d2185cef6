//! Scope ids: the types that identify a tenant, and their texts.
//!
//! An id is a text, whatever its type: `7` and `"7"` are the same user. The text may contain any characters and have any length. It is
//! never joined with others by a separator.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

/// A type whose values name a tenant: an organization, a user, a session.
///
/// Implemented for integers, strings, `bool`, `char` and [`uuid::Uuid`](https://docs.rs/uuid) (feature `uuid`, on by default), and for
/// references, boxes and shared pointers to them. It is not implemented for every [`Display`](fmt::Display) type, since some redact
/// what they print, and two tenants that print alike would share entries. For a newtype of your own one line is enough, if its
/// `Display` prints the whole id:
///
/// ```
/// use cacheado::ScopeId;
///
/// struct OrgId(u32);
///
/// impl std::fmt::Display for OrgId {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         write!(f, "{}", self.0)
///     }
/// }
///
/// impl ScopeId for OrgId {}
///
/// assert_eq!(&*OrgId(7).id_text(), "7");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a scope id",
    label = "not a scope id",
    note = "scope ids are integers, strings, `bool`, `char`, `Uuid`, and newtypes with `impl cacheado::ScopeId for Newtype {{}}`",
    note = "an id that may be missing has no place in the hierarchy: unwrap it first, or name the id with `scope(\"level\", id = …)`",
    note = "one call has one scope: of many ids make a `batch` below it"
)]
pub trait ScopeId: fmt::Display {
    /// The id as text: borrowed if the type is text already, on the stack if it is short.
    ///
    /// The default prints the value with `Display`.
    fn id_text(&self) -> IdText<'_> {
        IdText::of(self)
    }
}

/// The longest id text that is kept on the stack, in bytes. A hyphenated UUID has 36.
const INLINE: usize = 39;

/// The common prefix of the ids that stand for unprintable values in this process, once there is one.
static UNPRINTABLE: OnceLock<String> = OnceLock::new();

/// A new id that stands for a value that can't be printed. It equals no other id.
#[cold]
fn unprintable() -> String {
    tracing::error!("the Display of a scope id failed: nothing is found or stored under it");
    // the standard library's keys are random: no other process makes the same text, and no user can guess it
    let random = || {
        let [one, other] = [(); 2].map(|()| RandomState::new().hash_one(()));
        format!("{one:016x}{other:016x}")
    };
    let start = UNPRINTABLE.get_or_init(|| format!("\0failed:{}", random()));
    format!("{start}{}", random())
}

/// Whether `id` stands for a value that could not be printed. An entry under such an id would never be found again.
pub(crate) fn is_unprintable(id: &[u8]) -> bool {
    let start = UNPRINTABLE.get();
    start.is_some_and(|start| id.starts_with(start.as_bytes()))
}

/// The text of one scope id. Dereferences to `str`.
#[derive(Clone, Debug)]
pub struct IdText<'a>(Repr<'a>);

#[derive(Clone, Debug)]
enum Repr<'a> {
    Borrowed(&'a str),
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(String),
}

impl<'a> IdText<'a> {
    const EMPTY: Self = Self(Repr::Inline {
        len: 0,
        bytes: [0; INLINE],
    });

    /// An id of this text, borrowed.
    #[must_use]
    pub const fn borrowed(text: &'a str) -> Self {
        Self(Repr::Borrowed(text))
    }

    /// An id of what `value` prints. Allocates if that is longer than 39 bytes.
    ///
    /// If `Display` fails, the id equals no other id, so that two tenants whose ids can't be printed are not taken for one. Nothing is
    /// found or stored under it: a call with such an id runs uncached.
    pub fn of(value: &(impl fmt::Display + ?Sized)) -> Self {
        let mut text = Self::EMPTY;
        if write!(text, "{value}").is_err() {
            text = Self(Repr::Heap(unprintable()));
        }
        text
    }

    /// The text of an integer, without the formatting machinery: most ids are integers, and this is on the path of a hit.
    #[inline]
    fn integer(negative: bool, mut magnitude: u64) -> Self {
        let mut bytes = [0; INLINE];
        let mut len = if magnitude == 0 {
            1
        } else {
            magnitude.ilog10() as usize + 1
        };
        if negative {
            bytes[0] = b'-';
            len += 1;
        }
        let mut at = len;
        loop {
            at -= 1;
            bytes[at] = b'0' + (magnitude % 10) as u8;
            magnitude /= 10;
            if magnitude == 0 {
                break;
            }
        }
        #[allow(clippy::cast_possible_truncation, reason = "at most 21")]
        let len = len as u8;
        Self(Repr::Inline { len, bytes })
    }

    fn push(&mut self, more: &str) {
        match &mut self.0 {
            Repr::Inline { len, bytes } => {
                let (start, end) = (usize::from(*len), usize::from(*len) + more.len());
                if let Some(room) = bytes.get_mut(start..end) {
                    room.copy_from_slice(more.as_bytes());
                    #[allow(clippy::cast_possible_truncation, reason = "end <= INLINE")]
                    let end = end as u8;
                    *len = end;
                } else {
                    self.0 = Repr::Heap(format!("{}{more}", &**self));
                }
            }
            Repr::Heap(text) => text.push_str(more),
            Repr::Borrowed(text) => self.0 = Repr::Heap(format!("{text}{more}")),
        }
    }
}

impl fmt::Write for IdText<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

impl Deref for IdText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Repr::Borrowed(text) => text,
            // only whole `str`s were copied in, so this is valid UTF-8
            Repr::Inline { len, bytes } => {
                std::str::from_utf8(&bytes[..usize::from(*len)]).unwrap_or_default()
            }
            Repr::Heap(text) => text,
        }
    }
}

impl IdText<'_> {
    /// The bytes of the text, without checking again that they are UTF-8.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Borrowed(text) => text.as_bytes(),
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Heap(text) => text.as_bytes(),
        }
    }
}

macro_rules! integers {
    ($($int:ident)*) => {
        $(impl ScopeId for $int {
            #[inline]
            fn id_text(&self) -> IdText<'_> {
                #[allow(unused_comparisons, clippy::cast_lossless, clippy::cast_sign_loss, reason = "one body for signed and unsigned")]
                IdText::integer(*self < 0, if *self < 0 { (*self as u64).wrapping_neg() } else { *self as u64 })
            }
        })*
    };
}
integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl ScopeId for u128 {}

impl ScopeId for i128 {}

impl ScopeId for str {
    #[inline]
    fn id_text(&self) -> IdText<'_> {
        IdText::borrowed(self)
    }
}

impl ScopeId for String {
    #[inline]
    fn id_text(&self) -> IdText<'_> {
        IdText::borrowed(self)
    }
}

impl ScopeId for bool {
    fn id_text(&self) -> IdText<'_> {
        IdText::borrowed(if *self { "true" } else { "false" })
    }
}

impl ScopeId for char {}

macro_rules! pointers {
    ($($pointer:ty),*) => {
        $(impl<T: ScopeId + ?Sized> ScopeId for $pointer {
            #[inline]
            fn id_text(&self) -> IdText<'_> {
                (**self).id_text()
            }
        })*
    };
}
pointers!(&T, &mut T, Box<T>, Arc<T>, Rc<T>);

impl<T: ScopeId + ToOwned<Owned: fmt::Display> + ?Sized> ScopeId for Cow<'_, T> {
    fn id_text(&self) -> IdText<'_> {
        (**self).id_text()
    }
}

macro_rules! nonzero {
    ($($int:ident)*) => {
        $(impl ScopeId for std::num::NonZero<$int> {})*
    };
}
nonzero!(u8 u16 u32 u64 usize u128 i8 i16 i32 i64 isize i128);

#[cfg(feature = "uuid")]
impl ScopeId for uuid::Uuid {
    fn id_text(&self) -> IdText<'_> {
        let mut buffer = uuid::Uuid::encode_buffer();
        let mut text = IdText::EMPTY;
        text.push(self.hyphenated().encode_lower(&mut buffer));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_print_as_display_does() {
        fn check<T: ScopeId + ToString>(values: &[T]) {
            for value in values {
                assert_eq!(&*value.id_text(), value.to_string());
            }
        }
        check(&[0_u8, 7, u8::MAX]);
        check(&[i8::MIN, -1, 0, i8::MAX]);
        check(&[0_u64, 9, 10, 99, 100, u64::MAX]);
        check(&[i64::MIN, -10, -9, i64::MAX]);
        check(&[0_u128, u128::MAX]);
        check(&[i128::MIN, i128::MAX]);
    }

    #[test]
    fn long_text_moves_to_the_heap() {
        let long = "é".repeat(5_000);
        assert_eq!(
            &*IdText::of(&format_args!("{}{}", "a", long)),
            format!("a{long}")
        );
    }
}
