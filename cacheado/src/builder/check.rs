//! Checks of the builder's settings: values that make no sense, and settings that exclude each other.

use std::time::Duration;

use cacheado_backends::rules::WTinyLfu;
use cacheado_backends::{Error, Result};

use super::{Bound, CacheBuilder};
use crate::weight::Weigher;

impl CacheBuilder {
    /// Checks everything but the bound and the rules.
    pub(super) fn check(&self) -> Result<()> {
        if self.name.is_empty() {
            return Err(Error::config(
                "name(\"\")",
                "give the cache a name: it keeps its keys apart from others in a shared tier",
            ));
        }
        if self.flight_timeout.is_zero() {
            return Err(Error::config(
                "flight_timeout(0)",
                "give a duration longer than zero; for no waiting at all use `single_flight = false`",
            ));
        }
        if !self.in_process && self.backend.is_none() {
            return Err(Error::config(
                "in_process(false)",
                "it leaves the cache without any tier: add a `backend(…)`, or use `Cache::disabled()`",
            ));
        }
        self.check_aging()?;
        self.check_shared()?;
        self.check_secrets()?;
        match &self.backend {
            Some(backend) => backend.check(),
            None => Ok(()),
        }
    }

    /// Checks the rules, of which the bound may be one.
    pub(super) fn check_rules(&self) -> Result<()> {
        for rule in &self.rules {
            rule.check()?;
            if rule.sweep_interval() == Some(Duration::ZERO) {
                return Err(Error::config(
                    format!("the sweep_interval of the rule {}", rule.name()),
                    "expired entries would be looked for without a pause: give a duration longer than zero, or `None`",
                ));
            }
        }
        let mut keepers = self.rules.iter().filter(|rule| rule.gives_seats());
        if let (Some(first), Some(second)) = (keepers.next(), keepers.next()) {
            return Err(Error::config(
                format!("the rules {} and {}", first.name(), second.name()),
                "each keeps the entries in an order of its own, and a cache has one: leave out one of the two",
            ));
        }
        Ok(())
    }

    /// Checks `refresh_after` and `jitter`, which are parts of a lifetime.
    fn check_aging(&self) -> Result<()> {
        let is_part = |part: f64| part > 0.0 && part < 1.0;
        if let Some(part) = self.aging.refresh_after.filter(|part| !is_part(*part)) {
            return Err(Error::config(
                format!("refresh_after({part})"),
                "give the part of a lifetime past which a hit begins a refresh: more than 0 and less than 1",
            ));
        }
        if let Some(part) = self.aging.jitter.filter(|part| !(0.0..=1.0).contains(part)) {
            return Err(Error::config(
                format!("jitter({part})"),
                "give the part of itself by which a lifetime may be longer: from 0 to 1",
            ));
        }
        Ok(())
    }

    /// Checks options of the shared tier, which also need one.
    fn check_shared(&self) -> Result<()> {
        if let Some(breaker) = self.breaker {
            breaker.check()?;
        }
        let options = [
            (
                "circuit_breaker",
                self.breaker.is_some(),
                "it pauses requests to the shared tier, and there is none",
            ),
            (
                "coherence",
                self.coherence.is_some(),
                "it limits how long copies of shared entries live, and there is no shared tier",
            ),
            (
                "compress_above",
                self.compression.is_some(),
                "it compresses values that go to the shared tier, and there is none",
            ),
        ];
        let mut given = options.into_iter().filter(|(_, given, _)| *given);
        if self.backend.is_none()
            && let Some((option, _, about)) = given.next()
        {
            return Err(Error::config(
                option,
                format!("{about}: add a `backend(…)`, or leave it out"),
            ));
        }
        Ok(())
    }

    /// Checks that a hierarchy with secret ids has a key to hide them from the shared tier.
    fn check_secrets(&self) -> Result<()> {
        if self.secret.is_some() || self.backend.is_none() {
            return Ok(());
        }
        let mut levels = self.hierarchy.levels();
        match levels.find(|(level, _)| level.is_secret()) {
            None => Ok(()),
            Some((level, _)) => Err(Error::config(
                format!(
                    "scopes(…) with the secret level `{}` and backend(…)",
                    level.path()
                ),
                "its ids are not to leave the process as they are: give the builder a `secret_key` to hash them with (feature `shared`)",
            )),
        }
    }

    /// Turns the bound into a rule, if one was given. Returns how entries are weighed.
    pub(super) fn apply_bound(&mut self) -> Result<Weigher> {
        let several = |first: &str, second: &str| {
            let message = "each decides what goes when the cache is full: leave out one of the two";
            Err(Error::config(format!("{first} and {second}"), message))
        };
        if let [first, second, ..] = self.bounds.as_slice() {
            return several(first.method, second.method);
        }
        let Some(Bound {
            method,
            most,
            weigher,
        }) = self.bounds.pop()
        else {
            return self.own_weigher();
        };
        if !self.weighers.is_empty() {
            return Err(Error::config(
                format!("{method} and weigher"),
                "each says what an entry weighs: give the weigher to `max_weight`, or leave out one of the two",
            ));
        }
        if most == 0 {
            return Err(Error::config(
                format!("{method}(0)"),
                "it would hold nothing; for no cache at all use `Cache::disabled()`",
            ));
        }
        if !self.in_process {
            return Err(Error::config(
                format!("{method} and in_process(false)"),
                "the bound is on entries in the process, and none are kept there: leave out one of the two",
            ));
        }
        if let Some(keeper) = self.rules.iter().find(|rule| rule.gives_seats()) {
            return several(method, &format!("the rule {}", keeper.name()));
        }
        self.rules.push(Box::new(WTinyLfu::new(most)));
        Ok(weigher)
    }

    /// How entries are weighed in a cache without a bound.
    fn own_weigher(&mut self) -> Result<Weigher> {
        let Some(weigher) = self.weighers.pop() else {
            return Ok(Weigher::One);
        };
        let (what, message) = if !self.in_process {
            (
                "weigher and in_process(false)",
                "what is weighed is what is kept in the process: leave out one of the two",
            )
        } else if !self.weighers.is_empty() {
            (
                "weigher and weigher",
                "each says what an entry weighs: leave out one of the two",
            )
        } else if self.rules.is_empty() {
            (
                "weigher without a rule",
                "nothing asks what an entry weighs: add a rule that does, or give the weigher to `max_weight`",
            )
        } else {
            return Ok(Weigher::By(weigher));
        };
        Err(Error::config(what, message))
    }
}
