//! Settings: flags over `SESSIOND_*` environment variables over the file over defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use session_api::Operation;
use session_types::PoolId;

pub use self::flags::{Flags, LogFormat, LogLevel, ServeFlags, StoreUrl};
use crate::connections::CONNECTIONS_MAX;
use crate::lifecycle::lifetime::{Lifetime, Lifetimes, TypeLifetimes};
use crate::limits::LimitSettings;
use crate::origin::{ClientAddressHeader, TrustedProxies};
use crate::read_cache::ReadCacheSettings;
use crate::sweep::Retention;

mod flags;

/// The settings file. Unknown names are refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    internal_listen: Option<SocketAddr>,
    store: Option<StoreUrl>,
    log_format: Option<LogFormat>,
    log_level: Option<LogLevel>,
    #[serde(default)]
    trusted_proxies: Vec<IpNet>,
    client_address_header: Option<ClientAddressHeader>,
    #[serde(default)]
    disabled_operations: BTreeSet<Operation>,
    #[serde(default)]
    lifetime: LifetimeSection,
    #[serde(default)]
    sweep: SweepSection,
    #[serde(default)]
    limits: LimitsSection,
    read_cache: Option<ReadCacheSection>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LifetimeSection {
    browser: Option<LifetimeEntry>,
    api: Option<LifetimeEntry>,
    #[serde(default)]
    pool: BTreeMap<PoolId, PoolLifetimes>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolLifetimes {
    browser: Option<LifetimeEntry>,
    api: Option<LifetimeEntry>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LifetimeEntry {
    idle: Option<Span>,
    absolute: Option<Span>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SweepSection {
    interval: Option<Interval>,
    session_retention: Option<Span>,
    event_retention: Option<Span>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsSection {
    trusted: Option<Vec<IpNet>>,
    failed_authentications_per_minute: Option<NonZeroU32>,
    creations_per_minute: Option<NonZeroU32>,
    revocations_per_minute: Option<NonZeroU32>,
    connections: Option<NonZeroU32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadCacheSection {
    staleness: Option<Interval>,
    size_mib: Option<u32>,
}

impl ReadCacheSection {
    /// Returns the settings of the cache in front of this store; `None` if there is to be none.
    fn settings(section: Option<Self>, store: &StoreUrl) -> Result<Option<ReadCacheSettings>, String> {
        let is_given = section.is_some();
        let Self { staleness, size_mib } = section.unwrap_or_default();
        let bytes_max = u64::from(size_mib.unwrap_or(READ_CACHE_SIZE_MIB)) << 20;
        let staleness_max = staleness.map(|staleness| staleness.0);
        match (store, staleness_max) {
            (StoreUrl::Sqlite(_), Some(_)) => {
                Err("read_cache.staleness: what the embedded store's cache has is always \
                                                   current; remove the setting"
                    .to_owned())
            }
            (StoreUrl::Postgres(_), Some(staleness)) if staleness > READ_CACHE_STALENESS_MAX => Err(format!(
                "read_cache.staleness: for so long a session that another node has revoked would be live on this one; \
                 at most {}",
                humantime::format_duration(READ_CACHE_STALENESS_MAX)
            )),
            (StoreUrl::Postgres(_), None) if is_given && bytes_max > 0 => {
                Err("read_cache.staleness: it is required, because other nodes change the store too; add it"
                    .to_owned())
            }
            (StoreUrl::Postgres(_), None) => Ok(None),
            _ if bytes_max == 0 => Ok(None),
            _ => Ok(Some(ReadCacheSettings { staleness_max, bytes_max })),
        }
    }
}

/// A duration such as `30m` or `12h`, or `none`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Span(Option<Duration>);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        match humantime::parse_duration(&text) {
            Ok(time) if !time.is_zero() => Ok(Self(Some(time))),
            Ok(_) => Err("a duration is longer than 0; use `none` for an unlimited one".to_owned()),
            Err(error) => Err(format!("a duration is like 30s, 15m, 12h or 30d, or none: {error}")),
        }
    }
}

/// A duration such as `10s`, without `none`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Interval(Duration);

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let Span(time) = text.try_into()?;
        time.map(Self).ok_or_else(|| "an interval is a duration like 10s; it cannot be none".to_owned())
    }
}

