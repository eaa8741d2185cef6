//! How long the answers took, for each kind of question.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The kinds of question that are measured separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Home,
    Orders,
    Report,
    Catalog,
    Profile,
    Cart,
    Settings,
    Organizations,
    Write,
}

impl Question {
    pub(crate) const ALL: [Self; 9] = [
        Self::Home,
        Self::Orders,
        Self::Report,
        Self::Catalog,
        Self::Profile,
        Self::Cart,
        Self::Settings,
        Self::Organizations,
        Self::Write,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Home => "home page",
            Self::Orders => "orders",
            Self::Report => "sales report",
            Self::Catalog => "catalog",
            Self::Profile => "profile",
            Self::Cart => "cart",
            Self::Settings => "settings",
            Self::Organizations => "organizations",
            Self::Write => "writes",
        }
    }
}

/// The times of answers, to three digits.
pub(crate) struct Measured {
    all: Histogram<u64>,
    by_question: [Histogram<u64>; Question::ALL.len()],
}

impl Default for Measured {
    fn default() -> Self {
        // from a nanosecond to a minute; longer times count as a minute
        let empty = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds in order");
        Self {
            by_question: std::array::from_fn(|_| empty.clone()),
            all: empty,
        }
    }
}

impl Measured {
    pub(crate) fn record(&mut self, question: Question, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.all.saturating_record(nanoseconds);
        self.by_question[question as usize].saturating_record(nanoseconds);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let bounds = "all histograms have the same bounds";
        self.all.add(&other.all).expect(bounds);
        for (mine, theirs) in self.by_question.iter_mut().zip(&other.by_question) {
            mine.add(theirs).expect(bounds);
        }
    }

    /// The number of answers, to all questions.
    pub(crate) fn requests(&self) -> u64 {
        self.all.len()
    }

    /// The time that this share of all answers did not exceed.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        Duration::from_nanos(self.all.value_at_quantile(share))
    }

    /// The same for the answers to one kind of question; `None` if it was never asked.
    pub(crate) fn quantile_of(&self, question: Question, share: f64) -> Option<Duration> {
        let times = &self.by_question[question as usize];
        (!times.is_empty()).then(|| Duration::from_nanos(times.value_at_quantile(share)))
    }
}
