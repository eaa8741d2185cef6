//! The scripts that run in the server. Each write that depends on a read does both in one script, atomically.
//!
//! A script is sent by its hash. If the server does not know it, or has forgotten it, the source is sent.
//!
//! The cost of a script is its commands and arguments, then the functions and tables that it creates on each run, then its numeric
//! arguments, which Lua writes out with 17 digits. So a number that is text already stays text.

use std::sync::LazyLock;

use ::redis::{Arg, Cmd, Pipeline, ToRedisArgs, Value, cmd};

use super::exchange::Exchange;
use super::reply;
use crate::backend::BackendResult;

/// One script.
pub(super) struct Script {
    text: LazyLock<Text>,
}

struct Text {
    source: String,
    /// By which the server knows the script.
    hash: String,
}

impl Text {
    fn new(body: &str) -> Self {
        let mut source = String::with_capacity(4096);
        write_whole(body, &mut source);
        let hash = ::redis::Script::new(&source).get_hash().to_owned();
        Self { source, hash }
    }
}

macro_rules! files {
    ($($name:ident),*) => {
        &[$((stringify!($name), include_str!(concat!("lua/parts/", stringify!($name), ".lua")))),*]
    };
}

/// The parts that several scripts share. They are inlined, not functions: the server would create those on each run of a script, and
/// creating seven or eight takes as long as a command.
static PARTS: &[(&str, &str)] = files!(entry, leave, let_end, marks, note, now, store, tidy);

/// Writes `text`, with each line that names a part, such as `--: leave`, replaced by that part.
fn write_whole(text: &str, out: &mut String) {
    for line in text.split_inclusive('\n') {
        let named = line.trim().strip_prefix("--: ");
        let part = named.and_then(|name| PARTS.iter().find(|(part, _)| *part == name));
        match part {
            Some((_, part)) => write_whole(part, out),
            None => out.push_str(line),
        }
    }
}

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {
        $(
            pub(super) static $name: Script = Script {
                text: LazyLock::new(|| Text::new(include_str!($file))),
            };
        )*
        static ALL: &[&Script] = &[$(&$name),*];
    };
}

scripts! {
    MARKS = "lua/marks.lua";
    FILL = "lua/fill.lua";
    PUT = "lua/put.lua";
    EVICT = "lua/evict.lua";
    EVICT_SCOPE = "lua/evict_scope.lua";
    TELL = "lua/tell.lua";
    LEASE = "lua/lease.lua";
    RELEASE = "lua/release.lua";
}

impl Script {
    /// The command that runs the script on `keys`. The caller appends its arguments.
    pub(super) fn call<K: ToRedisArgs>(&self, keys: impl IntoIterator<Item = K>) -> Cmd {
        let keys: Vec<K> = keys.into_iter().collect();
        let mut call = command("EVALSHA", 1024);
        call.arg(&*self.text.hash).arg(keys.len()).arg(keys);
        call
    }
}

/// The command called `name`, with `room` reserved for the arguments that follow: without it they are moved repeatedly as they grow.
pub(super) fn command(name: &str, room: usize) -> Cmd {
    let mut command = Cmd::with_capacity(20, room);
    command.arg(name);
    command
}

/// The commands as one pipeline.
pub(super) fn pipe(commands: impl IntoIterator<Item = Cmd>) -> Pipeline {
    let commands = commands.into_iter();
    let mut pipe = Pipeline::with_capacity(commands.size_hint().0);
    for command in commands {
        pipe.add_command(command);
    }
    pipe
}

/// The servers' answers to each command of each of `pipes`. Takes one round trip, or two if a server lacks a script's source.
pub(super) async fn ask_all(
    io: &impl Exchange,
    pipes: &[Pipeline],
) -> BackendResult<Vec<Vec<Value>>> {
    let mut answers = io.exchange(pipes).await?;
    let (mut places, mut again) = (Vec::new(), Vec::new());
    for (nth_pipe, (pipe, answers)) in pipes.iter().zip(&answers).enumerate() {
        let mut with_sources = Pipeline::new();
        for (nth, (command, answer)) in pipe.cmd_iter().zip(answers).enumerate() {
            if reply::is_unknown_script(answer) {
                places.push((nth_pipe, nth));
                with_sources.add_command(with_source(command));
            }
        }
        if !with_sources.is_empty() {
            again.push(with_sources);
        }
    }
    if !again.is_empty() {
        let sent_again = io.exchange(&again).await?;
        for ((nth_pipe, nth), answer) in places.into_iter().zip(sent_again.into_iter().flatten()) {
            answers[nth_pipe][nth] = answer;
        }
    }
    Ok(answers)
}

/// [`ask_all`] for one pipe.
pub(super) async fn ask(io: &impl Exchange, pipe: Pipeline) -> BackendResult<Vec<Value>> {
    let answers = ask_all(io, &[pipe]).await?;
    Ok(answers.into_iter().next().unwrap_or_default())
}

/// The server's answer to `command`.
pub(super) async fn ask_one(io: &impl Exchange, command: Cmd) -> BackendResult<Value> {
    reply::first(ask(io, pipe([command])).await?)
}

/// `call` with the script's source in place of its hash.
fn with_source(call: &Cmd) -> Cmd {
    let mut args = call.args_iter().skip(1).filter_map(|arg| match arg {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    });
    let hash = args.next().unwrap_or_default();
    let script = ALL.iter().find(|it| it.text.hash.as_bytes() == hash);
    let mut eval = cmd("EVAL");
    eval.arg(script.map_or("", |it| &*it.text.source));
    for arg in args {
        eval.arg(arg);
    }
    eval
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_all_its_parts() {
        for script in ALL {
            let source = &script.text.source;
            assert!(!source.contains("--:"), "{source}");
        }
    }
}