impl LifetimeEntry {
    fn over(self, default: Lifetime) -> Lifetime {
        let or = |span: Option<Span>, default| span.map_or(default, |span| span.0);
        Lifetime { idle: or(self.idle, default.idle), absolute: or(self.absolute, default.absolute) }
    }
}

impl LifetimeSection {
    /// Returns the lifetimes. A pool inherits from its type, a type from the default.
    fn lifetimes(&self) -> Lifetimes {
        let over = |default: TypeLifetimes, browser: Option<LifetimeEntry>, api: Option<LifetimeEntry>| {
            TypeLifetimes {
                browser: browser.unwrap_or_default().over(default.browser),
                api: api.unwrap_or_default().over(default.api),
            }
        };
        let default = over(TypeLifetimes::default(), self.browser, self.api);
        let pools = self.pool.iter().map(|(id, pool)| (*id, over(default, pool.browser, pool.api)));
        Lifetimes { default, pools: pools.collect() }
    }
}

/// The default interval of sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// The longest staleness of the read cache: longer than a person waits to see that a revocation counts.
const READ_CACHE_STALENESS_MAX: Duration = Duration::from_mins(1);

/// The default size of the read cache: at half a KiB each, some hundred thousand sessions.
const READ_CACHE_SIZE_MIB: u32 = 64;

/// The default retention of ended sessions and events: long enough to look into an incident afterwards.
const RETENTION: Duration = Duration::from_hours(90 * 24);

/// The effective settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Address of the contract's operations.
    pub listen: SocketAddr,
    /// Address of health, ready and metrics.
    pub internal_listen: SocketAddr,
    /// The location of the store.
    pub store: StoreUrl,
    /// The format of the log.
    pub log_format: LogFormat,
    /// The least severe records that are logged.
    pub log_level: LogLevel,
    /// Proxies that are trusted to report the caller's address.
    pub trusted_proxies: Option<TrustedProxies>,
    /// Operations that this deployment does not offer.
    pub disabled_operations: BTreeSet<Operation>,
    /// The lifetimes of sessions.
    pub lifetimes: Lifetimes,
    /// The interval of sweeps.
    pub sweep_interval: Duration,
    /// The cache of reads, if there is one.
    pub read_cache: Option<ReadCacheSettings>,
    /// How long ended sessions and events are retained.
    pub retention: Retention,
    /// Rate limits.
    pub limits: LimitSettings,
    /// The greatest number of connections of the public listener.
    pub connections: NonZeroU32,
}

/// The settings file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("settings file {}: {reason}", file.display())]
pub struct InvalidConfig {
    file: PathBuf,
    reason: String,
}

