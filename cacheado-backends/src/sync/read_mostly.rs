//! A reader-writer lock whose readers write to no cache line that other readers write to.
//!
//! A reading thread records the lock at a [place](readers) of its own. A writer locks a mutex, closes the lock, and waits until no
//! place records the lock any more. A reader that finds the lock closed waits for the mutex. So locking for reading is one atomic
//! operation, and releasing is a plain store. A writer reads all places that were ever taken for any such lock, at most
//! [`PLACES`](readers::PLACES).
//!
//! After "BRAVO: Biased Locking for Reader-Writer Locks" (Dice, Kogan; USENIX ATC 2019), with two differences. Here a place belongs to
//! a thread; in BRAVO it is found by a hash of thread and lock. Here readers without a place are counted in the lock; in BRAVO they
//! use an underlying lock.

#![allow(
    unsafe_code,
    reason = "a lock that gives access to what it guards can't be written without"
)]

use std::cell::UnsafeCell;
use std::hint::cold_path;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::PoisonError;
use std::time::Duration;

use super::atomic::{AtomicBool, AtomicUsize, Ordering};
use super::readers::{self, Place};
use super::{Condvar, Mutex, MutexGuard, lock};

/// How often a writer checks whether a reader has left before it sleeps.
const LOOKS: u32 = if cfg!(any(shuttle, miri)) { 1 } else { 100 };
/// How long a writer sleeps if it is not woken.
const SLEEP: Duration = Duration::from_millis(1);

