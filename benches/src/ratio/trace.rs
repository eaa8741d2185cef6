//! Reads access traces: a number for each access, in the usual formats.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How a file encodes the accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// A number per line. Blank lines, and those of a `*`, are ignored.
    Lines,
    /// Lines of `start count x y`: `count` consecutive numbers from `start` on.
    Runs,
    /// Big-endian numbers of so many bytes each.
    Binary(usize),
}

/// The binary traces, with the width of their numbers, which the files don't state.
const BINARY: [(&str, usize); 4] = [
    ("orm-night", 4),
    ("web07", 4),
    ("corda", 8),
    ("scarab-recs", 8),
];

fn format(stem: &str, file: &str) -> Format {
    if let Some(&(_, width)) = BINARY.iter().find(|(name, _)| *name == stem) {
        Format::Binary(width)
    } else if file.contains(".lis") {
        Format::Runs
    } else {
        Format::Lines
    }
}

/// The accesses of a trace in this folder, by its name. That is the name of its file up to the first dot, with or without a folder
/// before it. Or it is several of these with a `+` in between, each after a number if it comes more than once: `corda+5loop+corda`.
pub(super) fn read(folder: &Path, name: &str) -> Result<Vec<u64>, String> {
    let mut accesses = Vec::new();
    for (times, stem) in parts(name) {
        let path = find(folder, stem)?;
        let failed = |error: String| format!("{}: {error}", path.display());
        let bytes = fs::read(&path).map_err(|error| failed(error.to_string()))?;
        let file = path.to_string_lossy();
        let plain = unpack(&file, bytes).map_err(failed)?;
        let part = parse(format(stem, &file), &plain).map_err(failed)?;
        for _ in 0..times {
            accesses.extend_from_slice(&part);
        }
    }
    Ok(accesses)
}

/// The stems of the files, and how often each comes.
fn parts(name: &str) -> Vec<(usize, &str)> {
    let name = name.rsplit('/').next().unwrap_or(name);
    if !name.contains('+') {
        return vec![(1, name)];
    }
    name.split('+')
        .map(|part| {
            let stem = part.trim_start_matches(|first: char| first.is_ascii_digit());
            let times = part[..part.len() - stem.len()].parse().unwrap_or(1);
            (times, stem)
        })
        .collect()
}

fn find(folder: &Path, stem: &str) -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name.to_string_lossy().split('.').next() == Some(stem) {
            return Ok(entry.path());
        }
    }
    Err(format!("{} has no trace {stem:?}", folder.display()))
}

/// Decompresses according to the end of the file name.
fn unpack(file: &str, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    match file.rsplit('.').next() {
        Some("gz") => flate2::read::MultiGzDecoder::new(bytes.as_slice())
            .read_to_end(&mut plain)
            .map_err(|error| error.to_string())?,
        Some("xz") => lzma_rs::xz_decompress(&mut bytes.as_slice(), &mut plain)
            .map(|()| 0)
            .map_err(|error| format!("{error:?}"))?,
        Some("zst") => ruzstd::decoding::StreamingDecoder::new(bytes.as_slice())
            .map_err(|error| error.to_string())?
            .read_to_end(&mut plain)
            .map_err(|error| error.to_string())?,
        _ => return Ok(bytes),
    };
    Ok(plain)
}

fn parse(format: Format, bytes: &[u8]) -> Result<Vec<u64>, String> {
    if let Format::Binary(width) = format {
        if !bytes.len().is_multiple_of(width) {
            return Err(format!("{} bytes, {width} each", bytes.len()));
        }
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |number, &byte| number << 8 | u64::from(byte))
        };
        return Ok(bytes.chunks_exact(width).map(number).collect());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut accesses = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line == "*" {
            continue;
        }
        let mut numbers = line.split_whitespace().map(|word| {
            word.parse::<u64>()
                .map_err(|error| format!("{line:?}: {error}"))
        });
        let mut next = || numbers.next().unwrap_or(Ok(0));
        let start = next()?;
        let count = if format == Format::Runs { next()? } else { 1 };
        accesses.extend(start..start + count);
    }
    Ok(accesses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_a_number_or_nothing() {
        let accesses = parse(Format::Lines, b"3\n*\n\n 17 \r\n3\n").unwrap();
        assert_eq!(accesses, [3, 17, 3]);
        assert!(parse(Format::Lines, b"3\nx\n").is_err());
    }

    #[test]
    fn runs_are_written_out() {
        let accesses = parse(Format::Runs, b"10 3 0 1\n7 1 0 2\n").unwrap();
        assert_eq!(accesses, [10, 11, 12, 7]);
    }

    #[test]
    fn binary_numbers_are_big_endian() {
        let bytes = [0, 0, 1, 2, 0xff, 0, 0, 0];
        assert_eq!(
            parse(Format::Binary(4), &bytes).unwrap(),
            [0x102, 0xff00_0000]
        );
        assert_eq!(parse(Format::Binary(8), &bytes).unwrap(), [0x102_ff00_0000]);
        assert!(parse(Format::Binary(8), &bytes[1..]).is_err());
    }

    #[test]
    fn names_say_which_files_and_how_often() {
        assert_eq!(parts("lirs/2_pools"), [(1, "2_pools")]);
        assert_eq!(
            parts("corda+5loop+corda"),
            [(1, "corda"), (5, "loop"), (1, "corda")]
        );
    }

    #[test]
    fn formats_follow_from_names() {
        assert_eq!(format("OLTP", "OLTP.lis.zst"), Format::Runs);
        assert_eq!(format("loop", "loop.trace.gz"), Format::Lines);
        assert_eq!(format("web07", "web07.trace.xz"), Format::Binary(4));
    }

    #[test]
    fn what_is_not_packed_is_left_as_it_is() {
        assert_eq!(unpack("a.trace", vec![1, 2]).unwrap(), [1, 2]);
        assert!(unpack("a.gz", vec![1, 2]).is_err());
    }
}
