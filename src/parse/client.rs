//! `name[address]:port`: how Postfix writes who stands at the other end.
//!
//! Postfix accepts only valid host names as names, so the first `[` ends it, and the address is
//! its own. A text that has a space before the `[` is not of this shape.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cursor::Cursor;
use super::event::Client;

/// Source: postfix smtpd/smtpd_peer.c; `:port` with `smtpd_client_port_logging`.
#[inline]
pub(crate) fn client<'a>(cursor: &mut Cursor<'a>) -> Option<Client<'a>> {
    let text = cursor.rest();
    let at = if text.starts_with(b"unknown[") {
        b"unknown".len()
    } else {
        memchr::memchr2(b'[', b' ', text)?
    };
    let (name, rest) = text.split_at_checked(at)?;
    let rest = rest.strip_prefix(b"[")?;
    let (address, rest) = match address4(rest) {
        Some((address, rest)) => (Some(IpAddr::V4(address)), rest),
        None => odd_address(rest)?,
    };
    let mut port = None;
    *cursor = Cursor::new(rest);
    if let [b':', b'0'..=b'9', ..] = rest {
        cursor.eat(b":");
        port = u16::try_from(cursor.number()?).ok();
    }
    Some(Client {
        name,
        address,
        port,
    })
}

/// Any other address, or a word in its place, and what stands behind its `]`.
fn odd_address(text: &[u8]) -> Option<(Option<IpAddr>, &[u8])> {
    let mut cursor = Cursor::new(text);
    let inside = cursor.until_byte(b']')?;
    let address = address(inside);
    if address.is_none() && memchr::memchr(b' ', inside).is_some() {
        return None;
    }
    Some((address, cursor.rest()))
}

/// `192.0.2.1]`, and what stands behind it.
#[inline]
pub(crate) fn address4(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (a, rest) = octet(text, b'.')?;
    let (b, rest) = octet(rest, b'.')?;
    let (c, rest) = octet(rest, b'.')?;
    let (d, rest) = octet(rest, b']')?;
    Some((Ipv4Addr::from_bits(a << 24 | b << 16 | c << 8 | d), rest))
}

/// One to three digits, up to 255, and their end: four bytes at once.
#[inline(always)]
fn octet(text: &[u8], end: u8) -> Option<(u32, &[u8])> {
    const ONES: u32 = u32::from_ne_bytes([1; 4]);
    let word = match text.first_chunk::<4>() {
        Some(bytes) => u32::from_le_bytes(*bytes),
        None => last_bytes(text),
    } ^ (ONES * 0x30);
    let high = ONES * 0x80;
    let others = (((word & !high) + ONES * (0x80 - 10)) | word) & high;
    let length = others.trailing_zeros() / 8;
    if !(1..=3).contains(&length) || (word >> (8 * length)) as u8 != end ^ 0x30 {
        return None;
    }
    // Hundreds, tens, ones, from the lowest byte on.
    let digits = word << (32 - 8 * length) >> 8;
    if digits.swap_bytes() > 0x02_05_05_00 {
        return None;
    }
    let octet = digits.wrapping_mul(100 << 16 | 10 << 8 | 1) >> 16 & 0xff;
    Some((octet, text.get(length as usize + 1..)?))
}

/// As a word whose missing bytes are zero.
#[inline]
fn last_bytes(text: &[u8]) -> u32 {
    match *text {
        [a, b] => u32::from_le_bytes([a, b, 0, 0]),
        [a, b, c] => u32::from_le_bytes([a, b, c, 0]),
        _ => 0,
    }
}

/// An address as Postfix prints it; also with the `IPv6:` of RFC 5321, or a zone.
#[inline]
pub(crate) fn address(text: &[u8]) -> Option<IpAddr> {
    let mut value: u32 = 0;
    let mut octet: u32 = 0;
    let mut digits = 0;
    let mut dots = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            octet = octet.wrapping_mul(10).wrapping_add(u32::from(digit));
            digits += 1;
        } else if byte == b'.' && matches!(digits, 1..=3) && octet <= 255 && dots < 3 {
            value = value << 8 | octet;
            octet = 0;
            digits = 0;
            dots += 1;
        } else {
            return address6(text);
        }
    }
    if dots == 3 && matches!(digits, 1..=3) && octet <= 255 {
        Some(IpAddr::V4(Ipv4Addr::from_bits(value << 8 | octet)))
    } else {
        address6(text)
    }
}

fn address6(text: &[u8]) -> Option<IpAddr> {
    let text = text.strip_prefix(b"IPv6:").unwrap_or(text);
    let text = match memchr::memchr(b'%', text) {
        Some(at) => text.get(..at)?,
        None => text,
    };
    // The longest text of an IPv6 address; keeps hostile lengths away from the checks below.
    if text.len() > 45 {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(Client<'_>, &[u8])> {
        let mut cursor = Cursor::new(text.as_bytes());
        let client = client(&mut cursor)?;
        Some((client, cursor.rest()))
    }

    #[test]
    fn shapes() {
        let of = |text: &'static str, name: &str, address: &str, port: Option<u16>, rest: &str| {
            let (client, left) = read(text).unwrap();
            assert_eq!(client.name, name.as_bytes(), "{text}");
            assert_eq!(client.address, address.parse().ok(), "{text}");
            assert_eq!(client.port, port, "{text}");
            assert_eq!(left, rest.as_bytes(), "{text}");
        };
        of(
            "mail.example.com[192.0.2.1]",
            "mail.example.com",
            "192.0.2.1",
            None,
            "",
        );
        of(
            "unknown[192.0.2.1]:4711: SASL",
            "unknown",
            "192.0.2.1",
            Some(4711),
            ": SASL",
        );
        of("unknown[unknown]", "unknown", "-", None, "");
        of("h[2001:db8::1] ehlo=1", "h", "2001:db8::1", None, " ehlo=1");
        of("h[::1]", "h", "::1", None, "");
        of("h[fe80::1%eth0]", "h", "fe80::1", None, "");
        of("h[IPv6:2001:db8::2]:25", "h", "2001:db8::2", Some(25), "");
        of("h[::ffff:192.0.2.9]", "h", "192.0.2.9", None, "");
        of("h[1.2.3.4]: 550", "h", "1.2.3.4", None, ": 550");
        of("h[256.1.1.1]", "h", "-", None, "");
        of("h[1.2.3]", "h", "-", None, "");
        of("h[1.2.3.4]:99999", "h", "1.2.3.4", None, "");
        assert!(read("some text [1.2.3.4]").is_none());
        assert!(read("h[1.2.3.4").is_none());
        assert!(read("h").is_none());
    }
}
