//! A call that was not found: what generated code hands the body to.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use cacheado_backends::Error;

use crate::load::{Begun, Load};
use crate::outcome::{Decision, Outcome};
use crate::value::Typed;

/// A call that has to run its body. It owns all it needs and borrows nothing of the arguments, which the body may consume.
///
/// It asks nothing of the value's type, which `Function::look` has asked for: what is wrong with it is said once.
pub struct Pending<R, K: Outcome<R>> {
    load: Option<(Load, Typed<K::Stored>)>,
    /// What is returned if the shared tier fails; `None`: the body runs.
    failed: Option<fn(Error) -> R>,
}

impl<R, K: Outcome<R>> Pending<R, K> {
    /// The body runs and nothing is stored.
    pub(crate) fn uncached() -> Self {
        Self {
            load: None,
            failed: None,
        }
    }

    pub(crate) fn with(load: Load, typed: Typed<K::Stored>) -> Self {
        Self {
            load: Some((load, typed)),
            failed: None,
        }
    }

    /// The same, and if the shared tier fails, what `failed` makes of its error is returned instead of running the body.
    #[must_use]
    pub fn or_fail(mut self, failed: fn(Error) -> R) -> Self {
        if let Some((load, _)) = &mut self.load {
            load.fails = true;
            self.failed = Some(failed);
        }
        self
    }

    /// How long a value lives, unless the one says otherwise.
    fn ttl(&self) -> Option<Duration> {
        self.load.as_ref().and_then(|(load, _)| load.ttl)
    }

    /// Runs the body, or waits for another call that does.
    #[inline]
    pub fn load(self, body: impl FnOnce() -> R) -> R {
        let ttl = self.ttl();
        self.run(&mut |_| Decision::Store { ttl }, &mut once(body))
    }

    /// As [`load`](Self::load), without blocking.
    pub fn load_async(self, body: impl Future<Output = R>) -> impl Future<Output = R> {
        let ttl = self.ttl();
        self.load_async_if(move |_| Decision::Store { ttl }, body)
    }

    /// Runs the body, or waits for another call that does. `decide` says what becomes of the value.
    pub fn load_if(
        self,
        decide: impl FnOnce(&K::Stored) -> Decision,
        body: impl FnOnce() -> R,
    ) -> R {
        let mut decide = Some(decide);
        let mut decide = |value: &K::Stored| decide.take().map_or(Decision::Skip, |it| it(value));
        self.run(&mut decide, &mut once(body))
    }

    /// Compiled once for all functions of one return type. Both are called once at most.
    fn run(self, decide: &mut dyn FnMut(&K::Stored) -> Decision, body: &mut dyn FnMut() -> R) -> R {
        let Some((load, typed)) = self.load else {
            return body();
        };
        let lead = match load.begin() {
            Begun::Found(value) => return K::restore((typed.own)(value)),
            Begun::Lead(lead) => lead,
            Begun::Failed(error) => match self.failed {
                Some(failed) => return failed(error),
                None => return body(),
            },
        };
        let ret = {
            let _turn = lead.turn();
            body()
        };
        let value = K::stored(&ret).map(|value| ((typed.erase)(value), decide(value)));
        if let Some((lead, settled)) = lead.settle(value) {
            lead.tell(settled);
        }
        ret
    }

    /// As [`load_if`](Self::load_if), without blocking.
    pub async fn load_async_if(
        self,
        decide: impl FnOnce(&K::Stored) -> Decision,
        body: impl Future<Output = R>,
    ) -> R {
        let Some((load, typed)) = self.load else {
            return body.await;
        };
        let lead = match load.begin_async().await {
            Begun::Found(value) => return K::restore((typed.own)(value)),
            Begun::Lead(lead) => lead,
            Begun::Failed(error) => match self.failed {
                Some(failed) => return failed(error),
                None => return body.await,
            },
        };
        let ret = {
            let mut body = pin!(body);
            poll_fn(|cx| {
                let _turn = lead.turn_of_poll();
                body.as_mut().poll(cx)
            })
            .await
        };
        let value = K::stored(&ret).map(|value| ((typed.erase)(value), decide(value)));
        if let Some((lead, settled)) = lead.settle(value) {
            lead.tell_async(settled).await;
        }
        ret
    }
}

/// `body` in a shape that need not be known where it is called, which is once.
fn once<R>(body: impl FnOnce() -> R) -> impl FnMut() -> R {
    let mut body = Some(body);
    move || match body.take() {
        Some(body) => body(),
        None => unreachable!("a body runs once"),
    }
}
