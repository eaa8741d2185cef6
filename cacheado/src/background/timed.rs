//! Calls with time limits: past `timeout` they return a stand-in, past `hard_timeout` an error. The body goes on, and its result is
//! stored when it comes.
//!
//! Of concurrent callers one has the body run, and each waits for it as long as its limits allow.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use cacheado_backends::{Clock, Error, Key, Tick};

use crate::background::handed::Awaited;
use crate::cache::Cache;
use crate::counters::Event;
use crate::flight::{Boarding, Ticket, Wait};
use crate::load::active::Around;
use crate::load::pending::Instead;
use crate::load::{Begun, Load, Sharing, Waited, landing};
use crate::outcome::Outcome;
use crate::runtime;
use crate::value::{AnyValue, Typed, ValueType};
use crate::waiting::slot::Slot;
use crate::waiting::timer::Timer;
use crate::way::Way;

/// How long a call waits, and what it returns then. A call whose load outlives it (`detached`) may have no limit.
pub(crate) struct Limits<R> {
    cache: Cache,
    key: Key,
    values: &'static ValueType,
    /// Whether a value past its lifetime may stand in.
    stale: bool,
    /// The end of waiting while there is a stand-in.
    soft: Option<Tick>,
    /// The end of waiting in any case.
    hard: Option<Hard<R>>,
    /// Whether the call has been answered: the outcome of its body after that is not a stale hit of its own.
    answered: Arc<AtomicBool>,
    instead: Instead<R>,
}

struct Hard<R> {
    until: Tick,
    span: Duration,
    timed_out: fn(Error) -> R,
}

/// How waiting ended.
enum Ended<T, R> {
    /// With what was waited for.
    Done(T),
    /// Without it: the call returns this.
    Late(R),
}

/// What a call does after it waited for another load.
enum Next<R> {
    Returns(R),
    /// It has its own body run.
    Leads(Ticket),
    /// It looks for another load to wait for.
    LooksAgain,
}

