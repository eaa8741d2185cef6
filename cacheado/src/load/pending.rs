//! A call that was not found. Generated code hands its body to it.
//!
//! A body that borrows the call's arguments runs where it was called. A body that owns them is passed to a method of its own
//! (`load_owned…`). It may run in the background, so that the call returns an existing value, or does not wait for the body to end.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::time::Duration;

use cacheado_backends::Error;

use super::active::{outside, polled_outside};
use super::drive::{Start, Started, drive};
use crate::aging::errors::Errors;
use crate::background::handed::Task;
use crate::background::owned::Sendable;
use crate::background::timed::Limits;
use crate::load::{Begun, Lead, Load, Settled};
use crate::outcome::{Decision, Outcome};
use crate::tell::How;
use crate::value::{AnyValue, Typed};

/// A call that must run its body. It owns all it needs and borrows nothing of the arguments, which the body may consume.
///
/// It has no bounds on the value's type. `Function::look` has them, so a type error is reported only once.
pub struct Pending<R, K: Outcome<R>> {
    load: Option<(Box<Load>, Typed<K::Stored>)>,
    /// What the call returns while the body runs in the background.
    ahead: Option<Box<K::Stored>>,
    /// For a body that runs uncached: the load whose time limits apply. It is used for nothing else.
    bound: Option<(Box<Load>, Typed<K::Stored>)>,
    instead: Instead<R>,
}

/// What a call returns if it has neither a value nor the result of its body.
pub(crate) struct Instead<R> {
    /// Returned if the shared tier fails; `None`: the body runs.
    pub(crate) failed: Option<fn(Error) -> R>,
    /// Returned if the body takes too long; `None`: the call waits.
    pub(crate) timed_out: Option<fn(Error) -> R>,
    /// How an `Err` is kept and restored, if it is kept.
    pub(crate) errors: Option<Errors<R>>,
    /// How an `Err` is printed in traces; `None`: it is not.
    pub(crate) how: Option<How<R>>,
}

impl<R> Clone for Instead<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Instead<R> {}

impl<R> Instead<R> {
    /// What the function returned when it failed.
    pub(crate) fn restore(&self, error: Box<AnyValue>) -> Option<R> {
        self.errors.and_then(|errors| errors.restore(error))
    }
}

impl<R, K: Outcome<R>> Pending<R, K> {
    fn new(load: Option<(Box<Load>, Typed<K::Stored>)>, ahead: Option<Box<K::Stored>>) -> Self {
        Self {
            load,
            ahead,
            bound: None,
            instead: Instead {
                failed: None,
                timed_out: None,
                errors: None,
                how: None,
            },
        }
    }

    /// A call whose body runs and whose result is not stored.
    pub(crate) fn uncached() -> Self {
        Self::new(None, None)
    }

    /// As [`uncached`](Self::uncached), with the time limits of `load`.
    pub(crate) fn bounded(load: Box<Load>, typed: Typed<K::Stored>) -> Self {
        Self {
            bound: Some((load, typed)),
            ..Self::uncached()
        }
    }

    pub(crate) fn with(load: Box<Load>, typed: Typed<K::Stored>) -> Self {
        Self::new(Some((load, typed)), None)
    }

    /// A call that returns `value`, while the body runs in the background if `load` is given.
    pub(crate) fn ahead(value: K::Stored, load: Option<(Box<Load>, Typed<K::Stored>)>) -> Self {
        Self::new(load, Some(Box::new(value)))
    }

    /// Makes the call return what `failed` makes of the error if the shared tier fails, instead of running the body.
    #[must_use]
    pub fn or_fail(mut self, failed: fn(Error) -> R) -> Self {
        if let Some((load, _)) = &mut self.load {
            load.fails = true;
            self.instead.failed = Some(failed);
        }
        self
    }

    /// Makes the call return what `timed_out` makes of the error if the body takes too long, instead of waiting for it.
    #[must_use]
    pub fn or_time_out(mut self, timed_out: fn(Error) -> R) -> Self {
        self.instead.timed_out = Some(timed_out);
        self
    }

    /// Traces an `Err` that is not returned, printed by `how`.
    #[must_use]
    pub fn telling(mut self, how: How<R>) -> Self {
        self.instead.how = Some(how);
        self
    }

    /// Keeps an `Err` as `errors` say, if given.
    pub(crate) fn keeping(mut self, errors: Option<Errors<R>>) -> Self {
        if let Some((load, _)) = &mut self.load {
            load.errors = errors.as_ref().map(Errors::clone_error);
            self.instead.errors = errors;
        }
        self
    }

    /// How long a value lives, unless the value itself decides.
    fn ttl(&self) -> Option<Duration> {
        self.load.as_ref().and_then(|(load, _)| load.ttl)
    }

    /// Runs the body, or waits for another call that does.
    #[inline]
    pub fn load(self, body: impl FnOnce() -> R) -> R {
        let mut body = Some(body);
        self.load_by(&mut || once(&mut body))
    }

