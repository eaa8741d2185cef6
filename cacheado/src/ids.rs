//! The ids of a call's scope, root to leaf, as generated code passes them.

use cacheado_backends::{IdText, ScopeId};

/// An argument that is an id.
#[inline]
pub fn id<T: ScopeId + ?Sized>(id: &T) -> &T {
    id
}

/// References to the ids of `N` levels. Their texts are made where the call is looked up: that code is compiled once for all functions
/// with the same types.
pub trait Ids<'a, const N: usize> {
    /// The text of each id.
    fn texts(self) -> [IdText<'a>; N];
}

macro_rules! ids {
    ($($len:literal: $($id:ident $Id:ident),*;)*) => {$(
        impl<'a, $($Id: ScopeId + ?Sized),*> Ids<'a, $len> for ($(&'a $Id,)*) {
            #[inline]
            fn texts(self) -> [IdText<'a>; $len] {
                let ($($id,)*) = self;
                [$($id.id_text()),*]
            }
        }
    )*};
}

ids! {
    0:;
    1: id0 Id0;
    2: id0 Id0, id1 Id1;
    3: id0 Id0, id1 Id1, id2 Id2;
    4: id0 Id0, id1 Id1, id2 Id2, id3 Id3;
    5: id0 Id0, id1 Id1, id2 Id2, id3 Id3, id4 Id4;
    6: id0 Id0, id1 Id1, id2 Id2, id3 Id3, id4 Id4, id5 Id5;
    7: id0 Id0, id1 Id1, id2 Id2, id3 Id3, id4 Id4, id5 Id5, id6 Id6;
    8: id0 Id0, id1 Id1, id2 Id2, id3 Id3, id4 Id4, id5 Id5, id6 Id6, id7 Id7;
    9: id0 Id0, id1 Id1, id2 Id2, id3 Id3, id4 Id4, id5 Id5, id6 Id6, id7 Id7, id8 Id8;
    10: id0 Id0, id1 Id1, id2 Id2, id3 Id3, id4 Id4, id5 Id5, id6 Id6, id7 Id7, id8 Id8, id9 Id9;
    11: id0 Id0, id1 Id1, id2 Id2, id3 Id3, id4 Id4, id5 Id5, id6 Id6, id7 Id7, id8 Id8, id9 Id9, id10 Id10;
    12: id0 Id0, id1 Id1, id2 Id2, id3 Id3, id4 Id4, id5 Id5, id6 Id6, id7 Id7, id8 Id8, id9 Id9, id10 Id10, id11 Id11;
}
