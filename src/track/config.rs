//! What the log cannot tell and a person must.

use std::net::IpAddr;

use ipnet::IpNet;

/// Which hosts are ours, and how names are read. The defaults are right for one ordinary host.
#[derive(Debug, Clone)]
pub struct TrackConfig {
    /// Clients that may relay without SASL.
    pub trusted_networks: Vec<IpNet>,
    /// Content filters: mail that comes from there may be mail that went there.
    pub filter_networks: Vec<IpNet>,
    /// Hosts behind us that take mail for our users.
    pub inbound_relays: Vec<IpNet>,
    /// Other hosts of ours: handing over to them is not yet "sent".
    pub internal_hosts: Vec<IpNet>,
    /// Added to logins without a domain.
    pub default_domain: Option<String>,
    /// Addresses that get a copy of all mail: nobody wrote to them.
    pub bcc_addresses: Vec<String>,
    /// Messages followed at a time.
    pub messages_max: usize,
    /// Key of all hashes: random where a sender could choose keys to collide.
    pub seed: u64,
}

/// Messages followed at a time, if not told otherwise.
pub const MESSAGES_MAX: usize = 400_000;

impl Default for TrackConfig {
    fn default() -> Self {
        let nets = |list: &[&str]| list.iter().filter_map(|n| n.parse().ok()).collect();
        TrackConfig {
            trusted_networks: nets(&["127.0.0.0/8", "::1/128"]),
            filter_networks: nets(&["127.0.0.0/8", "::1/128"]),
            inbound_relays: nets(&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]),
            internal_hosts: Vec::new(),
            default_domain: None,
            bcc_addresses: Vec::new(),
            messages_max: MESSAGES_MAX,
            seed: 0,
        }
    }
}

pub(super) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}