    /// As [`load`](Self::load). Compiled once for all functions of one return type.
    fn load_by(self, body: &mut dyn FnMut() -> R) -> R {
        let ttl = self.ttl();
        self.run(&mut Decision::always(ttl), body)
    }

    /// As [`load`](Self::load), without blocking.
    pub fn load_async<B: Future<Output = R>>(
        self,
        body: impl FnOnce() -> B,
    ) -> impl Future<Output = R> {
        let ttl = self.ttl();
        self.load_async_if(Decision::always(ttl), body)
    }

    /// As [`load`](Self::load). `decide` says what becomes of the value.
    pub fn load_if(
        self,
        decide: impl FnOnce(&K::Stored) -> Decision,
        body: impl FnOnce() -> R,
    ) -> R {
        let mut decide = Some(decide);
        let mut decide = |value: &K::Stored| decide.take().map_or(Decision::Skip, |it| it(value));
        let mut body = Some(body);
        self.run(&mut decide, &mut || once(&mut body))
    }

    /// Runs the call. Compiled once for all functions of one return type. Both closures are called at most once.
    fn run(self, decide: &mut dyn FnMut(&K::Stored) -> Decision, body: &mut dyn FnMut() -> R) -> R {
        match self.load {
            None => outside(body),
            Some((load, typed)) => {
                conclude::<R, K>(load.begin(), typed, self.instead, decide, body)
            }
        }
    }

    /// As [`load_if`](Self::load_if), without blocking.
    pub fn load_async_if<B: Future<Output = R>>(
        self,
        decide: impl FnOnce(&K::Stored) -> Decision,
        body: impl FnOnce() -> B,
    ) -> impl Future<Output = R> {
        let (load, instead) = self.start();
        drive::<R, K, _>(load, instead, decide, body)
    }

    /// Compiled once for all functions of one return type.
    fn start(self) -> (Option<Started<K::Stored>>, Instead<R>) {
        let load = self.load.map(|(load, typed)| (Start::Load(load), typed));
        (load, self.instead)
    }
}

// the bound on `R` stands on each method, where the compiler's message names it, and not on the impl
impl<R, K: Outcome<R> + 'static> Pending<R, K>
where
    K::Stored: 'static,
{
    /// Runs the body, waits for another call that does, or returns an existing value while the body runs in the background.
    pub fn load_owned(self, body: impl FnOnce() -> R + Send + 'static) -> R
    where
        R: Sendable,
    {
        let ttl = self.ttl();
        self.load_owned_if(Decision::always(ttl), body)
    }

    /// As [`load_owned`](Self::load_owned), without blocking.
    pub fn load_owned_async<B: Future<Output = R> + Send + 'static>(
        self,
        body: impl FnOnce() -> B + Send + 'static,
    ) -> impl Future<Output = R>
    where
        R: Sendable,
    {
        let ttl = self.ttl();
        self.load_owned_async_if(Decision::always(ttl), body)
    }

    /// As [`load_owned`](Self::load_owned). `decide` says what becomes of the value.
    pub fn load_owned_if(
        self,
        decide: impl FnOnce(&K::Stored) -> Decision + Send + 'static,
        body: impl FnOnce() -> R + Send + 'static,
    ) -> R
    where
        R: Sendable,
    {
        let Self {
            load,
            ahead,
            bound,
            instead,
        } = self;
        let Some((mut load, typed)) = load else {
            return match (ahead, limits(bound, instead)) {
                (Some(value), _) => K::restore(*value),
                (None, Some((limits, typed))) => limits.run::<K>(typed, || outside(body)),
                (None, None) => outside(body),
            };
        };
        let job = move |begun: Begun| {
            let mut decide = Some(decide);
            let mut decide =
                |value: &K::Stored| decide.take().map_or(Decision::Skip, |it| it(value));
            let mut body = Some(body);
            conclude::<R, K>(begun, typed, instead, &mut decide, &mut || once(&mut body))
        };
        if let Some(value) = ahead {
            let cache = load.cache.clone();
            // at the limit it does not run, and another lookup may try again
            let job = move || _ = job(load.begin());
            drop(cache.background().run(job, |job| job(), true));
            return K::restore(*value);
        }
        match Limits::of(&mut load, instead) {
            None => job(load.begin()),
            Some(limits) => limits.load::<K>(load, typed, job),
        }
    }

    /// As [`load_owned_if`](Self::load_owned_if), without blocking.
    pub async fn load_owned_async_if<B: Future<Output = R> + Send + 'static>(
        self,
        decide: impl FnOnce(&K::Stored) -> Decision + Send + 'static,
        body: impl FnOnce() -> B + Send + 'static,
    ) -> R
    where
        R: Sendable,
    {
        let Self {
            load,
            ahead,
            bound,
            instead,
        } = self;
        let Some((mut load, typed)) = load else {
            return match (ahead, limits(bound, instead)) {
                (Some(value), _) => K::restore(*value),
                (None, Some((limits, typed))) => {
                    let body = Box::pin(async move { polled_outside(pin!(body())).await });
                    Box::pin(limits.run_async::<K, _>(typed, body)).await
                }
                (None, None) => polled_outside(pin!(body())).await,
            };
        };
        if let Some(value) = ahead {
            let cache = load.cache.clone();
            let start = Some((Start::Load(load), typed));
            let job = async move { drop(drive::<R, K, _>(start, instead, decide, body).await) };
            let task = Task::alone(cache.flights().timeout(), job);
            drop(cache.background().spawn(task, true));
            return K::restore(*value);
        }
        match Limits::of(&mut load, instead) {
            None => drive::<R, K, _>(Some((Start::Load(load), typed)), instead, decide, body).await,
            Some(limits) => {
                let job = move |begun: Begun| {
                    let start = Start::Begun(Box::new(begun));
                    drive::<R, K, _>(Some((start, typed)), instead, decide, body)
                };
                limits.load_async::<K, _>(load, typed, job).await
            }
        }
    }
}

