//! The reference figures in a folder of traces: `targets.tsv`. Its first four columns are trace, requests, unique keys and capacity;
//! the first line names the others.

use std::fs;
use std::path::Path;

/// A trace, and the hit ratios of others with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) trace: String,
    pub(super) requests: usize,
    pub(super) unique: usize,
    /// The capacities, each with its figures.
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Targets {
    /// The names of the figures.
    pub(super) names: Vec<String>,
    pub(super) references: Vec<Reference>,
}

const OWN: usize = 4;

impl Targets {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text
            .lines()
            .map(|line| line.split('\t').collect::<Vec<_>>());
        let names: Vec<String> = lines
            .next()
            .unwrap_or_default()
            .iter()
            .skip(OWN)
            .map(|name| (*name).to_owned())
            .collect();
        let mut references: Vec<Reference> = Vec::new();
        for (nth, line) in lines.enumerate() {
            let bad = |_| format!("line {} has no number where one should be", nth + 2);
            if line.len() != OWN + names.len() {
                return Err(format!("line {} has {} columns", nth + 2, line.len()));
            }
            let figures = line[OWN..].iter().map(|cell| (*cell).to_owned()).collect();
            let row = (line[3].parse().map_err(bad)?, figures);
            match references.last_mut() {
                Some(reference) if reference.trace == line[0] => reference.rows.push(row),
                _ => references.push(Reference {
                    trace: line[0].to_owned(),
                    requests: line[1].parse().map_err(bad)?,
                    unique: line[2].parse().map_err(bad)?,
                    rows: vec![row],
                }),
            }
        }
        Ok(Self { names, references })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_trace_belong_together() {
        let text = "trace\trequests\tunique\tcapacity\tlru\topt\n\
                    a/x\t10\t3\t1\t0.00\t50.00\na/x\t10\t3\t2\t10.00\t60.00\ny\t5\t5\t1\t0.00\t0.00\n";
        let targets = Targets::parse(text).unwrap();
        assert_eq!(targets.names, ["lru", "opt"]);
        assert_eq!(targets.references.len(), 2);
        let first = &targets.references[0];
        assert_eq!((first.requests, first.unique), (10, 3));
        assert_eq!(first.rows[1], (2, vec!["10.00".into(), "60.00".into()]));
    }

    #[test]
    fn a_line_that_is_cut_short_is_said() {
        let text = "trace\trequests\tunique\tcapacity\tlru\na\t1\t1\t1\n";
        assert_eq!(Targets::parse(text).unwrap_err(), "line 2 has 4 columns");
    }
}
