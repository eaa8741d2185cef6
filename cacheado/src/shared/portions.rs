//! Requests for many items: one for all, or one for each part of the store. Parts are asked concurrently, so that it takes no longer
//! if all of them hang than if one does.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::Poll;
use std::thread;

use cacheado_backends::backend::{BackendFuture, BackendResult, Mark, Payload, Refused};
use cacheado_backends::{Key, Result};

use super::SharedTier;
use super::ask::About;
use super::guarded::guarded;
use super::via::Via;
use crate::way::{Way, blocking};

/// The items in one part of the store, by their indices.
struct Portion {
    part: u32,
    places: Vec<usize>,
}

impl Portion {
    fn of<I: Clone>(&self, items: &[I]) -> Vec<I> {
        self.places.iter().map(|&at| items[at].clone()).collect()
    }

    /// All items belong to one function, or are programmatic, and are of one level, so any of them identifies it.
    fn about<'i>(&self, items: &'i [impl Item]) -> About<'i> {
        about(self.places.iter().map(|&at| &items[at]))
    }
}

fn about<'i>(items: impl IntoIterator<Item = &'i (impl Item + 'i)>) -> About<'i> {
    let first = items.into_iter().next();
    first.map_or(About::Scope, |item| About::Any(item.as_key()))
}

/// The outcomes of requests, each with the indices of its items.
pub(crate) type Answers<T> = Vec<(Vec<usize>, Result<T>)>;

impl SharedTier {
    /// The store's answers to `ask` for `items`: to one request for all, or, if a part has failed recently or the request fails, to
    /// one request for each part. Failures are counted and traced.
    pub(super) async fn ask_portions<I: Item, T: Send>(
        &self,
        way: Way,
        operation: &'static str,
        items: &[I],
        ask: impl for<'i> Fn(Via<'i>, &'i [I]) -> BackendFuture<'i, T> + Sync,
    ) -> Answers<T> {
        let via = self.via(way);
        let parts = if self.breakers.of(way).any() {
            self.parts(items)
        } else {
            let answer = guarded(ask(via, items)).await;
            match self.answered_whole(way, operation, items, answer) {
                Ok(answers) => return answers,
                Err(suspects) => suspects,
            }
        };
        let (asked, unasked) = self.let_parts_through(way, operation, items, parts);
        let these: Vec<Vec<I>> = asked.iter().map(|portion| portion.of(items)).collect();
        let answers = match way {
            Way::Blocking => side_by_side(&these, |these| blocking(|_| guarded(ask(via, these)))),
            Way::Async => {
                let answers = these.iter().map(|these| Box::pin(guarded(ask(via, these))));
                all(answers.collect()).await
            }
        };
        self.answered_parts(way, operation, items, asked, unasked, answers)
    }

    fn parts(&self, items: &[impl Item]) -> Vec<Portion> {
        let mut by_part: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (place, item) in items.iter().enumerate() {
            let part = self.backend.part(item.as_key());
            by_part.entry(part).or_default().push(place);
        }
        let portion = |(part, places)| Portion { part, places };
        by_part.into_iter().map(portion).collect()
    }

    /// The portions that may be asked, and the errors of the others.
    fn let_parts_through<T>(
        &self,
        way: Way,
        operation: &'static str,
        items: &[impl Item],
        parts: Vec<Portion>,
    ) -> (Vec<Portion>, Answers<T>) {
        let (mut asked, mut unasked) = (Vec::with_capacity(parts.len()), Vec::new());
        for portion in parts {
            match self.lets_through(way, operation, portion.about(items), || portion.part) {
                Ok(()) => asked.push(portion),
                Err(error) => unasked.push((portion.places, Err(error))),
            }
        }
        (asked, unasked)
    }

    /// The answer to one request for all `items`. `Err`: it failed, and just one of these parts may be the cause.
    fn answered_whole<T>(
        &self,
        way: Way,
        operation: &'static str,
        items: &[impl Item],
        answer: BackendResult<T>,
    ) -> Result<Answers<T>, Vec<Portion>> {
        let breakers = self.breakers.of(way);
        let answer = match answer {
            Err(source) if !source.is::<Refused>() => {
                let parts = self.parts(items);
                let error = self.failed(operation, about(items), source);
                if let [only] = &parts[..] {
                    breakers.failed(only.part);
                    Err(error)
                } else {
                    breakers.suspect(parts.iter().map(|it| it.part));
                    return Err(parts);
                }
            }
            answer => {
                // others may have failed meanwhile
                if breakers.any() {
                    for Portion { part, .. } in self.parts(items) {
                        breakers.answered(|| part);
                    }
                }
                answer.map_err(|source| self.failed(operation, about(items), source))
            }
        };
        Ok(vec![((0..items.len()).collect(), answer)])
    }

    fn answered_parts<T>(
        &self,
        way: Way,
        operation: &'static str,
        items: &[impl Item],
        asked: Vec<Portion>,
        unasked: Answers<T>,
        answers: Vec<BackendResult<T>>,
    ) -> Answers<T> {
        let answered = asked.into_iter().zip(answers).map(|(portion, answer)| {
            let answer = self.answered(
                way,
                operation,
                portion.about(items),
                || portion.part,
                answer,
            );
            (portion.places, answer)
        });
        answered.chain(unasked).collect()
    }
}

/// An item that is stored or looked up, with its key.
pub(super) trait Item: Clone + Sync {
    fn as_key(&self) -> &Key;
}

impl Item for Key {
    fn as_key(&self) -> &Key {
        self
    }
}

impl Item for (Key, Payload) {
    fn as_key(&self) -> &Key {
        &self.0
    }
}

impl Item for (Key, Payload, Mark) {
    fn as_key(&self) -> &Key {
        &self.0
    }
}

/// Calls `ask` for each of `portions` and returns the answers in order. All but one run on threads of their own.
fn side_by_side<P: Sync, T: Send>(portions: &[P], ask: impl Fn(&P) -> T + Sync) -> Vec<T> {
    let Some((last, others)) = portions.split_last() else {
        return Vec::new();
    };
    let ask = &ask;
    thread::scope(|scope| {
        let begin = |portion| {
            let thread = thread::Builder::new().name("cacheado-part".to_owned());
            thread.spawn_scoped(scope, move || ask(portion))
        };
        let begun: Vec<_> = others.iter().map(begin).collect();
        let last = ask(last);
        let answers = begun
            .into_iter()
            .zip(others)
            .map(|(begun, portion)| match begun {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // the thread could not be spawned
                Err(_) => ask(portion),
            });
        let mut answers: Vec<T> = answers.collect();
        answers.push(last);
        answers
    })
}

/// Awaits all `futures` concurrently.
async fn all<F: Future>(mut futures: Vec<Pin<Box<F>>>) -> Vec<F::Output> {
    let mut answers: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (future, answer) in futures.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *answer = Some(ready);
            }
        }
        if answers.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}