/// The time limits of a body that runs uncached; `None`: the call waits as long as it takes.
fn limits<R: Send + 'static, T>(
    bound: Option<(Box<Load>, Typed<T>)>,
    instead: Instead<R>,
) -> Option<(Limits<R>, Typed<T>)> {
    let (mut load, typed) = bound?;
    Some((Limits::of(&mut load, instead)?, typed))
}

/// Runs the body, if it must run, and stores what it returns. Both closures are called at most once.
fn conclude<R, K: Outcome<R>>(
    begun: Begun,
    typed: Typed<K::Stored>,
    instead: Instead<R>,
    decide: &mut dyn FnMut(&K::Stored) -> Decision,
    body: &mut dyn FnMut() -> R,
) -> R {
    let lead = match led::<R, K>(begun, typed, instead) {
        Ok(lead) => lead,
        Err(Some(ret)) => return ret,
        Err(None) => return outside(body),
    };
    let ran = {
        let _turn = lead.turn();
        attempt(&lead, || {
            let ret = body();
            let decision = K::stored(&ret).map(decide);
            (ret, decision)
        })
    };
    let (ret, rest) = ended::<R, K>(lead, typed, instead, ran);
    if let Some((lead, settled)) = rest {
        lead.tell_blocking(settled);
    }
    ret
}

/// What a body returned, and what becomes of its value if there is one.
pub(super) type Ran<R> = (R, Option<Decision>);

/// The load whose body must run. `Err` is what the call returns; if that is `None`, it runs its body uncached.
pub(super) fn led<R, K: Outcome<R>>(
    begun: Begun,
    typed: Typed<K::Stored>,
    instead: Instead<R>,
) -> Result<Lead, Option<R>> {
    match begun {
        Begun::Lead(lead) => Ok(lead),
        Begun::Found(value) => Err(Some(K::restore((typed.own)(value)))),
        Begun::FoundError(error) => Err(instead.restore(error)),
        Begun::Failed(error) => Err(instead.failed.map(|failed| failed(*error))),
    }
}

/// What the call returns, and what is left to be done for the shared tier.
pub(super) fn ended<R, K: Outcome<R>>(
    mut lead: Lead,
    typed: Typed<K::Stored>,
    instead: Instead<R>,
    ran: Result<Ran<R>, Box<dyn Any + Send>>,
) -> (R, Option<(Lead, Settled)>) {
    let ran = ran.map(|(ret, decision)| (ret, decision.map(|it| lead.decided(it))));
    let (ret, decision) = match forgiven::<R, K>(&mut lead, typed, instead.how, ran) {
        Ok(decided) => decided,
        Err(stood_in) => return (stood_in, None),
    };
    if lead.keep_error(instead.errors, &ret) {
        return (ret, None);
    }
    let value = K::stored(&ret).map(typed.erase).zip(decision);
    let rest = lead.settle(value);
    (ret, rest)
}

/// The result of `run`; an `Err` is its panic, caught if it may be forgiven.
pub(super) fn attempt<T>(lead: &Lead, run: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    if lead.forgives() {
        catch_unwind(AssertUnwindSafe(run))
    } else {
        Ok(run())
    }
}

/// The result of the body. `Err` is what is returned in its place, if the load failed and there is a stand-in.
fn forgiven<R, K: Outcome<R>>(
    lead: &mut Lead,
    typed: Typed<K::Stored>,
    how: Option<How<R>>,
    ran: Result<Ran<R>, Box<dyn Any + Send>>,
) -> Result<Ran<R>, R> {
    let failed = match ran {
        Ok((ret, Some(decision))) => return Ok((ret, Some(decision))),
        failed => failed,
    };
    let why = || match &failed {
        Ok((ret, _)) => (how?.0)(ret),
        Err(_) => Some("it panicked".to_owned()),
    };
    if let Some(value) = lead.failed(&why) {
        return Err(K::restore((typed.own)(value)));
    }
    failed.map_err(|panic| {
        lead.abandon();
        resume_unwind(panic)
    })
}

/// Runs a body, which is in its place until then.
fn once<R>(body: &mut Option<impl FnOnce() -> R>) -> R {
    match body.take() {
        Some(body) => body(),
        None => unreachable!("a body runs once"),
    }
}
