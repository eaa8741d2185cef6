//! Several concurrent callers: threads that block, and tasks that don't.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::measure::{cores, together};

use super::contender::Contender;
use super::operations::Work;

/// The runtime of the callers and, as in any program, of the bare drivers.
pub(super) struct Callers {
    runtime: Runtime,
}

impl Callers {
    pub(super) fn new() -> Result<Self, String> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores())
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { runtime })
    }

    pub(super) fn runtime(&self) -> &Handle {
        self.runtime.handle()
    }

    /// The output of `future`, run on the runtime.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Runs `operations` in total on `callers` threads. Each call is given the number of its caller and its own. Returns how long all
    /// took.
    pub(super) fn threads(
        callers: usize,
        operations: usize,
        operation: impl Fn(usize, usize) + Sync,
    ) -> Duration {
        let each = operations / callers;
        together(callers, |caller| {
            for nth in caller * each..(caller + 1) * each {
                operation(caller, nth);
            }
        })
    }

    /// The same on tasks.
    pub(super) fn tasks(
        &self,
        callers: usize,
        operations: usize,
        on: &Arc<dyn Contender>,
        work: Work,
    ) -> Duration {
        let each = operations / callers;
        let began = Instant::now();
        let tasks: Vec<_> = (0..callers)
            .map(|caller| {
                let on = Arc::clone(on);
                self.runtime.spawn(async move {
                    for nth in caller * each..(caller + 1) * each {
                        work.run_async(&*on, nth).await;
                    }
                })
            })
            .collect();
        self.wait(async {
            for task in tasks {
                task.await.expect("a measured task panicked");
            }
        });
        began.elapsed()
    }
}
