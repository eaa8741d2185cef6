//! A call that does not block, from the beginning of its load to its result.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use super::active::inside;
use super::pending::{Instead, Ran, attempt, ended, led};
use super::{Beginning, Begun, Lead, Load};
use crate::outcome::{Decision, Outcome};
use crate::runtime;
use crate::value::Typed;

/// A load, and the types of its value.
pub(super) type Started<T> = (Start, Typed<T>);

/// How far a load is.
pub(super) enum Start {
    Load(Box<Load>),
    Begun(Box<Begun>),
}

/// Runs the body, if it must run, and stores what it returns. `decide` is called at most once. Bodies may nest deeply, so this is one
/// future, and keeps the body in one place.
pub(super) async fn drive<R, K: Outcome<R>, B: Future<Output = R>>(
    load: Option<Started<K::Stored>>,
    instead: Instead<R>,
    decide: impl FnOnce(&K::Stored) -> Decision,
    body: impl FnOnce() -> B,
) -> R {
    // created here and not passed in: a value that is moved inside a future takes its space twice
    let mut body = pin!(body());
    let mut decide = Some(decide);
    let mut call = Driven::<R, K>::new(load, instead);
    poll_fn(|cx| {
        call.poll(cx, &mut |cx, decides| {
            let ret = ready!(body.as_mut().poll(cx));
            let decide = if decides { decide.take() } else { None };
            let decision = K::stored(&ret).zip(decide).map(|(it, decide)| decide(it));
            Poll::Ready((ret, decision))
        })
    })
    .await
}

/// Polls a body. If the second argument is set, it also decides about its value.
type PollBody<'a, R> = &'a mut dyn FnMut(&mut Context<'_>, bool) -> Poll<Ran<R>>;

/// A call without its body. Its code is compiled once for all functions of one return type.
struct Driven<R, K: Outcome<R>> {
    step: Step<R, K>,
    instead: Instead<R>,
}

enum Step<R, K: Outcome<R>> {
    /// The body runs, and nothing is stored.
    Outside,
    Begins(Box<Load>, Typed<K::Stored>),
    /// For another load of the key, or for the shared tier.
    Waits(
        Pin<Box<dyn Future<Output = Begun> + Send>>,
        Typed<K::Stored>,
    ),
    Begun(Box<Begun>, Typed<K::Stored>),
    /// The body runs.
    Runs(Box<Lead>, Typed<K::Stored>),
    /// The shared tier is told.
    Tells(Pin<Box<dyn Future<Output = ()> + Send>>, R),
    /// It has returned, or a poll of it has panicked: it is not polled again.
    Over,
}

impl<R, K: Outcome<R>> Driven<R, K> {
    fn new(load: Option<Started<K::Stored>>, instead: Instead<R>) -> Self {
        let step = match load {
            None => Step::Outside,
            Some((Start::Load(load), typed)) => Step::Begins(load, typed),
            Some((Start::Begun(begun), typed)) => Step::Begun(begun, typed),
        };
        Self { step, instead }
    }

    fn poll(&mut self, cx: &mut Context<'_>, body: PollBody<'_, R>) -> Poll<R> {
        loop {
            // taken out, so that a poll that panics drops it
            match mem::replace(&mut self.step, Step::Over) {
                Step::Outside => {
                    let ran = inside(None, &mut || body(cx, false));
                    if ran.is_pending() {
                        self.step = Step::Outside;
                    }
                    return ran.map(|(ret, _)| ret);
                }
                Step::Begins(load, typed) => match load.begin_async() {
                    Beginning::Waits(begun) => self.step = Step::Waits(begun, typed),
                    Beginning::Over(begun) => {
                        if let Some(ret) = self.go_on(begun, typed) {
                            return Poll::Ready(ret);
                        }
                    }
                },
                Step::Waits(mut begun, typed) => match begun.as_mut().poll(cx) {
                    Poll::Ready(begun) => {
                        if let Some(ret) = self.go_on(begun, typed) {
                            return Poll::Ready(ret);
                        }
                    }
                    Poll::Pending => {
                        self.step = Step::Waits(begun, typed);
                        return Poll::Pending;
                    }
                },
                Step::Begun(begun, typed) => {
                    if let Some(ret) = self.go_on(*begun, typed) {
                        return Poll::Ready(ret);
                    }
                }
                Step::Runs(lead, typed) => {
                    let Poll::Ready(ran) = polled(&lead, &mut || body(cx, true)) else {
                        self.step = Step::Runs(lead, typed);
                        return Poll::Pending;
                    };
                    let (ret, rest) = ended::<R, K>(*lead, typed, self.instead, ran);
                    match rest {
                        None => return Poll::Ready(ret),
                        Some((lead, settled)) => {
                            self.step = Step::Tells(lead.tell_boxed(settled), ret);
                        }
                    }
                }
                Step::Tells(mut told, ret) => {
                    if told.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(ret);
                    }
                    self.step = Step::Tells(told, ret);
                    return Poll::Pending;
                }
                Step::Over => return Poll::Pending,
            }
        }
    }

    /// What the call returns, if it is over; otherwise its body runs.
    fn go_on(&mut self, begun: Begun, typed: Typed<K::Stored>) -> Option<R> {
        match led::<R, K>(begun, typed, self.instead) {
            Ok(lead) => self.step = Step::Runs(Box::new(lead), typed),
            Err(Some(ret)) => return Some(ret),
            Err(None) => self.step = Step::Outside,
        }
        None
    }
}

/// Polls a body, and catches its panic if that may be forgiven. The decision about its value is made inside the load as well, so a
/// request for its key from there does not wait for it.
fn polled<R>(
    lead: &Lead,
    poll: &mut dyn FnMut() -> Poll<Ran<R>>,
) -> Poll<Result<Ran<R>, Box<dyn Any + Send>>> {
    let _turn = lead.turn_of_poll();
    match attempt(lead, poll) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => {
            runtime::explain(&*panic);
            Poll::Ready(Err(panic))
        }
    }
}
