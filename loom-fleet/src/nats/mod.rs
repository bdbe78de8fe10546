//! A fleet over NATS. The protocol is in `README.md`.

mod answers;
mod caller;
mod message;
mod worker;

use std::pin::pin;
use std::sync::{Arc, OnceLock};

use async_nats::{Client, ConnectOptions, ServerAddr};
use loom::LoomRuntime;
use loom::fleet::Transport;
use tokio::time::timeout;

use crate::desk::Desk;
use crate::error::FleetConfigError;
use crate::fleet::Fleet;

use answers::Answers;
use caller::Caller;
use message::Subjects;

/// Where the server is, and how to connect.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) options: ConnectOptions,
}

impl Server {
    /// The addresses without users and passwords.
    pub(crate) fn shown(&self) -> String {
        let without = |url: &str| match (url.split_once("://"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            (None, Some((_, host))) => host.to_owned(),
            (_, None) => url.to_owned(),
        };
        self.url.split(',').map(without).collect::<Vec<_>>().join(",")
    }

    fn addresses(&self) -> Result<Vec<ServerAddr>, FleetConfigError> {
        let refused = |why: String| FleetConfigError::Address(format!("`{}`: {why}", self.shown()));
        let addresses = self
            .url
            .split(',')
            .map(str::trim)
            .map(|url| url.parse::<ServerAddr>().map_err(|error| refused(error.to_string())));
        addresses.collect()
    }
}

/// The connection, once there is one. A server that is away is tried again and again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection(Arc<OnceLock<Client>>);

impl Connection {
    pub(crate) fn get(&self) -> Option<&Client> {
        self.0.get()
    }
}

/// Connects, and serves if there is a desk.
pub(crate) fn join(
    server: &Server,
    fleet: &Fleet,
    runtime: &LoomRuntime,
    desk: Option<Arc<Desk>>,
) -> Result<Arc<dyn Transport>, FleetConfigError> {
    let addresses = server.addresses()?;
    let subjects = Subjects::of(&fleet.name);
    let connection = Connection::default();
    let answers = Answers::default();
    let caller = Caller::new(fleet, subjects.clone(), connection.clone(), answers.clone());
    // A member that is caller and worker sends no calls to itself.
    let options = server.options.clone().retry_on_initial_connect().no_echo();
    let silence = fleet.silence();
    let shown = server.shown();
    let left = desk.clone();
    let member = async move {
        let client = match options.connect(addresses).await {
            Ok(client) => client,
            // It is tried again by itself, except where a setting is wrong.
            Err(error) => {
                tracing::error!("cannot connect to NATS at {shown}: {error}");
                return;
            }
        };
        answers.receive(&client).await;
        // From now on calls may be sent.
        let _ = connection.0.set(client.clone());
        if let Some(desk) = desk {
            worker::serve(client, subjects, desk, silence).await;
        }
    };
    match left {
        // Tracked, so that a shutdown waits until the last call is answered. It does not wait for a server.
        Some(desk) => drop(runtime.spawn_async(async move {
            let mut member = pin!(member);
            tokio::select! {
                () = &mut member => {}
                () = desk.leaves() => drop(timeout(2 * silence, member).await),
            }
        })),
        None => drop(runtime.tokio_handle().spawn(member)),
    }
    Ok(Arc::new(caller))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let shown =
            |url: &str| Server { url: url.to_owned(), options: ConnectOptions::new() }.shown();
        assert_eq!(shown("nats://me:secret@here:4222"), "nats://here:4222");
        assert_eq!(shown("nats://me:p@ss@here,tls://there:1"), "nats://here,tls://there:1");
        assert_eq!(shown("token@here:4222"), "here:4222");
        let server =
            Server { url: "nats://me:secret@here:port".to_owned(), options: ConnectOptions::new() };
        let error = server.addresses().expect_err("no port").to_string();
        assert!(error.contains("nats://here:port") && !error.contains("secret"), "{error}");
    }
}
