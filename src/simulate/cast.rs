//! The people, providers and strangers of the simulated world. All names are made up.

use super::random::Random;
use super::scene::{Route, Scene};
use super::session::{Client, Login};
use super::truth::Mechanism;

pub(super) const FIRST: [&str; 40] = [
    "anna", "bernd", "carla", "david", "elena", "felix", "greta", "hans", "ines", "jonas", "karin",
    "lukas", "maria", "nils", "olga", "paul", "rita", "simon", "tanja", "ulrich", "vera", "walter",
    "yvonne", "zoe", "arno", "birgit", "carsten", "doris", "emil", "frieda", "georg", "hanna",
    "ivan", "julia", "kurt", "lena", "martin", "nora", "otto", "petra",
];

pub(super) const LAST: [&str; 24] = [
    "berg", "fischer", "keller", "wolf", "brandt", "vogel", "sommer", "winter", "busch", "roth",
    "linden", "stein", "haas", "krug", "lorenz", "moser", "nagel", "peters", "quast", "reuter",
    "seidel", "thiel", "unger", "voss",
];

/// Names that guessers try at every server.
const GUESSES: [&str; 12] = [
    "info",
    "test",
    "admin",
    "office",
    "scanner",
    "backup",
    "postmaster",
    "sales",
    "support",
    "webmaster",
    "user",
    "noreply",
];

pub(super) fn guess(random: &mut Random, domain: &str) -> String {
    format!("{}@{domain}", random.pick(&GUESSES))
}

/// Domain, its server, the server's address. The first are the large providers.
const ELSEWHERE: [(&str, &str, &str); 24] = [
    ("bigmail.example", "mx1.bigmail.example", "198.51.100.10"),
    (
        "officemail.example",
        "mail-eu.protection.officemail.example",
        "198.51.100.20",
    ),
    ("freepost.example", "mx.freepost.example", "198.51.100.30"),
    ("webbox.example", "mx-in.webbox.example", "198.51.100.40"),
    ("kabelnet.example", "mx01.kabelnet.example", "198.51.100.51"),
    (
        "uni-north.example",
        "mailrelay.uni-north.example",
        "192.0.2.11",
    ),
    ("uni-south.example", "mx.uni-south.example", "192.0.2.21"),
    ("cityhall.example", "gate.cityhall.example", "192.0.2.31"),
    (
        "mueller-bau.example",
        "mail.mueller-bau.example",
        "192.0.2.41",
    ),
    (
        "dentist-lang.example",
        "mx.hosting-one.example",
        "192.0.2.50",
    ),
    (
        "cafe-central.example",
        "mx.hosting-one.example",
        "192.0.2.50",
    ),
    ("sportclub.example", "mx.hosting-two.example", "192.0.2.60"),
    (
        "bookstore.example",
        "inbound.bookstore.example",
        "192.0.2.71",
    ),
    (
        "parcel-line.example",
        "mx2.parcel-line.example",
        "192.0.2.81",
    ),
    (
        "insurance-nord.example",
        "mta.insurance-nord.example",
        "192.0.2.91",
    ),
    (
        "lawyers-am-tor.example",
        "mx.hosting-two.example",
        "192.0.2.60",
    ),
    (
        "steelworks.example",
        "mail1.steelworks.example",
        "192.0.2.101",
    ),
    ("orchestra.example", "mx.orchestra.example", "192.0.2.111"),
    (
        "school-west.example",
        "mail.school-west.example",
        "192.0.2.121",
    ),
    ("clinic-see.example", "mx.clinic-see.example", "192.0.2.131"),
    (
        "travel-desk.example",
        "smtp-in.travel-desk.example",
        "192.0.2.141",
    ),
    (
        "garden-shop.example",
        "mx.hosting-one.example",
        "192.0.2.50",
    ),
    (
        "software-hut.example",
        "mx.software-hut.example",
        "192.0.2.151",
    ),
    (
        "radio-local.example",
        "mx.radio-local.example",
        "192.0.2.161",
    ),
];

pub(super) const OFFICEMAIL: &str = "officemail.example";

/// Adds the sites that belong to others; returns their range in `Scene::sites`.
pub(super) fn add_elsewhere(scene: &mut Scene) -> std::ops::Range<usize> {
    let first = scene.sites.len();
    for (domain, server, address) in ELSEWHERE {
        let relay = registrable(server);
        scene.add_site(
            domain,
            Route::Smtp,
            &format!("{server}[{address}]"),
            ":25",
            relay,
        );
    }
    first..scene.sites.len()
}