pub(crate) struct ReadMostly<T> {
    /// A writer has the lock or waits for it: new readers wait for that writer.
    closed: AtomicBool,
    /// The writer sleeps: a reader that leaves wakes the writer.
    asleep: AtomicBool,
    /// The number of readers without a place.
    others: AtomicUsize,
    /// Held by the writer.
    writing: Mutex<()>,
    /// Held by a writer that checks whether a reader has left, except while it sleeps.
    looking: Mutex<()>,
    woken: Condvar,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives `&T` to several threads at once, so `T` must be `Sync`. It gives `&mut T` to one thread at a time, which can
// move the value out, so `T` must be `Send`.
unsafe impl<T: Send + Sync> Sync for ReadMostly<T> {}

impl<T: Default> Default for ReadMostly<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> ReadMostly<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            closed: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            others: AtomicUsize::new(0),
            writing: Mutex::new(()),
            looking: Mutex::new(()),
            woken: Condvar::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// Locks for reading. A thread that holds a read guard already can deadlock with a writer that comes in between.
    pub(crate) fn read(&self) -> ReadGuard<'_, T> {
        self.try_read().unwrap_or_else(|| self.read_without_place())
    }

    /// As [`read`](Self::read), if the thread has a place and reads no other lock, and no writer has closed the lock.
    #[inline]
    pub(crate) fn try_read(&self) -> Option<ReadGuard<'_, T>> {
        let Some(place) = readers::enter(self.address()) else {
            cold_path();
            return None;
        };
        // The reader writes its place and then reads `closed`. A writer writes `closed` and then reads the places. All of these
        // accesses, and those to the number of places ever taken, are `SeqCst`, which have one total order. So the writer sees the
        // place, or the reader sees that the lock is closed, or both. A reader that sees the lock opened again also sees what the
        // writer wrote.
        if self.closed.load(Ordering::SeqCst) {
            cold_path();
            self.leave(place);
            return None;
        }
        Some(ReadGuard {
            lock: self,
            place: Some(place),
            _of_this_thread: PhantomData,
        })
    }

    #[cold]
    fn read_without_place(&self) -> ReadGuard<'_, T> {
        let enter = || {
            self.others.fetch_add(1, Ordering::SeqCst);
            ReadGuard {
                lock: self,
                place: None,
                _of_this_thread: PhantomData,
            }
        };
        let guard = enter();
        // ordered as in `try_read`
        if !self.closed.load(Ordering::SeqCst) {
            return guard;
        }
        drop(guard);
        let _nobody_writes = lock(&self.writing);
        // the next writer locks the mutex after this reader, and so sees its count
        enter()
    }

    /// Ends reading at `place`.
    #[inline]
    fn leave(&self, place: &Place) {
        place.leave();
        self.left();
    }

    /// Wakes a sleeping writer. To be called after a reader has left.
    #[inline]
    fn left(&self) {
        // The reader's store may become visible after this load. Then a writer that is about to sleep is not woken, and sleeps for
        // `SLEEP`. That is cheaper for hits than ordering the two.
        if self.asleep.load(Ordering::Relaxed) {
            self.wake_writer();
        }
    }

    /// Locks for writing.
    pub(crate) fn write(&self) -> WriteGuard<'_, T> {
        let writing = lock(&self.writing);
        self.closed.store(true, Ordering::SeqCst);
        for place in readers::all() {
            self.wait_while(|| place.is_at(self.address()));
        }
        self.wait_while(|| self.others.load(Ordering::SeqCst) != 0);
        WriteGuard {
            lock: self,
            _writing: writing,
        }
    }

    #[inline]
    fn wait_while(&self, is_read: impl Fn() -> bool) {
        if is_read() {
            self.wait_for_reader(&is_read);
        }
    }

    #[cold]
    fn wait_for_reader(&self, is_read: &dyn Fn() -> bool) {
        for _ in 0..LOOKS {
            std::hint::spin_loop();
            if !is_read() {
                return;
            }
        }
        self.asleep.store(true, Ordering::SeqCst);
        let mut looking = lock(&self.looking);
        while is_read() {
            let sleep = self.woken.wait_timeout(looking, SLEEP);
            (looking, _) = sleep.unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    #[cold]
    fn wake_writer(&self) {
        // once this is locked, a writer that has not seen the reader leave is asleep, and so receives the notification
        drop(lock(&self.looking));
        self.woken.notify_one();
    }

    /// The address that identifies the lock at a place. The lock does not move while there are guards, because they borrow it.
    #[inline]
    fn address(&self) -> usize {
        ptr::from_ref(&self.closed).addr()
    }
}

pub(crate) struct ReadGuard<'a, T> {
    lock: &'a ReadMostly<T>,
    place: Option<&'static Place>,
    /// Not `Send`: only its own thread may write to the place.
    _of_this_thread: PhantomData<*const ()>,
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock was open after this guard had been recorded, or there was no writer while it was recorded. In both cases a
        // writer waits until the guard is dropped.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        match self.place {
            Some(place) => self.lock.leave(place),
            None => {
                self.lock.others.fetch_sub(1, Ordering::SeqCst);
                self.lock.left();
            }
        }
    }
}

