//! Bytes: how many go over the wire for an operation, in both directions, and how many an entry takes in the server, as the server
//! counts them.

use crate::Outcome;
use crate::options::Options;
use crate::report::{Report, Table};

use super::Contenders;
use super::contender::SIZES;
use super::operations::{Operation, Work, fill};
use super::servers::{Bytes, Running};

pub(super) fn run(
    running: &Running,
    contenders: &Contenders,
    options: &Options,
    report: &Report,
) -> Outcome {
    fill(contenders);
    let operations = if options.quick { 200 } else { 2000 };
    let server = running.kind().name();
    let mut table = Table::new([
        "bytes",
        "a hit: sent",
        "received",
        "a miss, stored: sent",
        "received",
        "a set: sent",
        "received",
        "in the server",
    ]);
    for (size, bytes) in SIZES.into_iter().enumerate() {
        for contender in contenders {
            let mut cells = vec![format!("{}, {bytes} B", contender.name())];
            let mut stored = 0;
            for operation in [Operation::Hit, Operation::Miss, Operation::Set] {
                let work = Work::new(operation, size, operations);
                let used = used(running, || {
                    (0..operations).for_each(|nth| work.run(&**contender, 0, nth));
                })?;
                let each = |bytes: u64| bytes / operations as u64;
                // as the client sees it
                cells.push(each(used.received).to_string());
                cells.push(each(used.sent).to_string());
                if operation == Operation::Miss {
                    stored = each(used.stored);
                }
            }
            cells.push(stored.to_string());
            table.row(cells);
        }
    }
    table.print(&format!("{server}: bytes an operation"));
    report.csv(&format!("shared-{server}-bytes"), &table)
}

/// What `work` adds to the server's counts, without what reading them adds.
fn used(running: &Running, work: impl FnOnce()) -> Result<Bytes, String> {
    let (before, begin) = (running.bytes()?, running.bytes()?);
    work();
    let end = running.bytes()?;
    let of = |count: fn(&Bytes) -> u64| {
        let asking = count(&begin).saturating_sub(count(&before));
        count(&end)
            .saturating_sub(count(&begin))
            .saturating_sub(asking)
    };
    Ok(Bytes {
        received: of(|it| it.received),
        sent: of(|it| it.sent),
        stored: end.stored.saturating_sub(begin.stored),
    })
}
