//! How a load begins: it waits for another load, then asks the shared tier. What the process can answer by itself needs no future. The
//! decision after each step is made elsewhere.

use std::future::poll_fn;
use std::time::Duration;

use cacheado_backends::backend::Mark;

use super::claim::{Asked, Claim};
use super::lead::StandIn;
use super::patience::Patience;
use super::{Beginning, Begun, Judged, Load, Sharing, Waited};
use crate::flight::{Boarding, Seat, Ticket, Wait};
use crate::shared::{Found, Seen};
use crate::way::{Way, blocking};

impl Beginning {
    pub(crate) async fn begun(self) -> Begun {
        match self {
            Self::Over(begun) => begun,
            Self::Waits(begun) => begun.await,
        }
    }
}

/// How a leading load goes on.
enum Aboard {
    Over(Begun),
    /// The shared tier must be asked.
    Asks(Box<Load>, Ticket),
}

impl Load {
    /// Begins the load by blocking. It first waits for another load of the key, if there is one.
    pub(crate) fn begin(self: Box<Self>) -> Begun {
        match self.board(Way::Blocking) {
            Boarding::Lead(ticket) => self.aboard(ticket),
            Boarding::Wait(seat) => blocking(|way| self.wait(way, seat)),
        }
    }

    /// As [`begin`](Self::begin), without blocking.
    pub(crate) fn begin_async(self: Box<Self>) -> Beginning {
        match self.board(Way::Async) {
            Boarding::Lead(ticket) => self.aboard_async(ticket),
            Boarding::Wait(seat) => Beginning::Waits(Box::pin(self.wait(Way::Async, seat))),
        }
    }

    async fn wait(self: Box<Self>, way: Way, seat: Seat) -> Begun {
        let mut seat = seat;
        let ticket = loop {
            let landed = match way {
                Way::Blocking => seat.wait(),
                Way::Async => landing(seat).await,
            };
            match self.waited(landed, way) {
                Waited::Value(value) => return Begun::Found(value),
                Waited::Error(error) => return Begun::FoundError(error),
                Waited::Beside(ticket) => break ticket,
                Waited::Again => match self.board(way) {
                    Boarding::Lead(ticket) => break ticket,
                    Boarding::Wait(another) => seat = another,
                },
            }
        };
        match self.leads(ticket) {
            Aboard::Over(begun) => begun,
            // boxed, so that a future that only waits reserves no space for it
            Aboard::Asks(load, ticket) => Box::pin(load.ask(way, ticket)).await,
        }
    }

    /// Begins the load as leader, by blocking: checks whether another load or the shared tier has brought the value.
    pub(crate) fn aboard(self: Box<Self>, ticket: Ticket) -> Begun {
        match self.leads(ticket) {
            Aboard::Over(begun) => begun,
            Aboard::Asks(load, ticket) => blocking(|way| load.ask(way, ticket)),
        }
    }

    /// As [`aboard`](Self::aboard), without blocking.
    pub(crate) fn aboard_async(self: Box<Self>, ticket: Ticket) -> Beginning {
        match self.leads(ticket) {
            Aboard::Over(begun) => Beginning::Over(begun),
            Aboard::Asks(load, ticket) => Beginning::Waits(Box::pin(load.ask(Way::Async, ticket))),
        }
    }

    fn leads(self: Box<Self>, ticket: Ticket) -> Aboard {
        if let Some(found) = self.found_meanwhile() {
            return Aboard::Over(found);
        }
        if self.shared().is_none() {
            return Aboard::Over(self.lead(ticket, Claim::default()));
        }
        Aboard::Asks(self, ticket)
    }

    /// Asks the shared tier.
    async fn ask(self: Box<Self>, way: Way, ticket: Ticket) -> Begun {
        let Some((tier, codec)) = self.shared() else {
            return self.lead(ticket, Claim::default());
        };
        if self.sharing == Sharing::Refresh {
            let mark = tier.mark(way, &self.key).await;
            return self.refresh(ticket, mark);
        }
        self.cache.evict_chosen(way).await;
        let began = self.cache.clock().now();
        let mut patience = Patience::new(self.cache.flights().timeout());
        let mut stand_in = None;
        loop {
            let seen = match tier.look(way, &self.key, codec, self.wanted()).await {
                Ok(Seen::Hit(found)) if self.is_old(&found) => {
                    stand_in = self.landed_old(&ticket, found);
                    let mark = tier.mark(way, &self.key).await;
                    mark.map(|mark| Seen::Miss(Some(mark)))
                }
                seen => {
                    // the value found before is gone, or was replaced
                    if seen.is_ok() {
                        stand_in = None;
                    }
                    seen
                }
            };
            let claim = match self.judge(seen, &ticket, &patience, &mut stand_in) {
                Judged::Over(begun) => return begun,
                Judged::Lead(claim) => claim,
                Judged::Claim(mark) => {
                    // boxed, because few loads are claimed, and it would take space in the future of each
                    let claim = Box::pin(self.claim(way, patience.span(), mark)).await;
                    let Some(mut claim) = claim else {
                        if let Some(value) = self.served_meanwhile(&ticket, &mut stand_in, began) {
                            return Begun::Found(value);
                        }
                        patience.wait(way).await;
                        continue;
                    };
                    let brought = self.brought_meanwhile(way, &mut claim, &mut stand_in);
                    if let Some(found) = Box::pin(brought).await {
                        return Begun::Found(self.landed_from_shared(&ticket, found));
                    }
                    claim
                }
            };
            return self.lead_with(ticket, claim, stand_in);
        }
    }

    /// Claims the load among all processes for `span`; `None` if another process holds the claim. Without a claim, `mark` identifies
    /// the load.
    async fn claim(&self, way: Way, span: Duration, mark: Option<Mark>) -> Option<Claim> {
        let (tier, _) = self.shared()?;
        let leased = match way {
            Way::Blocking => tier.lease(way, &self.key, span).await,
            // its caller may go away
            Way::Async => Asked::new(self, span).await,
        };
        Claim::of(self, leased, mark)
    }

    /// The value of another process that ended its own claim before `claim` was granted. If there is one, `claim` is given back.
    async fn brought_meanwhile(
        &self,
        way: Way,
        claim: &mut Claim,
        stand_in: &mut Option<StandIn>,
    ) -> Option<Found> {
        let (tier, codec) = self.shared()?;
        let mark = claim.leased()?;
        match tier.look(way, &self.key, codec, self.wanted()).await {
            Ok(Seen::Hit(found)) if !self.is_old(&found) => {
                let released = tier.release(way, &self.key, mark).await;
                claim.is_over(&released);
                return Some(found);
            }
            Ok(Seen::Miss(_)) => *stand_in = None,
            _ => {}
        }
        None
    }
}

pub(crate) async fn landing(seat: Seat) -> Wait {
    poll_fn(|cx| seat.poll_wait(cx)).await
}
