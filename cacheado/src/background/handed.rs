//! Bodies that a task polls for a caller who waits, and that the caller polls instead if the task is not polled any more: a runtime of one
//! thread stands still once its `block_on` has returned, and one that ends drops its tasks.

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

/// A body that says elsewhere what it comes to.
type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a task and a caller know of a body, whose own waker it is.
pub(super) struct Handed {
    state: Mutex<State>,
    /// How long the task may leave it unpolled when it is to be.
    patience: Duration,
}

struct State {
    /// `None` while it is polled, and when it is over or taken back.
    body: Option<Body>,
    turn: Turn,
    /// Wakes the task.
    task: Option<Waker>,
    /// Wakes the caller.
    caller: Option<Waker>,
    /// The caller has gone: the body is the task's alone.
    left: bool,
    /// The task has gone: the body is the caller's alone.
    dropped: bool,
    watched: bool,
}

/// Whether the task is to poll the body.
#[derive(Clone, Copy)]
enum Turn {
    /// Not before it is woken.
    Waits,
    /// Since then.
    Due(Instant),
    /// It does, and is to do so again if it was `woken` meanwhile.
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
    /// `left`: no caller waits for it.
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

    /// Has the caller look again when the task has left the body unpolled for too long.
    fn watch(self: &Arc<Self>, state: &mut State) {
        if let Some(until) = state.until(self.patience)
            && !state.left
            && !std::mem::replace(&mut state.watched, true)
        {
            watch(self, until);
        }
    }

    /// The body, if the caller is to poll it from now on; else `waker` is told when to ask again.
    fn take_back(self: &Arc<Self>, waker: &Waker) -> Option<Body> {
        // a waker's clone and drop are the executor's code, which runs where no lock is held
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

    /// The caller goes.
    fn leave(&self) {
        let _body = {
            let mut state = lock(&self.state);
            state.left = true;
            // dropped where no lock is held
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
            // once it has woken the task, that brings another
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
            // else it was polled in time
            let due = matches!(state.turn, Turn::Due(_));
            due.then(|| state.caller.take()).flatten()
        };
        if let Some(caller) = caller {
            caller.wake();
        }
    }
}

impl Task {
    /// Of a body that no caller waits for.
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
        // a waker's clone and drop are the executor's code, which runs where no lock is held
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
            // all are dropped where no lock is held
            (state.caller.take(), state.task.take(), body)
        };
        if let Some(caller) = caller {
            caller.wake();
        }
    }
}

/// The caller's side: what the body puts into `slot`.
pub(crate) struct Awaited<T> {
    slot: Arc<Slot<T>>,
    handed: Arc<Handed>,
    /// The body, once it was taken back.
    body: Option<Body>,
}

impl<T> Awaited<T> {
    /// Waits for what `body` puts into `slot`, which whoever is given the task polls. Once it is to be polled, it may be left alone for
    /// `patience`.
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
