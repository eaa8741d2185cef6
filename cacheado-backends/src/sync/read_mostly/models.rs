//! The lock under a model checker. To run it: `RUSTFLAGS="--cfg shuttle" cargo test -p cacheado-backends --lib --release read_mostly`

use shuttle::sync::Arc;
use shuttle::sync::atomic::AtomicUsize;
use shuttle::thread;

use super::*;

fn check(model: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(model.clone(), 10_000);
    shuttle::check_pct(model, 10_000, 3);
}

/// A lock, and the number of threads that hold it, where a writer counts as a hundred.
#[derive(Default)]
struct Watched {
    lock: ReadMostly<usize>,
    inside: AtomicUsize,
}

impl Watched {
    fn read(&self) {
        let guard = self.lock.read();
        self.reads(&guard);
    }

    /// Reads as a hit does: if it can't read at once, it takes the slow path.
    fn try_read(&self) {
        match self.lock.try_read() {
            Some(guard) => self.reads(&guard),
            None => self.read(),
        }
    }

    /// Reads two locks, this one first.
    fn read_both(&self, inner: &Self) {
        let outer_guard = self.lock.read();
        self.reads(&outer_guard);
        let inner_guard = inner.lock.read();
        inner.reads(&inner_guard);
        drop(outer_guard);
        inner.reads(&inner_guard);
    }

    fn reads(&self, value: &usize) {
        let before = *value;
        assert!(self.inside.fetch_add(1, Ordering::SeqCst) < 100);
        assert!(self.inside.fetch_sub(1, Ordering::SeqCst) < 100);
        assert_eq!(*value, before);
    }

    fn write(&self) {
        let mut guard = self.lock.write();
        assert_eq!(self.inside.fetch_add(100, Ordering::SeqCst), 0);
        *guard += 1;
        assert_eq!(self.inside.fetch_sub(100, Ordering::SeqCst), 100);
    }
}

/// Runs all of `acts` concurrently. Returns the number of writes.
fn side_by_side(acts: impl IntoIterator<Item = fn(&Watched)>) -> usize {
    let watched = Arc::new(Watched::default());
    let start = |act: fn(&Watched)| {
        let watched = Arc::clone(&watched);
        thread::spawn(move || act(&watched))
    };
    let all: Vec<_> = acts.into_iter().map(start).collect();
    for thread in all {
        thread.join().expect("nobody panics");
    }
    *watched.lock.read()
}

#[test]
fn a_writer_is_alone() {
    check(|| {
        // one reader more than there are places
        let readers = (0..=readers::PLACES).map(|_| Watched::read as fn(&Watched));
        let writers: [fn(&Watched); 2] = [Watched::write; 2];
        assert_eq!(side_by_side(readers.chain(writers)), 2);
    });
}

#[test]
fn a_writer_is_alone_among_those_who_try() {
    check(|| {
        let acts: [fn(&Watched); 4] = [
            Watched::try_read,
            Watched::try_read,
            Watched::write,
            Watched::write,
        ];
        assert_eq!(side_by_side(acts), 2);
    });
}

#[test]
fn a_writer_waits_for_who_reads_two() {
    check(|| {
        let both = Arc::new((Watched::default(), Watched::default()));
        let start = |act: fn(&Watched, &Watched)| {
            let both = Arc::clone(&both);
            thread::spawn(move || act(&both.0, &both.1))
        };
        let all = [
            start(Watched::read_both),
            start(Watched::read_both),
            start(|outer, _| outer.write()),
            start(|_, inner| inner.write()),
        ];
        for thread in all {
            thread.join().expect("nobody panics");
        }
        assert_eq!((*both.0.lock.read(), *both.1.lock.read()), (1, 1));
    });
}

#[test]
fn places_pass_from_thread_to_thread() {
    check(|| {
        let watched = Arc::new(Watched::default());
        let writer = {
            let watched = Arc::clone(&watched);
            thread::spawn(move || watched.write())
        };
        for _ in 0..2 {
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    let watched = Arc::clone(&watched);
                    thread::spawn(move || watched.read())
                })
                .collect();
            for reader in readers {
                reader.join().expect("nobody panics");
            }
        }
        writer.join().expect("nobody panics");
        assert_eq!(*watched.lock.read(), 1);
    });
}