/// Of a server's name here, where each registrable domain has two labels.
fn registrable(server: &str) -> &str {
    let mut dots = server.rmatch_indices('.').map(|(at, _)| at);
    match (dots.next(), dots.next()) {
        (Some(_), Some(at)) => &server[at + 1..],
        _ => server,
    }
}

pub(super) struct Account {
    pub address: String,
    pub login: Login,
    /// Where it sends from.
    pub homes: Vec<Client>,
    /// Whom it writes to: address and site.
    pub friends: Vec<(String, usize)>,
}

/// Writes an address that some person at a site might have.
pub(super) fn person_at(random: &mut Random, domain: &str) -> String {
    let (first, last) = (random.pick(&FIRST), random.pick(&LAST));
    match random.below(4) {
        0 => format!("{first}@{domain}"),
        1 => format!("{first}{}@{domain}", random.between(1, 99)),
        _ => format!("{first}.{last}@{domain}"),
    }
}

/// A client of a provider for homes, with a name or without.
pub(super) fn home(random: &mut Random) -> Client {
    let (b, c, d) = (random.below(256), random.below(256), random.between(1, 254));
    let a = *random.pick(&[77, 84, 91, 93, 178, 188, 212, 217]);
    let name = format!("p{a:02x}{b:02x}{c:02x}{d:02x}.dip.kabelnet.example");
    let helo = format!("[192.168.{}.{}]", random.below(4), random.between(2, 250));
    Client {
        name,
        address: format!("{a}.{b}.{c}.{d}"),
        helo,
    }
}

/// A client somewhere in the world whose address has no name.
pub(super) fn stranger(random: &mut Random) -> Client {
    let a = *random.pick(&[
        5, 14, 27, 36, 41, 45, 58, 61, 80, 89, 103, 113, 122, 141, 156, 185, 190,
    ]);
    let address = format!(
        "{a}.{}.{}.{}",
        random.below(256),
        random.below(256),
        random.between(1, 254)
    );
    let helo = match random.below(3) {
        0 => "User".to_owned(),
        1 => format!("[{address}]"),
        _ => format!("WIN-{:X}", random.below(1 << 32)),
    };
    Client {
        name: "unknown".to_owned(),
        address,
        helo,
    }
}

/// The server of a site as it connects to us.
pub(super) fn server_client(scene: &Scene, site: usize) -> Client {
    let server = scene.sites[site].server.as_str();
    let (name, address) = server.split_once('[').unwrap_or((server, ""));
    Client {
        name: name.to_owned(),
        address: address.trim_end_matches(']').to_owned(),
        helo: name.to_owned(),
    }
}

/// `count` accounts, shared out over `domains`, that know people at `elsewhere` and each other.
pub(super) fn accounts(
    scene: &mut Scene,
    count: usize,
    domains: &[usize],
    elsewhere: std::ops::Range<usize>,
) -> Vec<Account> {
    let mut addresses = Vec::new();
    for index in 0..count {
        let site = domains[index % domains.len()];
        let (first, last) = (FIRST[index % FIRST.len()], scene.random.pick(&LAST));
        let again = index / FIRST.len();
        let domain = &scene.sites[site].domain;
        let address = match again {
            0 => format!("{first}.{last}@{domain}"),
            _ => format!("{first}.{last}{again}@{domain}"),
        };
        addresses.push((address, site));
    }
    let mut accounts = Vec::new();
    for (address, _) in &addresses {
        let random = &mut scene.random;
        let homes = (0..random.between(1, 3)).map(|_| home(random)).collect();
        let mut friends = Vec::new();
        for _ in 0..random.between(8, 40) {
            if random.chance(250) {
                friends.push(random.pick(&addresses).clone());
            } else {
                let site = elsewhere.start + random.popular(elsewhere.len());
                friends.push((person_at(random, &scene.sites[site].domain), site));
            }
        }
        let mechanism = if random.chance(700) {
            Mechanism::Plain
        } else {
            Mechanism::Login
        };
        let user = scene.log.name(address);
        let login = Login {
            written: address.clone(),
            user,
            mechanism,
        };
        accounts.push(Account {
            address: address.clone(),
            login,
            homes,
            friends,
        });
    }
    accounts
}
