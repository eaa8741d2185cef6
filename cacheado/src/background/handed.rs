//! Bodies that a task polls for a waiting caller. The caller polls the body itself if the task is not polled any more: a
//! current-thread runtime stands still once its `block_on` has returned, and a runtime that shuts down drops its tasks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::sync::Weak;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::sync::{Instant, Mutex, lock};
use crate::waiting::slot::Slot;
use crate::waiting::watchdog::{Prod, watch};

/// A body that delivers its result elsewhere.
type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The state of a body that its task and its caller share. It is also the body's waker.
pub(super) struct Handed {
    state: Mutex<State>,
    /// How long the task may leave the body unpolled once that is due.
    patience: Duration,
}

struct State {
    /// `None` while it is being polled, and once it is over or was taken back.
    body: Option<Body>,
    turn: Turn,
    /// Wakes the task.
    task: Option<Waker>,
    /// Wakes the caller.
    caller: Option<Waker>,
    /// The caller has gone: the body belongs to the task alone.
    left: bool,
    /// The task has gone: the body belongs to the caller alone.
    dropped: bool,
    watched: bool,
}

/// Whether the task must poll the body.
#[derive(Clone, Copy)]
enum Turn {
    /// Not until the body is woken.
    Waits,
    /// Since this time.
    Due(Instant),
    /// The task is polling it, and must poll again if the body was `woken` meanwhile.
    Polls { woken: bool },
}

/// The task's side.
pub(crate) struct Task(Arc<Handed>);

impl State {
    /// When the task will have left the body unpolled for `patience`.
    fn until(&self, patience: Duration) -> Option<Instant> {
        match self.turn {
            Turn::Due(since) => since.checked_add(patience),
            Turn::Waits | Turn::Polls { .. } => None,
        }
    }

    fn is_overdue(&self, patience: Duration) -> bool {
        let until = self.until(patience);
        until.is_some_and(|until| until <= Instant::now())
    }
}

impl Handed {
    /// `left`: no caller waits for the body.
    fn new(body: Body, patience: Duration, left: bool) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                body: Some(body),
                turn: Turn::Due(Instant::now()),
                task: None,
                caller: None,
                left,
                dropped: false,
                watched: false,
            }),
            patience,
        })
    }

    /// Whether the task has left the body unpolled for too long.
    #[cfg(feature = "tokio")]
    pub(super) fn is_overdue(&self) -> bool {
        lock(&self.state).is_overdue(self.patience)
    }

    /// Has the caller check again once the task has left the body unpolled for too long.
    fn watch(self: &Arc<Self>, state: &mut State) {
        if let Some(until) = state.until(self.patience)
            && !state.left
            && !std::mem::replace(&mut state.watched, true)
        {
            watch(self, until);
        }
    }

    /// The body, if the caller must poll it from now on. Otherwise `waker` is woken when the caller must ask again.
    fn take_back(self: &Arc<Self>, waker: &Waker) -> Option<Body> {
        // cloning or dropping a waker runs the executor's code, so no lock may be held
        let waker = waker.clone();
        let mut state = lock(&self.state);
        if (state.dropped || state.is_overdue(self.patience))
            && let Some(body) = state.body.take()
        {
            return Some(body);
        }
        let before = state.caller.replace(waker);
        self.watch(&mut state);
        drop(state);
        drop(before);
        None
    }

    /// Records that the caller goes away.
    fn leave(&self) {
        let _body = {
            let mut state = lock(&self.state);
            state.left = true;
            // dropped outside the lock
            state.dropped.then(|| state.body.take())
        };
    }
}

impl Wake for Handed {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = {
            let mut state = lock(&self.state);
            match &mut state.turn {
                Turn::Polls { woken } => *woken = true,
                Turn::Due(_) => {}
                turn @ Turn::Waits => *turn = Turn::Due(Instant::now()),
            }
            self.watch(&mut state);
            // taken, because the task brings a new waker when it is polled
            state.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Prod for Handed {
    fn prod(&self) {
        let caller = {
            let mut state = lock(&self.state);
            state.watched = false;
            // otherwise the body was polled in time
            let due = matches!(state.turn, Turn::Due(_));
            due.then(|| state.caller.take()).flatten()
        };
        if let Some(caller) = caller {
            caller.wake();
        }
    }
}

impl Task {
    /// A task for a body that no caller waits for.
    pub(crate) fn alone(
        patience: Duration,
        body: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self(Handed::new(Box::pin(body), patience, true))
    }

    #[cfg(feature = "tokio")]
    pub(super) fn body(&self) -> Weak<Handed> {
        Arc::downgrade(&self.0)
    }
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let handed = &self.0;
        // cloning or dropping a waker runs the executor's code, so no lock may be held
        let waker = cx.waker().clone();
        let (mut body, before) = {
            let mut state = lock(&handed.state);
            let Some(body) = state.body.take() else {
                return Poll::Ready(());
            };
            state.turn = Turn::Polls { woken: false };
            (body, state.task.replace(waker))
        };
        drop(before);
        let waker = Waker::from(Arc::clone(handed));
        let polled = body.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            let mut state = lock(&handed.state);
            state.body = Some(body);
            state.turn = match state.turn {
                Turn::Polls { woken: true } => Turn::Due(Instant::now()),
                _ => Turn::Waits,
            };
            handed.watch(&mut state);
        }
        polled
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let (caller, _task, _body) = {
            let mut state = lock(&self.0.state);
            state.dropped = true;
            let body = if state.left { state.body.take() } else { None };
            // all are dropped outside the lock
            (state.caller.take(), state.task.take(), body)
        };
        if let Some(caller) = caller {
            caller.wake();
        }
    }
}

/// The caller's side: waits for what the body puts into `slot`.
pub(crate) struct Awaited<T> {
    slot: Arc<Slot<T>>,
    handed: Arc<Handed>,
    /// The body, once it was taken back.
    body: Option<Body>,
}

impl<T> Awaited<T> {
    /// Waits for what `body` puts into `slot`. The returned task must be polled to run the body. Once that is due, it may be left
    /// unpolled for `patience`.
    pub(crate) fn new(
        slot: Arc<Slot<T>>,
        patience: Duration,
        body: impl Future<Output = ()> + Send + 'static,
    ) -> (Self, Task) {
        let handed = Handed::new(Box::pin(body), patience, false);
        let task = Task(Arc::clone(&handed));
        let body = None;
        (Self { slot, handed, body }, task)
    }
}

// No bound: the compiler could not prove one in a future that is checked to be `Send`.
impl<T> Future for Awaited<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        if let Poll::Ready(value) = this.slot.poll(cx) {
            return Poll::Ready(value);
        }
        if this.body.is_none() {
            this.body = this.handed.take_back(cx.waker());
        }
        let Some(body) = &mut this.body else {
            return Poll::Pending;
        };
        if body.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.body = None;
        this.slot.poll(cx)
    }
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        self.handed.leave();
    }
}
