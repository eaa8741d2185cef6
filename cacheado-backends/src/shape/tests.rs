use std::collections::HashMap;

use proptest::prelude::*;
use serde::ser::SerializeTuple;
use serde::{Serialize, Serializer};

use super::outline;

#[derive(Debug, Serialize)]
enum Event {
    Paid(u32),
    Sent { to: String },
    Done,
}

fn of(value: &impl Serialize) -> u64 {
    outline(value).unwrap().shape
}

#[test]
fn what_is_said_plays_no_part() {
    assert_eq!(of(&1_u32), of(&2_u32));
    assert_eq!(of(&"a"), of(&"another text".to_owned()));
    assert_eq!(of(&vec![1, 2, 3]), of(&vec![4]));
    assert_eq!(of(&Event::Paid(1)), of(&Event::Paid(9)));
    let map = |pairs: [(u8, Event); 3]| HashMap::from(pairs);
    let one = map([(1, Event::Done), (2, Event::Paid(3)), (3, Event::Done)]);
    let other = map([(9, Event::Paid(0)), (8, Event::Done), (7, Event::Done)]);
    assert_eq!(of(&one), of(&other));
    let some = Some(7_u8);
    assert_eq!(
        of(&vec![None, some, None, None, some]),
        of(&vec![some, None])
    );
}

#[test]
fn what_it_is_made_of_does() {
    #[derive(Serialize)]
    struct Place {
        x: u32,
        y: u32,
    }
    mod swapped {
        #[derive(serde::Serialize)]
        pub(super) struct Place {
            pub y: u32,
            pub x: u32,
        }
    }
    let to = || Event::Sent { to: String::new() };
    let shapes = [
        of(&Place { x: 1, y: 2 }),
        of(&swapped::Place { y: 1, x: 2 }),
        of(&(1_u32, 2_u32)),
        of(&(1_u32, 2_i32)),
        of(&[1_u32; 3]),
        of(&vec![1_u32; 3]),
        of(&vec![Some(1_u32)]),
        of(&vec![Some(1_u32), None]),
        of(&None::<u32>),
        of(&()),
        of(&Event::Done),
        of(&Event::Paid(1)),
        of(&to()),
        of(&vec![to(), Event::Done]),
        of(&HashMap::from([(1_u8, 2_u8)])),
        of(&HashMap::from([(1_u8, 2_u16)])),
        of(&HashMap::from([(1_u16, 2_u8)])),
    ];
    for (nth, shape) in shapes.iter().enumerate() {
        assert!(!shapes[..nth].contains(shape), "number {nth}");
    }
}

/// A part that moves from inside a tuple or list to before it changes the shape.
#[test]
fn parts_that_change_places_with_what_they_stand_in_are_told_apart() {
    assert_ne!(of(&(1_u32, (1_i32,))), of(&(1_i32, (1_u32,))));
    assert_ne!(of(&(1_u32, (1_u32,))), of(&(1_i32, (1_i32,))));
    assert_ne!(
        of(&(1_u32, 1_u8, (1_i32, 1_i8))),
        of(&(1_i32, 1_i8, (1_u32, 1_u8)))
    );
    assert_ne!(of(&(1_u32, [1_u32])), of(&(1_i32, [1_i32])));
    assert_ne!(of(&(1, 2, Vec::<u8>::new())), of(&vec![(1, 2)]));
    let none = HashMap::<u8, u8>::new();
    assert_ne!(of(&(1, 2, none)), of(&HashMap::from([(1, 2)])));
}

/// Parts of any shape.
#[derive(Clone, Debug)]
enum Tree {
    None,
    Number,
    Text,
    List(Vec<Tree>),
    Tuple(Vec<Tree>),
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Number => serializer.serialize_u32(0),
            Self::Text => serializer.serialize_str(""),
            Self::List(parts) => parts.serialize(serializer),
            Self::Tuple(parts) => {
                let mut tuple = serializer.serialize_tuple(parts.len())?;
                for part in parts {
                    tuple.serialize_element(part)?;
                }
                tuple.end()
            }
        }
    }
}

