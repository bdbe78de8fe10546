//! A fleet over NATS. The protocol is in `README.md`.

mod answers;
mod caller;
mod message;
mod worker;

use std::fs;
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use async_nats::{Client, ConnectOptions, ServerAddr};
use loom::LoomRuntime;
use loom::fleet::{FleetSettings, Transport};
use tokio::time::timeout;

use crate::desk::Desk;
use crate::error::FleetConfigError;
use crate::fleet::Member;

use answers::Answers;
use caller::Caller;
use message::Subjects;

/// Where the server is, and how to connect.
pub(crate) struct Server {
    addresses: Vec<ServerAddr>,
    /// The addresses without users and passwords.
    shown: String,
    options: ConnectOptions,
}

impl Server {
    /// The server that the settings name, if they name one.
    pub(crate) fn of(
        settings: &FleetSettings,
        options: &ConnectOptions,
    ) -> Result<Option<Self>, FleetConfigError> {
        let (Some(url), Some(shown)) = (&settings.url, settings.shown_url()) else {
            return Ok(None);
        };
        let refused = |why: String| FleetConfigError::Address(format!("`{shown}`: {why}"));
        let addresses = url
            .split(',')
            .map(str::trim)
            .map(|url| url.parse::<ServerAddr>().map_err(|error| refused(error.to_string())));
        let addresses = addresses.collect::<Result<_, _>>()?;
        let mut options = options.clone();
        if let Some(file) = &settings.credentials {
            let unusable = |error| FleetConfigError::Credentials { file: file.clone(), error };
            let credentials = fs::read_to_string(file).map_err(unusable)?;
            options = options.credentials(&credentials).map_err(unusable)?;
        }
        Ok(Some(Self { addresses, shown, options }))
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
    server: Server,
    member: &Member,
    runtime: &LoomRuntime,
    desk: Option<Arc<Desk>>,
) -> Arc<dyn Transport> {
    let Server { addresses, shown, options } = server;
    let subjects = Subjects::of(&member.name);
    let connection = Connection::default();
    let answers = Answers::default();
    let caller = Caller::new(member, subjects.clone(), connection.clone(), answers.clone());
    // A member that is caller and worker sends no calls to itself.
    let options = options.retry_on_initial_connect().no_echo();
    let silence = member.silence();
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
    Arc::new(caller)
}
