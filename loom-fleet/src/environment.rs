//! The settings of a fleet from the environment.

use std::env::{self, VarError};
use std::time::Duration;

use crate::error::FleetConfigError;
use crate::fleet::Fleet;

impl Fleet {
    /// A fleet as the environment describes it; `None` where it names no server. With the prefix `SHOP`:
    ///
    /// | variable | value |
    /// | --- | --- |
    /// | `SHOP_FLEET_URL` | as for [`nats`](Self::nats) |
    /// | `SHOP_FLEET_NAME` | the name |
    /// | `SHOP_FLEET_ROLE` | `caller` (default), `worker` (both), `only-worker` |
    /// | `SHOP_FLEET_MOST_CALLS` | as for [`most_calls`](Self::most_calls) |
    /// | `SHOP_FLEET_TIME_LIMIT`, `SHOP_FLEET_LOST_AFTER` | a time such as `30s` or `500ms` |
    ///
    /// What the program sets on the returned value overrules the environment.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut builder = loom::LoomBuilder::new().env_prefix("SHOP");
    /// if let Some(fleet) = loom_fleet::Fleet::from_env("SHOP")? {
    ///     builder = builder.fleet(fleet);
    /// }
    /// let runtime = builder.build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`FleetConfigError::Variable`]: a variable has a value that cannot be used. Whether the values are
    /// allowed is checked when the runtime is built.
    pub fn from_env(prefix: &str) -> Result<Option<Self>, FleetConfigError> {
        Self::of_variables(prefix, |name| env::var(name))
    }

    fn of_variables(
        prefix: &str,
        variable: impl Fn(&str) -> Result<String, VarError>,
    ) -> Result<Option<Self>, FleetConfigError> {
        let read = |key: &str| {
            let name = format!("{prefix}_FLEET_{key}");
            match variable(&name) {
                Ok(value) => Ok(Some((name, value))),
                Err(VarError::NotPresent) => Ok(None),
                Err(VarError::NotUnicode(_)) => {
                    Err(wrong(name, "something that is no text", "text"))
                }
            }
        };
        let time = |key: &str| -> Result<Option<Duration>, FleetConfigError> {
            let Some((name, value)) = read(key)? else { return Ok(None) };
            let time = humantime::parse_duration(&value);
            time.map(Some).map_err(|_| wrong(name, &value, "a time such as `30s` or `500ms`"))
        };
        let Some((_, url)) = read("URL")? else { return Ok(None) };
        let mut fleet = Self::nats(url);
        if let Some((_, name)) = read("NAME")? {
            fleet = fleet.name(name);
        }
        if let Some((name, role)) = read("ROLE")? {
            fleet = match &*role {
                "caller" => fleet,
                "worker" => fleet.worker(),
                "only-worker" => fleet.only_worker(),
                _ => return Err(wrong(name, &role, "`caller`, `worker` or `only-worker`")),
            };
        }
        if let Some((name, calls)) = read("MOST_CALLS")? {
            let number = calls.parse().map_err(|_| wrong(name, &calls, "a number of calls"))?;
            fleet = fleet.most_calls(number);
        }
        if let Some(limit) = time("TIME_LIMIT")? {
            fleet = fleet.time_limit(limit);
        }
        if let Some(silence) = time("LOST_AFTER")? {
            fleet = fleet.lost_after(silence);
        }
        Ok(Some(fleet))
    }
}

fn wrong(name: String, value: &str, expected: &'static str) -> FleetConfigError {
    FleetConfigError::Variable { name, value: value.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Fleet>, FleetConfigError> {
        Fleet::of_variables("SHOP", |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned()).ok_or(VarError::NotPresent)
        })
    }

    #[test]
    fn the_environment_describes_a_fleet() {
        assert!(of(&[("SHOP_FLEET_NAME", "shop")]).expect("right").is_none(), "no server");
        let fleet = of(&[
            ("SHOP_FLEET_URL", "nats://me:secret@here:4222"),
            ("SHOP_FLEET_NAME", "shop"),
            ("SHOP_FLEET_ROLE", "only-worker"),
            ("SHOP_FLEET_MOST_CALLS", "7"),
            ("SHOP_FLEET_TIME_LIMIT", "2m"),
            ("SHOP_FLEET_LOST_AFTER", "500ms"),
        ]);
        let told = format!("{:?}", fleet.expect("right").expect("a server"));
        for part in [
            "nats: \"nats://here:4222\"",
            "name: \"shop\"",
            "is_caller: false, is_worker: true",
            "most_calls: Some(7)",
            "time_limit: 120s",
            "lost_after: 500ms",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_wrong_variable_is_told() {
        let told = |name: &str, value: &str| {
            let url = ("SHOP_FLEET_URL", "nats://here");
            of(&[url, (name, value)]).expect_err("it is wrong").to_string()
        };
        assert_eq!(
            told("SHOP_FLEET_ROLE", "boss"),
            "`SHOP_FLEET_ROLE` is \"boss\"; expected `caller`, `worker` or `only-worker`"
        );
        assert!(told("SHOP_FLEET_MOST_CALLS", "-1").contains("a number of calls"));
        assert!(told("SHOP_FLEET_TIME_LIMIT", "5 parsecs").contains("`30s`"));
    }
}
