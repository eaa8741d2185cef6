//! Carries out the visits of one client, and detects answers that don't show what the same client has just written.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::Client;
use super::plan::{Plan, Visit};
use super::{Limit, Measured, Question};
use crate::database::model::{Order, Visitor};

/// What one client has measured and seen.
pub(super) struct Seen {
    pub(super) measured: Measured,
    pub(super) stale: Vec<String>,
    pub(super) checked: u64,
}

/// Visits until the limit is reached.
pub(super) async fn visits(
    address: SocketAddr,
    mut plan: Plan,
    limit: Arc<Limit>,
) -> anyhow::Result<Seen> {
    let client = Client::connect(address).await?;
    let seen = Seen {
        measured: Measured::default(),
        stale: Vec::new(),
        checked: 0,
    };
    let mut caller = Caller {
        client,
        limit,
        seen,
    };
    while caller.limit.allows_more() {
        let (visitor, visit) = plan.next();
        caller.visit(&visitor, visit).await?;
    }
    Ok(caller.seen)
}

struct Caller {
    client: Client,
    limit: Arc<Limit>,
    seen: Seen,
}

impl Caller {
    async fn visit(&mut self, visitor: &Visitor, visit: Visit) -> anyhow::Result<()> {
        match visit {
            Visit::Ask(Question::Organizations, path) => {
                let (status, _) = self
                    .send(
                        Question::Organizations,
                        Method::GET,
                        &path,
                        "",
                        String::new(),
                    )
                    .await?;
                expect(status, StatusCode::OK, &path)
            }
            Visit::Ask(question, path) => self.ask(question, visitor, &path).await.map(drop),
            Visit::Order {
                product_id,
                quantity,
            } => self.order(visitor, product_id, quantity).await,
            Visit::FillCart {
                product_id,
                quantity,
            } => {
                let lot = json!({ "product_id": product_id, "quantity": quantity });
                self.write(Method::PUT, visitor, "/cart", lot.to_string())
                    .await
                    .map(drop)
            }
            Visit::Rename { name } => self
                .write(Method::PUT, visitor, "/name", name)
                .await
                .map(drop),
            Visit::ChangeSetting { name, value } => self
                .write(Method::PUT, visitor, &format!("/settings/{name}"), value)
                .await
                .map(drop),
            Visit::ComeAndGo => self.come_and_go(visitor).await,
        }
    }

    async fn order(
        &mut self,
        visitor: &Visitor,
        product_id: u32,
        quantity: u32,
    ) -> anyhow::Result<()> {
        let lot = json!({ "product_id": product_id, "quantity": quantity });
        let placed = self
            .write(Method::POST, visitor, "/orders", lot.to_string())
            .await?;
        let placed: Order = serde_json::from_slice(&placed)?;
        let orders = self.ask(Question::Orders, visitor, "/orders").await?;
        let orders: Vec<Order> = serde_json::from_slice(&orders)?;
        self.seen.checked += 1;
        // Others may order for the same user meanwhile. The newest orders come first, so this one is among them, or newer ones have
        // filled the page.
        let shown = orders.contains(&placed);
        let pushed_out = orders
            .last()
            .is_some_and(|oldest| oldest.order_id > placed.order_id);
        if !shown && !pushed_out {
            self.seen.stale.push(format!(
                "order {} of {} was not shown",
                placed.order_id, visitor.org_id
            ));
        }
        Ok(())
    }

    async fn come_and_go(&mut self, visitor: &Visitor) -> anyhow::Result<()> {
        let logged_in = self
            .write(Method::POST, visitor, "/sessions", String::new())
            .await?;
        let logged_in: Value = serde_json::from_slice(&logged_in)?;
        let session_id = logged_in["session_id"]
            .as_str()
            .context("an answer without a session")?
            .to_owned();
        let visitor = Visitor {
            session_id,
            ..visitor.clone()
        };
        self.ask(Question::Home, &visitor, "/home").await?;
        self.write(Method::DELETE, &visitor, "/sessions", String::new())
            .await?;
        let path = address_of(&visitor, "/home");
        let (status, _) = self
            .send(
                Question::Home,
                Method::GET,
                &path,
                &visitor.session_id,
                String::new(),
            )
            .await?;
        self.seen.checked += 1;
        if status != StatusCode::UNAUTHORIZED {
            self.seen.stale.push(format!(
                "user {} came in again after logging out: {status}",
                visitor.user_id
            ));
        }
        Ok(())
    }

    async fn ask(
        &mut self,
        question: Question,
        visitor: &Visitor,
        path: &str,
    ) -> anyhow::Result<Bytes> {
        let path = address_of(visitor, path);
        let (status, body) = self
            .send(
                question,
                Method::GET,
                &path,
                &visitor.session_id,
                String::new(),
            )
            .await?;
        expect(status, StatusCode::OK, &path)?;
        Ok(body)
    }

    async fn write(
        &mut self,
        method: Method,
        visitor: &Visitor,
        path: &str,
        body: String,
    ) -> anyhow::Result<Bytes> {
        let path = address_of(visitor, path);
        let (status, body) = self
            .send(Question::Write, method, &path, &visitor.session_id, body)
            .await?;
        if !status.is_success() {
            bail!("{path}: expected success, got {status}");
        }
        Ok(body)
    }

    async fn send(
        &mut self,
        question: Question,
        method: Method,
        path: &str,
        session_id: &str,
        body: String,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        self.limit.count_request();
        let begin = Instant::now();
        let answer = self.client.send(method, path, session_id, body).await?;
        self.seen.measured.record(question, begin.elapsed());
        Ok(answer)
    }
}

fn address_of(
    Visitor {
        org_id, user_id, ..
    }: &Visitor,
    path: &str,
) -> String {
    format!("/organizations/{org_id}/users/{user_id}{path}")
}

fn expect(status: StatusCode, expected: StatusCode, path: &str) -> anyhow::Result<()> {
    if status != expected {
        bail!("{path}: expected {expected}, got {status}");
    }
    Ok(())
}