impl<R: Send + 'static> Limits<R> {
    /// The limits of a call that must load. `None` if it has no limits and its load ends with it: then it may as well run the body
    /// itself.
    pub(crate) fn of(load: &mut Load, instead: Instead<R>) -> Option<Self> {
        let now = load.cache.clock().now();
        let until = |span| Clock::deadline(now, Some(span));
        let aging = load.aging();
        let hard = aging.hard_timeout.zip(instead.timed_out);
        let hard = hard.map(|(span, timed_out)| Hard {
            until: until(span),
            span,
            timed_out,
        });
        // a caller that asks for a new value is not given the old one; and without an old one nothing can be returned early
        let soft = aging.timeout.filter(|_| load.sharing != Sharing::Refresh);
        // a soft limit beyond the hard one is never reached, as may be with the builder's default
        let soft = soft.filter(|soft| hard.as_ref().is_none_or(|hard| *soft <= hard.span));
        let soft = soft.filter(|_| hard.is_some() || load.stand_in().is_some());
        let limited = soft.is_some() || hard.is_some() || aging.detached;
        if !limited {
            return None;
        }
        let answered = Arc::default();
        load.answered = Some(Arc::clone(&answered));
        Some(Self {
            answered,
            instead,
            cache: load.cache.clone(),
            key: load.key.clone(),
            values: load.values,
            stale: aging.stale.is_some(),
            soft: soft.map(until),
            hard,
        })
    }

    /// Waits by calling `wait`, which gives up at the time it is given: first the soft limit, then the hard one.
    fn ended<K: Outcome<R>, T>(
        &self,
        typed: Typed<K::Stored>,
        mut wait: impl FnMut(Option<Tick>) -> Option<T>,
    ) -> Ended<T, R> {
        if self.soft.is_some() {
            if let Some(done) = wait(self.soft) {
                return Ended::Done(done);
            }
            if let Some(value) = self.stand_in() {
                return Ended::Late(K::restore((typed.own)(value)));
            }
        }
        loop {
            let until = self.hard.as_ref().map(|hard| hard.until);
            if let Some(done) = wait(until) {
                return Ended::Done(done);
            }
            if let Some(hard) = &self.hard {
                return Ended::Late(self.timed_out(hard));
            }
        }
    }

    /// As [`ended`](Self::ended), awaiting `wait`.
    async fn ended_async<K: Outcome<R>, F: Future + Unpin>(
        &self,
        typed: Typed<K::Stored>,
        mut wait: F,
    ) -> Ended<F::Output, R> {
        let clock = self.cache.clock();
        if let Some(soft) = self.soft {
            if let Some(done) = before(&mut wait, Timer::new(clock, soft)).await {
                return Ended::Done(done);
            }
            if let Some(value) = self.stand_in() {
                return Ended::Late(K::restore((typed.own)(value)));
            }
        }
        let Some(hard) = &self.hard else {
            return Ended::Done(wait.await);
        };
        match before(&mut wait, Timer::new(clock, hard.until)).await {
            Some(done) => Ended::Done(done),
            None => Ended::Late(self.timed_out(hard)),
        }
    }

    /// The value that is returned past the soft limit, if there is one.
    fn stand_in(&self) -> Option<Box<AnyValue>> {
        let value = self.values.stand_in(&self.cache, &self.key, self.stale)?;
        self.cache.serves_for_want_of_better(&self.key);
        if !self.answered.swap(true, Ordering::Relaxed) {
            self.cache.count(&self.key, Event::StaleHit);
            self.cache.count(&self.key, Event::Timeout);
        }
        Some(value)
    }

    fn timed_out(&self, hard: &Hard<R>) -> R {
        if !self.answered.swap(true, Ordering::Relaxed) {
            self.cache.count(&self.key, Event::Timeout);
        }
        (hard.timed_out)(Error::Timeout {
            key: self.key.to_string(),
            limit: hard.span,
        })
    }

    /// What the call does after it waited for another load.
    fn next<K: Outcome<R>>(
        &self,
        load: &Load,
        way: Way,
        typed: Typed<K::Stored>,
        ended: Ended<Wait, R>,
    ) -> Next<R> {
        let wait = match ended {
            Ended::Done(wait) => wait,
            Ended::Late(ret) => {
                load.missed();
                return Next::Returns(ret);
            }
        };
        match load.waited(wait, way) {
            Waited::Value(value) => Next::Returns(K::restore((typed.own)(value))),
            Waited::Error(error) => {
                let ret = self.instead.restore(error);
                ret.map_or(Next::LooksAgain, Next::Returns)
            }
            Waited::Beside(ticket) => Next::Leads(ticket),
            Waited::Again => Next::LooksAgain,
        }
    }

    /// Has `job` load on another thread and waits for it, or waits for another load.
    pub(crate) fn load<K: Outcome<R>>(
        self,
        load: Box<Load>,
        typed: Typed<K::Stored>,
        job: impl FnOnce(Begun) -> R + Send + 'static,
    ) -> R {
        let clock = self.cache.clock();
        let ticket = loop {
            let seat = match load.board(Way::Blocking) {
                Boarding::Lead(ticket) => break ticket,
                Boarding::Wait(seat) => seat,
            };
            let wait = |until| seat.wait_until(clock, until);
            let ended = self.ended::<K, _>(typed, wait);
            match self.next::<K>(&load, Way::Blocking, typed, ended) {
                Next::Returns(ret) => return ret,
                Next::Leads(ticket) => break ticket,
                Next::LooksAgain => {}
            }
        };
        self.run::<K>(typed, move || job(load.aboard(ticket)))
    }

    /// Has `job` run on another thread and waits for it.
    pub(crate) fn run<K: Outcome<R>>(
        self,
        typed: Typed<K::Stored>,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> R {
        let clock = self.cache.clock();
        let slot = Slot::new();
        let answer = Arc::clone(&slot);
        let around = Around::here();
        let run = move || {
            // the waiting caller gets the panic
            let job = AssertUnwindSafe(|| around.run(job));
            answer.put(catch_unwind(job));
        };
        let ran = self.cache.background().run(run, |run| run(), false);
        if let Err(run) = ran {
            run();
        }
        // the body may wait for a future of the very runtime whose thread waits here
        let wait = |until| {
            let block = || slot.wait(clock, until);
            runtime::block(false, block).unwrap_or_else(|| slot.wait(clock, until))
        };
        match self.ended::<K, _>(typed, wait) {
            Ended::Done(ran) => ran.unwrap_or_else(|panic: Panic| resume_unwind(panic)),
            Ended::Late(ret) => ret,
        }
    }

    /// As [`load`](Self::load), as a future, with the body on a task.
    pub(crate) async fn load_async<K: Outcome<R>, F>(
        self,
        load: Box<Load>,
        typed: Typed<K::Stored>,
        job: impl FnOnce(Begun) -> F + Send + 'static,
    ) -> R
    where
        F: Future<Output = R> + Send + 'static,
    {
        let ticket = loop {
            let seat = match load.board(Way::Async) {
                Boarding::Lead(ticket) => break ticket,
                Boarding::Wait(seat) => seat,
            };
            let wait = pin!(landing(seat));
            let ended = self.ended_async::<K, _>(typed, wait).await;
            match self.next::<K>(&load, Way::Async, typed, ended) {
                Next::Returns(ret) => return ret,
                Next::Leads(ticket) => break ticket,
                Next::LooksAgain => {}
            }
        };
        let job = async move { job(load.aboard_async(ticket).begun().await).await };
        self.run_async::<K, _>(typed, Box::pin(job)).await
    }

    /// As [`run`](Self::run), as a future, with the body on a task.
    pub(crate) async fn run_async<K: Outcome<R>, F>(
        self,
        typed: Typed<K::Stored>,
        job: Pin<Box<F>>,
    ) -> R
    where
        F: Future<Output = R> + Send + 'static,
    {
        let slot = Slot::new();
        let answer = Arc::clone(&slot);
        let around = Around::here();
        let job = async move {
            answer.put(Caught { job, around }.await);
        };
        let patience = self.cache.flights().timeout();
        let (wait, task) = Awaited::new(slot, patience, job);
        if let Err(task) = self.cache.background().spawn(task, false) {
            task.await;
        }
        match self.ended_async::<K, _>(typed, wait).await {
            Ended::Done(ran) => ran.unwrap_or_else(|panic: Panic| resume_unwind(panic)),
            Ended::Late(ret) => ret,
        }
    }
}

type Panic = Box<dyn Any + Send>;

/// The output of `wait`, unless `timer` is ready first.
async fn before<F: Future + Unpin>(wait: &mut F, timer: Timer) -> Option<F::Output> {
    let mut timer = pin!(timer);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = Pin::new(&mut *wait).poll(cx) {
            return Poll::Ready(Some(done));
        }
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// A future whose panic becomes a value.
struct Caught<F> {
    job: Pin<Box<F>>,
    around: Around,
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { job, around } = &mut *self;
        let poll = || around.run(|| job.as_mut().poll(cx));
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => {
                runtime::explain(&*panic);
                Poll::Ready(Err(panic))
            }
        }
    }
}
