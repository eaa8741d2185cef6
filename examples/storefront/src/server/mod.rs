//! The service: its addresses, and a server on the loopback interface that can be stopped again.
//!
//! Each request is sent by a session of a user of an organization. The organization and the user are in the address, and the session
//! is the bearer token. `visitor` checks them, `handlers` answer.

mod handlers;
mod visitor;

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::routing::{get, post, put};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::database::Db;

/// The service over one database.
pub fn router(db: Db) -> Router {
    let of_a_visitor = Router::new()
        .route("/home", get(handlers::home))
        .route("/profile", get(handlers::profile))
        .route("/name", put(handlers::rename_user))
        .route("/orders", get(handlers::orders).post(handlers::place_order))
        .route("/cart", get(handlers::cart).put(handlers::fill_cart))
        .route("/catalog", get(handlers::catalog))
        .route("/report", get(handlers::report))
        .route("/settings", get(handlers::settings))
        .route("/settings/{name}", put(handlers::change_setting))
        .route(
            "/sessions",
            post(handlers::log_in).delete(handlers::log_out),
        );
    Router::new()
        .route("/organizations", get(handlers::organizations))
        .nest("/organizations/{org_id}/users/{user_id}", of_a_visitor)
        .with_state(db)
}

/// A server that runs until it is stopped.
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Serves `db` on a loopback port; on a free one if `port` is 0.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(db: Db, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        // Small answers are sent at once: waiting to fill a packet would hide what the cache saves.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let task = tokio::spawn(async move {
            axum::serve(listener, router(db))
                .with_graceful_shutdown(async move { drop(stopped.await) })
                .await
        });
        Ok(Self {
            address,
            stop,
            task,
        })
    }

    /// The address on which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the requests that have begun, then ends.
    ///
    /// # Errors
    /// If the server had failed before.
    pub async fn stop(self) -> anyhow::Result<()> {
        // it may have ended by itself, which the result of `task` shows
        let _ = self.stop.send(());
        Ok(self.task.await??)
    }
}
