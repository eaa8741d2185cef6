//! Who visits next, and what they do: drawn from a seed, with the skew of real tenants.

use std::sync::Arc;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::Zipf;

use crate::database::fill::{PRODUCTS_PER_ORGANIZATION, SETTINGS, rank};
use crate::database::model::{Status, Visitor};

use super::Question;

/// One visit.
pub(super) enum Visit {
    /// One question, with the part of the address after the visitor's own.
    Ask(Question, String),
    /// Order something, then check that it is among the orders.
    Order { product_id: u32, quantity: u32 },
    /// Put something into the cart.
    FillCart { product_id: u32, quantity: u32 },
    /// Change the user's name.
    Rename { name: String },
    /// Change a setting of the organization.
    ChangeSetting { name: &'static str, value: String },
    /// Log in, look around, log out, and check that the session is not accepted any more.
    ComeAndGo,
}

/// An endless series of visits.
pub(crate) struct Plan {
    visitors: Arc<[Visitor]>,
    /// The range of the visitors of each organization.
    organizations: Vec<std::ops::Range<usize>>,
    by_organization: Zipf<f64>,
    random: ChaCha8Rng,
}

impl Plan {
    /// # Panics
    /// If there is no visitor.
    pub(crate) fn new(visitors: Arc<[Visitor]>, seed: u64) -> Self {
        let mut organizations = Vec::new();
        for chunk in visitors.chunk_by(|a, b| a.org_id == b.org_id) {
            let begin = organizations
                .last()
                .map_or(0, |range: &std::ops::Range<usize>| range.end);
            organizations.push(begin..begin + chunk.len());
        }
        let count = u32::try_from(organizations.len()).expect("as many as fit into a database");
        let by_organization = zipf(count);
        Self {
            visitors,
            organizations,
            by_organization,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The next visitor. Of the organizations, and of the users in each, the k-th comes 1/k as often as the first.
    pub(crate) fn visitor(&mut self) -> Visitor {
        let members = self.members();
        let by_user = zipf(u32::try_from(members.len()).expect("as many as fit into a database"));
        self.visitors[members.start + rank(&by_user, &mut self.random) as usize].clone()
    }

    /// The next visitor among those who `may` do something.
    fn visitor_who(&mut self, may: impl Fn(&Visitor) -> bool) -> Visitor {
        let members = self.members();
        let permitted: Vec<_> = self.visitors[members]
            .iter()
            .filter(|visitor| may(visitor))
            .collect();
        // each organization has an owner, who may do everything
        let by_user = zipf(u32::try_from(permitted.len()).expect("as many as fit into a database"));
        permitted[rank(&by_user, &mut self.random) as usize].clone()
    }

    pub(super) fn next(&mut self) -> (Visitor, Visit) {
        let visit = match self.random.random_range(0..1000) {
            0..340 => Visit::Ask(Question::Home, "/home".into()),
            340..520 => Visit::Ask(Question::Orders, format!("/orders?page={}", self.page())),
            520..640 => Visit::Ask(
                Question::Catalog,
                format!("/catalog?page={}", self.page().min(2)),
            ),
            640..730 => {
                return (
                    self.visitor_who(|visitor| visitor.permissions.reports),
                    self.report(),
                );
            }
            730..810 => Visit::Ask(Question::Profile, "/profile".into()),
            810..870 => Visit::Ask(Question::Settings, "/settings".into()),
            870..930 => Visit::Ask(Question::Cart, "/cart".into()),
            930..950 => Visit::Ask(Question::Organizations, "/organizations".into()),
            950..965 => Visit::FillCart {
                product_id: self.product(),
                quantity: self.random.random_range(1..=5),
            },
            965..980 => Visit::Order {
                product_id: self.product(),
                quantity: self.random.random_range(1..=5),
            },
            980..985 => Visit::Rename {
                name: format!("Renamed {}", self.random.random_range(0..1_000_000)),
            },
            985..990 => {
                return (
                    self.visitor_who(|visitor| visitor.permissions.settings),
                    self.setting(),
                );
            }
            _ => Visit::ComeAndGo,
        };
        (self.visitor(), visit)
    }

    /// The visitors of the organization that is visited next.
    fn members(&mut self) -> std::ops::Range<usize> {
        self.organizations[rank(&self.by_organization, &mut self.random) as usize].clone()
    }

    fn report(&mut self) -> Visit {
        let status = Status::ALL[self.random.random_range(0..Status::ALL.len())];
        Visit::Ask(
            Question::Report,
            format!("/report?status={}", status.as_str()),
        )
    }

    fn setting(&mut self) -> Visit {
        let (name, _) = SETTINGS[self.random.random_range(0..SETTINGS.len())];
        Visit::ChangeSetting {
            name,
            value: format!("value {}", self.random.random_range(0..1_000_000)),
        }
    }

    /// The first page half the time, the second a quarter of the time, and so on.
    fn page(&mut self) -> u32 {
        self.random.random::<u32>().trailing_ones().min(3)
    }

    fn product(&mut self) -> u32 {
        self.random.random_range(1..=PRODUCTS_PER_ORGANIZATION)
    }
}

fn zipf(count: u32) -> Zipf<f64> {
    Zipf::new(f64::from(count), 1.0).expect("at least one")
}