pub(crate) struct WriteGuard<'a, T> {
    lock: &'a ReadMostly<T>,
    _writing: MutexGuard<'a, ()>,
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: all recorded readers have left, later ones have found the lock closed, and there is one writer.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // before the mutex is released, which happens when the field is dropped: after that, the lock may belong to another writer
        self.lock.closed.store(false, Ordering::Release);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::cell::{Cell, OnceCell};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::AtomicU32;
    use std::sync::{Arc, Barrier, LazyLock};
    use std::thread;

    use super::super::readers::PLACES;
    use super::*;

    const TIMES: u64 = if cfg!(miri) { 30 } else { 2_000 };

    /// Two numbers that are equal whenever there is no writer.
    #[derive(Debug, Default, PartialEq)]
    struct Twice(u64, u64);

    impl Twice {
        fn add(&mut self) {
            self.0 += 1;
            // a reader that got in now would see different numbers
            thread::yield_now();
            self.1 += 1;
        }

        fn check(&self) {
            assert_eq!(self.0, self.1);
        }
    }

    #[test]
    fn nobody_reads_or_writes_while_another_writes() {
        let lock = ReadMostly::<Twice>::default();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..TIMES).for_each(|_| lock.write().add()));
                scope.spawn(|| (0..TIMES).for_each(|_| lock.read().check()));
                scope.spawn(|| (0..TIMES).for_each(|_| lock.read().check()));
            }
        });
        assert_eq!(*lock.read(), Twice(2 * TIMES, 2 * TIMES));
    }

    #[test]
    fn who_only_tries_waits_for_nobody() {
        let (lock, other): (ReadMostly<Twice>, ReadMostly<Twice>) = Default::default();
        let writes = lock.write();
        assert!(lock.try_read().is_none());
        drop(writes);
        // the failed attempt has left no record that a writer would wait for
        lock.write().add();
        // `None` if other tests have all the places
        if let Some(reads) = lock.try_read() {
            assert!(*reads == Twice(1, 1) && other.try_read().is_none());
            drop(reads);
            assert!(other.try_read().is_some());
        }
        lock.write().add();
        other.write().add();
    }

    #[test]
    fn a_thread_can_read_several() {
        let (outer, inner): (ReadMostly<Twice>, ReadMostly<Twice>) = Default::default();
        thread::scope(|scope| {
            for lock in [&outer, &inner] {
                scope.spawn(|| (0..TIMES).for_each(|_| lock.write().add()));
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    for turn in 0..TIMES {
                        let reads = outer.read();
                        let reads_too = inner.read();
                        reads_too.check();
                        // whichever is released first, the other stays locked
                        if turn % 2 == 0 {
                            drop(reads_too);
                            reads.check();
                        } else {
                            drop(reads);
                            reads_too.check();
                        }
                    }
                });
            }
        });
        assert_eq!(
            (&*outer.read(), &*inner.read()),
            (&Twice(TIMES, TIMES), &Twice(TIMES, TIMES))
        );
    }

    #[test]
    fn readers_without_a_place_are_waited_for_too() {
        let lock = ReadMostly::<Twice>::default();
        let all_in = Barrier::new(PLACES + 4);
        thread::scope(|scope| {
            let reader = || {
                let reads = lock.read();
                all_in.wait();
                thread::yield_now();
                assert_eq!(*reads, Twice(0, 0));
            };
            let readers: Vec<_> = (0..PLACES + 3).map(|_| scope.spawn(reader)).collect();
            all_in.wait();
            lock.write().add();
            // wait until their thread-locals are dropped
            for reader in readers {
                reader.join().expect("it was not written yet");
            }
            // threads that have ended have given their places back
            let has_a_place = scope.spawn(|| lock.read().place.is_some());
            assert!(has_a_place.join().expect("a reader"));
        });
    }

    #[test]
    fn a_thread_that_ends_can_read() {
        /// Whether the thread had a place when it last read. A panic there would end the process.
        static HAD: AtomicBool = AtomicBool::new(true);

        struct Reads(Arc<ReadMostly<Twice>>);

        impl Drop for Reads {
            fn drop(&mut self) {
                let reads = self.0.read();
                reads.check();
                HAD.store(reads.place.is_some(), Ordering::SeqCst);
            }
        }

        thread_local! {
            static LAST: OnceCell<Reads> = const { OnceCell::new() };
        }

        let lock = Arc::<ReadMostly<Twice>>::default();
        let reader = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                // a thread drops its thread-locals in reverse order
                LAST.with(|last| last.set(Reads(Arc::clone(&lock))).is_ok());
                lock.read().check();
            }
        });
        lock.write().add();
        reader.join().expect("reading is no matter of places");
        assert!(!HAD.load(Ordering::SeqCst));
        assert_eq!(Arc::strong_count(&lock), 1);
        lock.write().add();
        assert_eq!(*lock.read(), Twice(2, 2));
    }

    #[test]
    fn a_place_that_says_what_is_read_is_not_passed_on() {
        static LOCK: LazyLock<ReadMostly<Twice>> = LazyLock::new(ReadMostly::default);
        static KEPT: AtomicBool = AtomicBool::new(false);

        struct Held(OnceCell<ReadGuard<'static, Twice>>);

        impl Drop for Held {
            fn drop(&mut self) {
                let place = self.0.get().and_then(|guard| guard.place);
                KEPT.store(place.is_some_and(Place::is_taken), Ordering::SeqCst);
            }
        }

        thread_local! {
            static HELD: Held = const { Held(OnceCell::new()) };
        }

        // a thread drops its thread-locals in reverse order
        let reader = thread::spawn(|| HELD.with(|held| held.0.set(LOCK.read()).is_ok()));
        assert!(reader.join().expect("a reader"));
        assert!(KEPT.load(Ordering::SeqCst));
        LOCK.write().add();
    }

    /// A signal between threads that orders no other memory accesses.
    #[derive(Default)]
    struct Steps(AtomicU32);

    impl Steps {
        fn done(&self, step: u32) {
            self.0.store(step, Ordering::Relaxed);
        }

        fn wait(&self, step: u32) {
            while self.0.load(Ordering::Relaxed) < step {
                thread::yield_now();
            }
        }
    }

    #[test]
    fn what_was_read_at_a_place_was_read_before_it_is_passed_on() {
        struct Ends(Arc<Steps>);

        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.done(1);
            }
        }

        thread_local! {
            static LAST: OnceCell<Ends> = const { OnceCell::new() };
        }

        let (one, other): (ReadMostly<Twice>, ReadMostly<Twice>) = Default::default();
        let steps = Arc::<Steps>::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                // a thread drops its thread-locals in reverse order: this one after its place is given back
                LAST.with(|last| last.set(Ends(Arc::clone(&steps))).is_ok());
                one.read().check();
            });
            scope.spawn(|| {
                steps.wait(1);
                let _reads = other.read();
                steps.done(2);
                steps.wait(3);
            });
            steps.wait(2);
            one.write().add();
            steps.done(3);
        });
    }

    #[test]
    fn a_reader_wakes_a_writer() {
        let lock = ReadMostly::<Twice>::default();
        thread::scope(|scope| {
            let reads = lock.read();
            let writer = scope.spawn(|| lock.write().add());
            while !lock.asleep.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            drop(reads);
            writer.join().expect("a writer");
        });
        assert!(!lock.asleep.load(Ordering::SeqCst));
    }

    /// Does not compile if a guard is `Send`, or if the lock is `Sync` for a type for which it must not be.
    #[test]
    fn what_can_be_shared_and_sent() {
        /// Unambiguous only for types that are not `Send`.
        trait UnlessSent<Is> {
            fn holds() {}
        }
        impl<T: ?Sized> UnlessSent<()> for T {}
        impl<T: ?Sized + Send> UnlessSent<u8> for T {}

        trait UnlessShared<Is> {
            fn holds() {}
        }
        impl<T: ?Sized> UnlessShared<()> for T {}
        impl<T: ?Sized + Sync> UnlessShared<u8> for T {}

        <ReadGuard<'_, u8> as UnlessSent<_>>::holds();
        <WriteGuard<'_, u8> as UnlessSent<_>>::holds();
        // a type that is only `Send`, and one that is only `Sync`
        <ReadMostly<Cell<u8>> as UnlessShared<_>>::holds();
        <ReadMostly<MutexGuard<'_, u8>> as UnlessShared<_>>::holds();
    }

    #[test]
    fn a_panic_lets_go_of_it() {
        let lock = ReadMostly::<Twice>::default();
        let read = catch_unwind(AssertUnwindSafe(|| {
            let _reads = lock.read();
            panic!("while reading");
        }));
        let written = catch_unwind(AssertUnwindSafe(|| {
            let _writes = lock.write();
            panic!("while writing");
        }));
        assert!(read.is_err() && written.is_err());
        lock.write().add();
        assert_eq!(*lock.read(), Twice(1, 1));
    }
}

#[cfg(all(test, shuttle))]
mod models;