impl Config {
    /// Loads the settings from these flags, from the file that they name and from the defaults. clap has already put the
    /// environment into the flags.
    ///
    /// Fails if the file cannot be read, or has an unknown name, a value that is not allowed, or one of two settings that
    /// belong together.
    pub fn load(flags: &Flags, serve: &ServeFlags) -> Result<Self, InvalidConfig> {
        let file = flags.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let default_format = if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            LogFormat::Human
        } else {
            LogFormat::Json
        };
        let limits = LimitSettings::default();
        let retention = |span: Option<Span>| span.map_or(Some(RETENTION), |span| span.0);
        let trusted_proxies = file.trusted_proxies().map_err(|reason| InvalidConfig {
            file: flags.config.clone().unwrap_or_default(),
            reason: reason.to_owned(),
        })?;
        let store = flags
            .store
            .clone()
            .or(file.store)
            .unwrap_or_else(|| StoreUrl::Sqlite(PathBuf::from("sessiond-data/sessions.db")));
        let read_cache = ReadCacheSection::settings(file.read_cache, &store)
            .map_err(|reason| InvalidConfig { file: flags.config.clone().unwrap_or_default(), reason })?;
        Ok(Self {
            trusted_proxies,
            read_cache,
            disabled_operations: file.disabled_operations,
            lifetimes: file.lifetime.lifetimes(),
            sweep_interval: file.sweep.interval.map_or(SWEEP_INTERVAL, |interval| interval.0),
            retention: Retention {
                sessions: retention(file.sweep.session_retention),
                events: retention(file.sweep.event_retention),
            },
            limits: LimitSettings {
                trusted: file.limits.trusted.unwrap_or(limits.trusted),
                failed_authentications: file
                    .limits
                    .failed_authentications_per_minute
                    .unwrap_or(limits.failed_authentications),
                creations: file.limits.creations_per_minute.unwrap_or(limits.creations),
                revocations: file.limits.revocations_per_minute.unwrap_or(limits.revocations),
            },
            connections: file.limits.connections.unwrap_or(CONNECTIONS_MAX),
            listen: serve.listen.or(file.listen).unwrap_or_else(|| local(8080)),
            internal_listen: serve.internal_listen.or(file.internal_listen).unwrap_or_else(|| local(8081)),
            store,
            log_format: flags.log_format.or(file.log_format).unwrap_or(default_format),
            log_level: flags.log_level.or(file.log_level).unwrap_or(LogLevel::Info),
        })
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, InvalidConfig> {
        let invalid = |reason: String| InvalidConfig { file: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| invalid(error.to_string()))?;
        toml::from_str(&text).map_err(|error| {
            // In one line, with the line number.
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            let what = error.message().lines().collect::<Vec<_>>().join(" ");
            invalid(format!("line {line}: {what}"))
        })
    }

    /// Returns the proxies that are trusted. There is no default for the header: if it were not the one that the proxies
    /// write, every caller could forge its address.
    fn trusted_proxies(&self) -> Result<Option<TrustedProxies>, &'static str> {
        let networks = self.trusted_proxies.clone();
        match (networks.is_empty(), self.client_address_header) {
            (true, None) => Ok(None),
            (false, Some(header)) => Ok(Some(TrustedProxies { networks, header })),
            (false, None) => Err("trusted_proxies: it needs client_address_header as well; add \
                                  client_address_header = \"x-forwarded-for\" or \"forwarded\", the header that these \
                                  proxies write"),
            (true, Some(_)) => {
                Err("client_address_header: it needs trusted_proxies as well; add the networks of the \
                                    proxies that write this header, or remove it")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use session_types::Scope;

    use strum::VariantArray;

    use super::*;

    fn load(file: &str, flags: Flags, serve: &ServeFlags) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessiond.toml");
        std::fs::write(&path, file).unwrap();
        let flags = Flags { config: Some(path), ..flags };
        Config::load(&flags, serve).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file = "listen = '127.0.0.1:1'\nstore = 'sqlite:there.db'\nlog_level = 'warn'";
        let serve = ServeFlags { listen: Some("127.0.0.1:2".parse().unwrap()), ..ServeFlags::default() };
        let config = load(file, Flags::default(), &serve).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.internal_listen.port(), 8081);
        assert_eq!(config.store, StoreUrl::Sqlite("there.db".into()));
        assert_eq!(config.log_level, LogLevel::Warn);
    }

    #[test]
    fn lifetimes_are_those_of_the_pool_then_of_the_type_then_the_defaults() {
        let file = "[lifetime.browser]\nidle = '5m'\nabsolute = 'none'\n\
                    [lifetime.pool.013xrzp12g3nqk8ng09nmc8kwqzfafa2.browser]\nabsolute = '1h'";
        let lifetimes = load(file, Flags::default(), &ServeFlags::default()).unwrap().lifetimes;
        let (five, hour) = (Some(Duration::from_mins(5)), Some(Duration::from_hours(1)));
        assert_eq!(lifetimes.default.browser, Lifetime { idle: five, absolute: None });
        assert_eq!(lifetimes.default.api, TypeLifetimes::default().api);
        let pool = lifetimes.pools.values().next().unwrap();
        assert_eq!(pool.browser, Lifetime { idle: five, absolute: hour });
        assert_eq!(pool.api, TypeLifetimes::default().api);
    }

