//! The part of MongoDB's protocol that it takes to run a replica set: one command, one answer.
//!
//! [OP_MSG](https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/#op_msg) with documents in
//! [BSON](https://bsonspec.org/spec.html). A driver would do, but everything that starts a server would have to build it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

const OP_MSG: i32 = 2013;
/// Longer than any answer to the commands here.
const LONGEST_ANSWER: u32 = 1 << 20;

/// A BSON document under construction.
#[derive(Default)]
pub(crate) struct Document(Vec<u8>);

impl Document {
    pub(crate) fn int(self, name: &str, value: i32) -> Self {
        self.field(0x10, name, &value.to_le_bytes())
    }

    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        let length = length(value.len() + 1).to_le_bytes();
        self.field(0x02, name, &[&length[..], value.as_bytes(), &[0]].concat())
    }

    pub(crate) fn document(self, name: &str, value: &Self) -> Self {
        self.field(0x03, name, &value.bytes())
    }

    pub(crate) fn truth(self, name: &str, value: bool) -> Self {
        self.field(0x08, name, &[value.into()])
    }

    pub(crate) fn array(self, name: &str, elements: &[Self]) -> Self {
        let array = elements.iter().enumerate();
        let array = array.fold(Self::default(), |array, (nth, element)| {
            array.document(&nth.to_string(), element)
        });
        self.field(0x04, name, &array.bytes())
    }

    fn field(mut self, kind: u8, name: &str, value: &[u8]) -> Self {
        self.0.push(kind);
        self.0.extend(name.as_bytes());
        self.0.push(0);
        self.0.extend(value);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let whole = length(self.0.len() + 5).to_le_bytes();
        [&whole[..], &self.0, &[0]].concat()
    }
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("short")
}

/// Runs `command` on the server at `port`. Returns the answer, in BSON.
pub(crate) fn run(port: u16, command: Document) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let body = command.text("$db", "admin").bytes();
    // after the length: request id, response to, operation, flags, and the kind of the one section
    let mut message = length(body.len() + 21).to_le_bytes().to_vec();
    for number in [1, 0, OP_MSG, 0] {
        message.extend(number.to_le_bytes());
    }
    message.push(0);
    message.extend(body);
    stream.write_all(&message)?;

    let mut whole = [0; 4];
    stream.read_exact(&mut whole)?;
    let whole = u32::from_le_bytes(whole).clamp(4, LONGEST_ANSWER);
    let mut answer = vec![0; whole as usize - 4];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// Whether `answer` has a field of that name that is true, at any depth.
pub(crate) fn is_true(answer: &[u8], name: &str) -> bool {
    let field = [&[0x08], name.as_bytes(), &[0, 1]].concat();
    answer.windows(field.len()).any(|window| window == field)
}

/// Whether `answer` says that the command was carried out.
pub(crate) fn is_ok(answer: &[u8]) -> bool {
    let field = [&b"\x01ok\0"[..], &1_f64.to_le_bytes()].concat();
    answer.windows(field.len()).any(|window| window == field)
}
