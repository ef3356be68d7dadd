//! From flags to what the engine is told: reads the key file, resolves host names.
//!
//! In: [`UnderstandFlags`]. Out: [`EngineConfig`].

use std::fs;
use std::net::ToSocketAddrs;

use anyhow::Context;
use foldhash::fast::RandomState;
use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::cli::{Hosts, Networks, PrivacyUsers, RelayLabel, UnderstandFlags, WebFlags};
use crate::engine::EngineConfig;
use crate::metrics::{MetricsConfig, Privacy};
use crate::track::{MESSAGES_MAX, TrackConfig};

/// A shorter key could be guessed.
const KEY_BYTES_MIN: usize = 16;

/// What the flags say, the web's for those who serve.
pub fn engine_config(
    flags: &UnderstandFlags,
    web: Option<&WebFlags>,
) -> anyhow::Result<EngineConfig> {
    let tell = &flags.tell;
    let defaults = MetricsConfig::default();
    Ok(EngineConfig {
        zone: tell.timezone.clone().unwrap_or_else(TimeZone::system),
        track: TrackConfig {
            trusted_networks: Networks::all(&tell.trusted_networks),
            filter_networks: Networks::all(&tell.filter_networks),
            inbound_relays: host_networks("--inbound-relays", &tell.inbound_relays)?,
            internal_hosts: host_networks("--internal-hosts", &tell.internal_hosts)?,
            default_domain: tell.default_domain.clone(),
            bcc_addresses: tell.bcc_address.clone(),
            messages_max: MESSAGES_MAX,
            seed: random_seed(),
        },
        metrics: MetricsConfig {
            user_limit: flags.labels.users_max as usize,
            relay_limit: flags.labels.relays_max as usize,
            domain_limit: flags.labels.domains_max as usize,
            program_limit: flags.labels.programs_max as usize,
            birth_hold_ms: web.map_or(defaults.birth_hold_ms, |web| {
                u64::try_from(web.birth_hold.as_millis()).unwrap_or(u64::MAX)
            }),
            relay_by_host: flags.labels.relay == RelayLabel::Host,
            privacy: privacy(flags)?,
            created: web.is_some_and(|web| web.created),
        },
    })
}

fn privacy(flags: &UnderstandFlags) -> anyhow::Result<Privacy> {
    Ok(match flags.privacy.users {
        PrivacyUsers::Full => Privacy::Full,
        PrivacyUsers::Domain => Privacy::Domain,
        PrivacyUsers::Off => Privacy::Off,
        PrivacyUsers::Hash => {
            let path = flags
                .privacy
                .key_file
                .as_deref()
                .context("--privacy.users=hash needs --privacy.key-file")?;
            let name = path.display();
            let key = match fs::read(path) {
                Ok(key) => key,
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    anyhow::bail!(
                        "cannot read --privacy.key-file {name}: permission denied\n  \
                         why: its owner alone may read it, as it should be\n  \
                         fix: make the user that runs this its owner: chown maillog_exporter {name}"
                    )
                }
                Err(error) => anyhow::bail!(
                    "cannot read --privacy.key-file {name}: {error}\n  \
                     why: --privacy.users=hash hashes names with the key in it\n  \
                     fix: head -c 32 /dev/urandom > {name}; keep it: another key is other names"
                ),
            };
            anyhow::ensure!(
                key.len() >= KEY_BYTES_MIN,
                "--privacy.key-file {name} is shorter than {KEY_BYTES_MIN} bytes\n  \
                 why: a short key can be guessed, and with it every name\n  \
                 fix: head -c 32 /dev/urandom > {name}"
            );
            Privacy::Hash(key)
        }
    })
}

/// Names are looked up once, by the resolver of this host: a name in the log is the other side's.
fn host_networks(flag: &str, words: &[Hosts]) -> anyhow::Result<Vec<IpNet>> {
    let (mut networks, names) = Hosts::all(words);
    for name in names {
        let addresses = (name.as_str(), 25).to_socket_addrs().map_err(|error| {
            anyhow::anyhow!(
                "{flag}: cannot resolve {name}\n  \
                     why: {error}\n  \
                     fix: give its address instead of its name"
            )
        })?;
        networks.extend(addresses.map(|address| IpNet::from(address.ip())));
    }
    Ok(networks)
}

/// Nobody who sends mail can know it, so nobody can choose keys that collide.
fn random_seed() -> u64 {
    use std::hash::BuildHasher;
    RandomState::default().hash_one(0)
}