    #[test]
    fn the_settings_that_the_documentation_shows_are_the_defaults() {
        let text = include_str!("../../../docs/operating.md");
        let shown = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let load = |file: &str| load(file, Flags::default(), &ServeFlags::default()).unwrap();
        assert_eq!(load(shown), load(""));
        for name in [
            "lifetime.browser",
            "lifetime.api",
            "sweep",
            "limits",
            "trusted_proxies",
            "client_address_header",
        ] {
            assert!(shown.contains(name), "{name}");
        }
    }

    #[test]
    fn the_read_cache_is_on_for_the_embedded_store_and_as_the_documentation_shows_for_postgresql() {
        let text = include_str!("../../../docs/operating.md");
        let (_, section) = text.split_once("```toml\n[read_cache]").unwrap();
        let section = section.split("```").next().unwrap();
        let cache = |file: &str| load(file, Flags::default(), &ServeFlags::default()).unwrap().read_cache;
        let postgres = |section: &str| cache(&format!("store = 'postgres://db/x'\n{section}"));
        let settings =
            |staleness_max, mib: u64| Some(ReadCacheSettings { staleness_max, bytes_max: mib << 20 });
        let shown = postgres(&format!("[read_cache]{section}"));
        assert_eq!(shown, settings(Some(Duration::from_secs(2)), 64));
        assert_eq!(postgres(""), None);
        assert_eq!(postgres("[read_cache]\nsize_mib = 0"), None);
        assert_eq!(cache(""), settings(None, 64));
        assert_eq!(cache("[read_cache]\nsize_mib = 512"), settings(None, 512));
        assert_eq!(cache("[read_cache]\nsize_mib = 0"), None);
    }

    #[test]
    fn the_documentation_lists_every_scope() {
        let text = include_str!("../../../docs/operating.md");
        let (_, rows) = text.split_once("| scope | allows to |\n|---|---|\n").unwrap();
        let rows = rows.lines().map_while(|row| row.strip_prefix("| `")?.split_once("` | "));
        let listed: Vec<&str> = rows.map(|(scope, _)| scope).collect();
        let scopes: Vec<&str> = Scope::VARIANTS.iter().map(AsRef::as_ref).collect();
        assert_eq!(listed, scopes, "the table of scopes in docs/operating.md");
    }

    #[test]
    fn an_error_in_the_file_is_one_line_that_names_the_place_or_what_is_allowed() {
        for (file, expected) in [
            ("listen = '127.0.0.1:1'\nlisen = 'x'", "line 2"),
            ("listen = 'nowhere'", "line 1"),
            ("\n\nlog_level = 'loud'", "line 3"),
            ("listen =", "line 1"),
            ("trusted_proxies = ['10.0.0.0/33']", "line 1"),
            ("trusted_proxies = ['10.0.0.0/8']", "add client_address_header = \"x-forwarded-for\""),
            ("client_address_header = 'forwarded'", "trusted_proxies"),
            ("client_address_header = 'x-real-ip'", "x-forwarded-for"),
            ("disabled_operations = ['fly']", "fetch_session"),
            ("[lifetime.browser]\nidle = 'soon'", "30s"),
            ("[lifetime.browser]\nidle = '0s'", "none"),
            ("[lifetime.pool.x]", "32 characters"),
            ("[sweep]\ninterval = 'none'", "10s"),
            ("[limits]\ncreations_per_minute = 0", "line 2"),
            ("[sweep]\nretention = '1d'", "session_retention"),
            ("store = 'postgres://db/x'\n[read_cache]\nstaleness = '2m'", "at most 1m"),
            ("store = 'postgres://db/x'\n[read_cache]\nsize_mib = 1", "staleness"),
            ("[read_cache]\nstaleness = '1s'", "embedded store"),
            ("[read_cache]\nsize_mib = -1", "line 2"),
            ("store = 'mysql://user:geheim@db/x'", "postgres://USER@HOST/DATABASE"),
            ("store = 'postgres://user:geheim@db/x?sslmode=geheim'", "verify-full"),
            ("store = 'postgres://user:geheim@db/x?ssl=on'", "unknown parameter ssl"),
        ] {
            let error = load(file, Flags::default(), &ServeFlags::default()).unwrap_err();
            assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
            assert!(!error.contains("geheim"), "{error}");
        }
    }
}