#[test]
fn no_two_of_many_have_one_number() {
    let list = |part: &Tree| Tree::List(vec![part.clone()]);
    let tuple = |parts: &[&Tree]| Tree::Tuple(parts.iter().copied().cloned().collect());
    let least = [Tree::None, Tree::Number, Tree::Text, Tree::List(vec![])];
    let mut parts = least.to_vec();
    for one in &least {
        parts.extend([list(one), tuple(&[one])]);
        parts.extend(least.iter().map(|two| tuple(&[one, two])));
    }
    let mut trees = Vec::new();
    for one in &parts {
        trees.extend([list(one), tuple(&[one])]);
        for two in &parts {
            trees.push(tuple(&[one, two]));
            trees.extend(parts.iter().map(|three| tuple(&[one, two, three])));
        }
    }
    let mut seen = HashMap::new();
    for tree in trees {
        if let Some(other) = seen.insert(of(&tree), tree.clone()) {
            panic!("{tree:?} and {other:?}");
        }
    }
}

/// All kinds of parts that serde knows.
#[derive(Debug, Serialize)]
struct Everything<'a> {
    flag: bool,
    signed: (i8, i16, i32, i64, i128),
    unsigned: (u8, u16, u32, u64, u128, usize),
    floats: (f32, f64),
    text: (char, &'a str),
    bytes: Raw<'a>,
    perhaps: Option<Vec<Option<u16>>>,
    list: Vec<(u32, String)>,
    map: HashMap<String, Vec<()>>,
    events: [Event; 3],
    unit: Nothing,
    newtype: Newtype,
}

#[derive(Debug, Serialize)]
struct Nothing;

#[derive(Debug, Serialize)]
struct Newtype(i64);

#[derive(Debug)]
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

proptest! {
    #[test]
    fn the_size_is_that_of_what_postcard_writes(
        flag: bool,
        signed: (i8, i16, i32, i64, i128),
        unsigned: (u8, u16, u32, u64, u128, usize),
        floats: (f32, f64),
        text: (char, String),
        bytes: Vec<u8>,
        perhaps: Option<Vec<Option<u16>>>,
        list: Vec<(u32, String)>,
        map: HashMap<String, Vec<()>>,
        halved: (u8, u8),
    ) {
        // small numbers and large ones
        let (shift, unshift) = (u32::from(halved.0) % 128, u32::from(halved.1) % 128);
        let (a, b, c, d, e) = signed;
        let (f, g, h, i, j, k) = unsigned;
        let value = Everything {
            flag,
            signed: (a, b >> (shift % 16), c >> (shift % 32), d >> (shift % 64), e >> shift),
            unsigned: (f, g >> (unshift % 16), h >> (unshift % 32), i >> (unshift % 64), j >> unshift, k),
            floats,
            text: (text.0, &text.1),
            bytes: Raw(&bytes),
            perhaps,
            events: [Event::Done, Event::Paid(h), Event::Sent { to: text.1.clone() }],
            list,
            map,
            unit: Nothing,
            newtype: Newtype(d),
        };
        prop_assert_eq!(outline(&value).unwrap().size, postcard::to_allocvec(&value).unwrap().len());
    }
}

#[test]
fn the_size_is_right_where_a_number_takes_a_byte_more() {
    for bits in 0..128 {
        for number in [(1_u128 << bits) - 1, 1 << bits] {
            let signed = number.cast_signed();
            for value in [(number, signed), (number, signed.wrapping_neg())] {
                let size = postcard::to_allocvec(&value).unwrap().len();
                assert_eq!(outline(&value).unwrap().size, size, "{value:?}");
            }
        }
    }
}

/// Shapes are stored with values, so they must be the same in every release.
#[test]
fn the_numbers_stay() {
    assert_eq!(of(&1_u32), 0xaf63_c14c_8601_beab);
}
