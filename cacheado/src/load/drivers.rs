//! The two drivers of a load's beginning: one blocks, the other awaits, step for step the same. What each step comes to is decided in
//! functions that both call.

use std::future::poll_fn;

use super::claim::{Asked, Claim};
use super::patience::Patience;
use super::{Beginning, Begun, Judged, Load, Sharing, Waited};
use crate::flight::{Boarding, Seat, Ticket, Wait};
use crate::shared::Seen;

impl Beginning {
    pub(crate) async fn begun(self) -> Begun {
        match self {
            Self::Over(begun) => begun,
            Self::Waits(begun) => begun.await,
        }
    }
}

impl Load {
    /// Waits for the load of another, if there is one, by blocking.
    pub(crate) fn begin(self: Box<Self>) -> Begun {
        let ticket = loop {
            match self.board(true) {
                Boarding::Lead(ticket) => break ticket,
                Boarding::Wait(seat) => match self.waited(seat.wait(), true) {
                    Waited::Value(value) => return Begun::Found(value),
                    Waited::Error(error) => return Begun::FoundError(error),
                    Waited::Beside(ticket) => break ticket,
                    Waited::Again => {}
                },
            }
        };
        self.aboard(ticket)
    }

    /// Looks whether another has the value, or the shared tier, by blocking.
    pub(crate) fn aboard(self: Box<Self>, ticket: Ticket) -> Begun {
        if let Some(found) = self.found_meanwhile() {
            return found;
        }
        let Some((tier, codec)) = self.shared() else {
            return self.lead(ticket, Claim::default());
        };
        if self.sharing == Sharing::Refresh {
            let mark = tier.mark(&self.key);
            return self.refresh(ticket, mark);
        }
        self.cache.evict_chosen();
        let began = self.cache.clock().now();
        let mut patience = Patience::new(self.cache.flights().timeout());
        let mut stand_in = None;
        loop {
            let seen = match tier.look(&self.key, codec) {
                Ok(Seen::Hit(found)) if self.is_old(&found) => {
                    stand_in = self.landed_old(&ticket, found);
                    let mark = tier.mark(&self.key);
                    mark.map(|mark| Seen::Miss(Some(mark)))
                }
                seen => {
                    // what there was has gone, or been replaced
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
                    let leased = tier.lease(&self.key, patience.span());
                    let Some(mut claim) = Claim::of(&self, leased, mark) else {
                        if let Some(value) = self.served_meanwhile(&ticket, &mut stand_in, began) {
                            return Begun::Found(value);
                        }
                        patience.sleep();
                        continue;
                    };
                    if let Some(mark) = claim.leased() {
                        match tier.look(&self.key, codec) {
                            Ok(Seen::Hit(found)) if !self.is_old(&found) => {
                                let released = tier.release(&self.key, mark);
                                claim.is_over(&released);
                                return Begun::Found(self.landed_from_shared(&ticket, found));
                            }
                            Ok(Seen::Miss(_)) => stand_in = None,
                            _ => {}
                        }
                    }
                    claim
                }
            };
            return self.lead_with(ticket, claim, stand_in);
        }
    }

    /// The same without blocking.
    pub(crate) fn begin_async(self: Box<Self>) -> Beginning {
        match self.board(false) {
            Boarding::Lead(ticket) => self.aboard_async(ticket),
            Boarding::Wait(seat) => Beginning::Waits(Box::pin(self.wait_async(seat))),
        }
    }

    async fn wait_async(self: Box<Self>, seat: Seat) -> Begun {
        let mut seat = seat;
        let ticket = loop {
            match self.waited(landing(seat).await, false) {
                Waited::Value(value) => return Begun::Found(value),
                Waited::Error(error) => return Begun::FoundError(error),
                Waited::Beside(ticket) => break ticket,
                Waited::Again => match self.board(false) {
                    Boarding::Lead(ticket) => break ticket,
                    Boarding::Wait(another) => seat = another,
                },
            }
        };
        self.aboard_async(ticket).begun().await
    }

    /// As [`aboard`](Self::aboard), without blocking.
    pub(crate) fn aboard_async(self: Box<Self>, ticket: Ticket) -> Beginning {
        if let Some(found) = self.found_meanwhile() {
            return Beginning::Over(found);
        }
        if self.shared().is_none() {
            return Beginning::Over(self.lead(ticket, Claim::default()));
        }
        Beginning::Waits(Box::pin(self.look_async(ticket)))
    }

    /// Asks the shared tier, without blocking.
    async fn look_async(self: Box<Self>, ticket: Ticket) -> Begun {
        let Some((tier, codec)) = self.shared() else {
            return self.lead(ticket, Claim::default());
        };
        if self.sharing == Sharing::Refresh {
            let mark = tier.mark_async(&self.key).await;
            return self.refresh(ticket, mark);
        }
        self.cache.evict_chosen_async().await;
        let began = self.cache.clock().now();
        let mut patience = Patience::new(self.cache.flights().timeout());
        let mut stand_in = None;
        loop {
            let seen = match tier.look_async(&self.key, codec).await {
                Ok(Seen::Hit(found)) if self.is_old(&found) => {
                    stand_in = self.landed_old(&ticket, found);
                    let mark = tier.mark_async(&self.key).await;
                    mark.map(|mark| Seen::Miss(Some(mark)))
                }
                seen => {
                    // what there was has gone, or been replaced
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
                    let leased = Asked::new(&self, patience.span()).await;
                    let Some(mut claim) = Claim::of(&self, leased, mark) else {
                        if let Some(value) = self.served_meanwhile(&ticket, &mut stand_in, began) {
                            return Begun::Found(value);
                        }
                        patience.sleep_async().await;
                        continue;
                    };
                    if let Some(mark) = claim.leased() {
                        match tier.look_async(&self.key, codec).await {
                            Ok(Seen::Hit(found)) if !self.is_old(&found) => {
                                let released = tier.release_async(&self.key, mark).await;
                                claim.is_over(&released);
                                return Begun::Found(self.landed_from_shared(&ticket, found));
                            }
                            Ok(Seen::Miss(_)) => stand_in = None,
                            _ => {}
                        }
                    }
                    claim
                }
            };
            return self.lead_with(ticket, claim, stand_in);
        }
    }
}

pub(crate) async fn landing(seat: Seat) -> Wait {
    poll_fn(|cx| seat.poll_wait(cx)).await
}
