//! One delivery line as far as it does not depend on where its message came from.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::config::{TrackConfig, contains};
use super::fact::{DeliveryStatus, Direction, Origin, RefusalClass};
use crate::parse::{Delivery, FailureReason, Kind, Program, Provider, Relay, Status};

/// Where a delivery went, before the message's origin is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To another host: inbound or outbound.
    Outside {
        /// By the relay service or to an inbound relay.
        to_inbound_relay: bool,
    },
    Local,
    Internal,
    Discard,
    Probe,
}

impl Place {
    pub fn direction(self, origin: Origin) -> Direction {
        match self {
            Place::Outside {
                to_inbound_relay: true,
            } if origin == Origin::Unauthenticated => Direction::Inbound,
            Place::Outside { .. } => Direction::Outbound,
            Place::Local => Direction::Local,
            Place::Internal => Direction::Internal,
            Place::Discard => Direction::Discard,
            Place::Probe => Direction::Probe,
        }
    }
}

/// One recipient, one attempt.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    pub place: Place,
    pub transport: &'a [u8],
    pub status: DeliveryStatus,
    pub dsn_class: u8,
    pub goes_on: bool,
    pub relay: Option<&'a [u8]>,
    pub domain: &'a [u8],
    pub delay_ms: u64,
    /// Only at the recipient's first attempt.
    pub before_qmgr_ms: Option<u64>,
    pub stages_ms: Option<[u64; 3]>,
    pub failure: Option<FailureReason>,
    pub blocklisted_by: Option<Provider>,
    /// Of the recipient's address.
    pub recipient: u64,
    /// Of the address that the sender wrote to; `None` where another line tells.
    pub written_to: Option<u64>,
    /// The first refusal of this recipient by this message.
    pub refusal: Option<RefusalClass>,
    /// A copy that nobody asked for (`--bcc-address`).
    pub is_copy: bool,
}

impl Attempt<'_> {
    /// Whether the recipient is finished by it.
    pub fn is_final(&self) -> bool {
        matches!(
            self.status,
            DeliveryStatus::Sent | DeliveryStatus::Bounced | DeliveryStatus::Expired
        )
    }
}

/// Reads a delivery line. `refusal` and `before_qmgr_ms` are as if this were the first attempt.
pub fn read<'a>(
    config: &TrackConfig,
    state: &FixedState,
    program: &Program<'a>,
    delivery: &Delivery<'a>,
) -> Attempt<'a> {
    let place = place(config, program, delivery);
    let status = match delivery.status {
        Status::Sent => DeliveryStatus::Sent,
        Status::Deferred => DeliveryStatus::Deferred,
        Status::Bounced => DeliveryStatus::Bounced,
        Status::Softbounce => DeliveryStatus::Softbounce,
        Status::Deliverable => DeliveryStatus::Deliverable,
        Status::Undeliverable => DeliveryStatus::Undeliverable,
    };
    let succeeded = matches!(status, DeliveryStatus::Sent | DeliveryStatus::Deliverable);
    let failure = (!succeeded).then(|| delivery.failure_reason());
    let dsn_class = delivery.dsn.map_or_else(
        || match status {
            DeliveryStatus::Sent | DeliveryStatus::Deliverable => 2,
            DeliveryStatus::Deferred | DeliveryStatus::Expired => 4,
            DeliveryStatus::Bounced
            | DeliveryStatus::Softbounce
            | DeliveryStatus::Undeliverable => 5,
        },
        |dsn| dsn.class,
    );
    let is_internal = place == Place::Internal;
    let goes_on = is_internal && status != DeliveryStatus::Bounced;
    let relay = match delivery.relay {
        Relay::None => None,
        Relay::Name(name) | Relay::Host { name, .. } | Relay::Socket { name, .. } => Some(name),
    };
    let connected = matches!(delivery.relay, Relay::Host { .. } | Relay::Socket { .. });
    let is_refused = matches!(
        status,
        DeliveryStatus::Deferred | DeliveryStatus::Bounced | DeliveryStatus::Softbounce
    ) && !goes_on;
    let written_to = delivery.orig_recipient.unwrap_or(delivery.recipient);
    Attempt {
        place,
        transport: program.service_name.unwrap_or(program.process),
        status,
        dsn_class,
        goes_on,
        relay,
        domain: delivery.recipient_domain(),
        delay_ms: delivery.delay_ms,
        before_qmgr_ms: delivery.delay_stages_ms.map(|stages| stages[0]),
        stages_ms: delivery
            .delay_stages_ms
            .filter(|_| connected)
            .map(|[_, qmgr, connection, transmission]| [qmgr, connection, transmission]),
        failure,
        // What our own servers answer speaks of somebody else's address.
        blocklisted_by: failure
            .filter(|_| matches!(place, Place::Outside { .. }))
            .and_then(|_| delivery.blocklisted_by()),
        recipient: address_hash(state, delivery.recipient),
        written_to: Some(address_hash(state, written_to)),
        refusal: failure.filter(|_| is_refused).and_then(refusal_class),
        is_copy: config
            .bcc_addresses
            .iter()
            .any(|copy| delivery.recipient.eq_ignore_ascii_case(copy.as_bytes())),
    }
}

