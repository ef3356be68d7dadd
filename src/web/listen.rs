//! Opens the port, and says what it means to open it.
//! In: an address. Out: a listener, or an error with its reason and its cure.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::net::TcpListener;

/// Why the port cannot be opened. [`BindError::why`] and [`BindError::fix`] are the two lines below it.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", reason(error))]
pub struct BindError {
    address: SocketAddr,
    error: io::Error,
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "address in use".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::AddrNotAvailable => "address not available".into(),
        _ => error.to_string(),
    }
}

impl BindError {
    pub fn why(&self) -> String {
        let port = self.address.port();
        match self.error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("another process, maybe another exporter, has port {port}")
            }
            io::ErrorKind::PermissionDenied if port < 1024 => {
                format!("ports below 1024, such as {port}, are for root")
            }
            io::ErrorKind::PermissionDenied => "a security policy forbids it".into(),
            io::ErrorKind::AddrNotAvailable => format!(
                "no interface of this host has the address {}",
                self.address.ip()
            ),
            _ => "the system refused".into(),
        }
    }

    pub fn fix(&self) -> String {
        let port = self.address.port();
        match self.error.kind() {
            io::ErrorKind::AddrInUse => format!("see who with: ss -ltnp sport = :{port}; or choose another with --web.listen-address"),
            io::ErrorKind::AddrNotAvailable => "take one that `ip address` shows for --web.listen-address, or :PORT for every interface".into(),
            _ => "choose another port with --web.listen-address, such as the default 127.0.0.1:10925".into(),
        }
    }
}

/// Listens on `address`. `[::]` is every interface, also where the host has no IPv6.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let error = match TcpListener::bind(address).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let lacks_ipv6 = matches!(
        error.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
    );
    if lacks_ipv6 && address.is_ipv6() && address.ip().is_unspecified() {
        let every_ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
        let bound = TcpListener::bind(every_ipv4).await;
        return bound.map_err(|error| BindError {
            address: every_ipv4,
            error,
        });
    }
    Err(BindError { address, error })
}

/// What to say when account names can be read from other hosts without a password.
pub fn exposure_warning(
    address: SocketAddr,
    shows_accounts: bool,
    has_authentication: bool,
) -> Option<String> {
    let is_loopback = address.ip().to_canonical().is_loopback();
    if is_loopback || !shows_accounts || has_authentication {
        return None;
    }
    Some(format!(
        "anyone who reaches {address} can read the names of your accounts: \
         restrict it with a firewall, or show less with --privacy.users=hash, domain or off"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_open_names_without_a_password_are_warned_of() {
        let warns = |address: &str, shows, has| {
            exposure_warning(address.parse().unwrap(), shows, has).is_some()
        };
        assert!(warns("[::]:10925", true, false));
        assert!(warns("192.0.2.1:10925", true, false));
        assert!(!warns("192.0.2.1:10925", true, true));
        assert!(!warns("192.0.2.1:10925", false, false));
        for loopback in [
            "127.0.0.1:10925",
            "127.8.8.8:1",
            "[::1]:10925",
            "[::ffff:127.0.0.1]:10925",
        ] {
            assert!(!warns(loopback, true, false), "{loopback}");
        }
    }
}
