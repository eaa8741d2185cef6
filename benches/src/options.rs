//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use crate::shared::Kind;

pub(crate) const USAGE: &str = "\
options:
  --quick         fewer rounds and smaller sets: to see that it runs, not to compare
  --rounds N      how often each contender has its turn (default 7)
  --large         memory: 10,000,000 entries too
  --only NAMES    ratio: these traces alone, comma-separated parts of names
  --redis, --mongodb, --memcached
                  shared: these servers alone
  --out DIR       where the CSV files and the plots go (default target/bench)
";

/// The parsed command line.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) command: String,
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) large: bool,
    pub(crate) only: Vec<String>,
    /// The servers that were named. Empty for all.
    pub(crate) stores: Vec<Kind>,
    pub(crate) out: PathBuf,
    /// The folder of traces.
    pub(crate) traces: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(mut parser: Parser) -> Result<Self, lexopt::Error> {
        let mut options = Self {
            command: String::new(),
            quick: false,
            rounds: 0,
            large: false,
            only: Vec::new(),
            stores: Vec::new(),
            out: "target/bench".into(),
            traces: None,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("quick") => options.quick = true,
                Arg::Long("large") => options.large = true,
                Arg::Long("rounds") => options.rounds = parser.value()?.parse()?,
                Arg::Long("out") => options.out = parser.value()?.into(),
                Arg::Long("only") => {
                    let names = parser.value()?.string()?;
                    options.only.extend(names.split(',').map(str::to_owned));
                }
                Arg::Long(name) if let Some(kind) = Kind::named(name) => options.stores.push(kind),
                Arg::Value(command) if options.command.is_empty() => {
                    options.command = command.string()?;
                }
                Arg::Value(folder)
                    if options.traces.is_none()
                        && matches!(options.command.as_str(), "ratio" | "all") =>
                {
                    options.traces = Some(folder.into());
                }
                other => return Err(other.unexpected()),
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { 3 } else { 7 };
        }
        Ok(options)
    }

    /// The arguments that give the same options to another command.
    pub(crate) fn arguments_of(&self, command: &str) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![command.into()];
        arguments.extend(self.quick.then(|| "--quick".into()));
        arguments.extend(self.large.then(|| "--large".into()));
        arguments.extend(["--rounds".into(), self.rounds.to_string().into()]);
        if !self.only.is_empty() {
            arguments.extend(["--only".into(), self.only.join(",").into()]);
        }
        let stores = self.stores.iter();
        arguments.extend(stores.map(|kind| format!("--{}", kind.name()).into()));
        arguments.extend(["--out".into(), self.out.clone().into()]);
        // no other command takes traces
        let traces = self.traces.clone().filter(|_| command == "ratio");
        arguments.extend(traces.map(OsString::from));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_understands_what_is_said_of_all() {
        let line = "all traces --quick --large --rounds 4 --only lirs/,OLTP --redis --memcached --out there";
        let all = parse(line).unwrap();
        for (command, traces) in [("hit", None), ("ratio", Some("traces".into()))] {
            let one = Options::parse(Parser::from_args(all.arguments_of(command))).unwrap();
            assert_eq!((one.command.as_str(), one.traces), (command, traces));
            assert_eq!((one.quick, one.large, one.rounds), (true, true, 4));
            assert_eq!(one.stores, [Kind::Redis, Kind::Memcached]);
            assert_eq!((one.only, one.out), (all.only.clone(), all.out.clone()));
        }
    }

    fn parse(line: &str) -> Result<Options, lexopt::Error> {
        Options::parse(Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn a_command_has_options_on_either_side() {
        let options = parse("--quick ratio traces --only lirs/,OLTP --out there").unwrap();
        assert_eq!(options.command, "ratio");
        assert_eq!(options.traces, Some("traces".into()));
        assert_eq!(options.only, ["lirs/", "OLTP"]);
        assert_eq!(options.out, PathBuf::from("there"));
        assert_eq!(options.rounds, 3);
        assert_eq!(parse("hit --quick --rounds 9").unwrap().rounds, 9);
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert!(parse("hit traces").is_err());
        assert!(parse("hit --rounds many").is_err());
        assert!(parse("hit --fast").is_err());
    }
}