fn place(config: &TrackConfig, program: &Program<'_>, delivery: &Delivery<'_>) -> Place {
    if matches!(delivery.status, Status::Deliverable | Status::Undeliverable) {
        return Place::Probe;
    }
    match program.kind {
        Kind::Discard => Place::Discard,
        _ if delivery.forwarded_as.is_some() => Place::Internal,
        Kind::Lmtp if is_swallowed_by_filter(config, delivery) => Place::Discard,
        Kind::Local | Kind::Virtual | Kind::Pipe | Kind::Lmtp => Place::Local,
        // A mailbox server that is down makes qmgr hand its mail to error(8).
        Kind::Error if delivery.unreachable_socket().is_some() => Place::Local,
        _ => {
            let address = match delivery.relay {
                Relay::Host { address, .. } => Some(address),
                // Only discard(8) sends without a connection; a bare tag does not name it.
                Relay::None if delivery.status == Status::Sent => return Place::Discard,
                Relay::None => delivery.unreachable,
                // Only LMTP has sockets; a bare tag does not name its agent.
                Relay::Name(_) | Relay::Socket { .. } => return Place::Local,
            };
            let is_ours = address.is_some_and(|a| {
                contains(&config.filter_networks, a) || contains(&config.internal_hosts, a)
            });
            if !is_ours {
                outside(config, program, address)
            } else if delivery.status == Status::Sent && delivery.swallowed() {
                Place::Discard
            } else {
                Place::Internal
            }
        }
    }
}

/// A filter that is reached by LMTP kept the mail.
fn is_swallowed_by_filter(config: &TrackConfig, delivery: &Delivery<'_>) -> bool {
    let is_near = match delivery.relay {
        Relay::Host { address, .. } => contains(&config.filter_networks, address),
        Relay::Socket { .. } => true,
        Relay::None | Relay::Name(_) => false,
    };
    is_near && delivery.status == Status::Sent && delivery.swallowed()
}

fn outside(
    config: &TrackConfig,
    program: &Program<'_>,
    address: Option<std::net::IpAddr>,
) -> Place {
    let by_relay_service = program.service_name == Some(b"relay") || program.process == b"relay";
    Place::Outside {
        to_inbound_relay: by_relay_service
            || address.is_some_and(|a| contains(&config.inbound_relays, a)),
    }
}

/// Hashes an address without regard to case.
pub fn address_hash(state: &FixedState, address: &[u8]) -> u64 {
    let mut lower = [0; 320];
    let len = address.len().min(lower.len());
    let lower = &mut lower[..len];
    lower.copy_from_slice(&address[..len]);
    lower.make_ascii_lowercase();
    state.hash_one(&*lower)
}

fn refusal_class(reason: FailureReason) -> Option<RefusalClass> {
    match reason {
        FailureReason::UserUnknown | FailureReason::MailboxFull => Some(RefusalClass::Recipient),
        FailureReason::SpamContent
        | FailureReason::Policy
        | FailureReason::RateLimited
        | FailureReason::Size => Some(RefusalClass::Content),
        FailureReason::Blocklisted | FailureReason::Reputation => Some(RefusalClass::Listed),
        FailureReason::Greylisted => Some(RefusalClass::Greylist),
        FailureReason::Tls
        | FailureReason::Dns
        | FailureReason::ConnectionRefused
        | FailureReason::ConnectionTimeout
        | FailureReason::LostConnection
        | FailureReason::HostUnreachable => Some(RefusalClass::Network),
        // Our own doing, or nobody's.
        FailureReason::AuthRequired
        | FailureReason::Loop
        | FailureReason::Expired
        | FailureReason::Other => None,
    }
}
