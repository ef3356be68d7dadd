//! What smtpd, smtp and lmtp say of TLS; recognised, not yet counted.
//!
//! Source: postfix tls/tls_misc.c tls_log_summary, tls/tls_{client,server,verify}.c,
//! tls/tlsrpt_wrapper.c (3.10).

/// Lines of `smtp(d)_tls_loglevel` 1 and 2, and its troubles.
pub(super) fn is_tls(message: &[u8]) -> bool {
    const STARTS: &[&[u8]] = &[
        b"Anonymous TLS connection ",
        b"Untrusted TLS connection ",
        b"Trusted TLS connection ",
        b"Verified TLS connection ",
        b"TLS connection established ",
        b"setting up TLS connection ",
        b"initializing the ",
        b"SSL_accept error from ",
        b"SSL_connect error to ",
        b"SSL_accept:",
        b"SSL_connect:",
        b"SSL3 alert ",
        b"certificate verification failed for ",
        b"client certificate verification failed for ",
        b"server certificate verification failed for ",
        b"certificate peer name verification failed for ",
        b"fingerprint=",
        b"Unverified: subject_CN=",
        b"Verified: subject_CN=",
        b"Host offered STARTTLS: [",
        b"TLSRPT: ",
        b"TLS SNI ",
        b"TLS protocol trace ",
        b"skipping TLS trace ",
        b"cannot load Certification Authority data",
        b"cannot set default OpenSSL certificate ",
        b"save session ",
        b"looking for session ",
        b"reloaded session ",
        b"remove session ",
        b"subject=",
        b"issuer=",
        b"Verified ",
        b"SSL_set_fd error ",
    ];
    STARTS.iter().any(|start| message.starts_with(start)) || of_a_peer(message)
}

/// `host[address]:25: subject_CN=...`.
fn of_a_peer(message: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b": subject_CN=",
        b": TLS cipher list ",
        b": depth=",
        b": verify=",
        b": raw public key fingerprint=",
        b": Reusing old session",
        b": re-using session ",
        b": SNI hostname: ",
        b": matched peername: ",
        b": Matched ",
        b": Issuing session ticket",
        b": Decrypting session ticket",
        b": save session ",
        b": looking up session ",
        b": reloaded session ",
        b": remove session ",
        b": certificate verification ",
        b": fingerprint=",
        b": issuer=",
        b": subject=",
        b": CommonName ",
        b": Trusted: subject_CN=",
    ];
    let Some(at) = memchr::memchr(b']', message) else {
        return false;
    };
    let Some(rest) = message.get(at + 1..) else {
        return false;
    };
    let port = rest.strip_prefix(b":").unwrap_or_default();
    let digits = port.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = if digits > 0 {
        port.get(digits..).unwrap_or_default()
    } else {
        rest
    };
    WORDS.iter().any(|word| rest.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for line in [
            "Anonymous TLS connection established from unknown[192.0.2.7]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
            "Trusted TLS connection reused to mx.example.com[192.0.2.25]:25: TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
            "TLS connection established from unknown[192.0.2.7]: TLSv1 with cipher DHE-RSA-AES256-SHA (256/256 bits)",
            "SSL_accept error from unknown[192.0.2.7]: lost connection",
            "certificate verification failed for mx.example.com[192.0.2.25]:25: untrusted issuer /CN=x",
            "mx.example.com[192.0.2.25]:25: subject_CN=x, issuer=y, fingerprint=z, pkey_fingerprint=q",
            "unknown[192.0.2.7]: TLS cipher list \"aNULL\"",
            "TLSRPT: status=success, domain=example.com, receiving_mx=mx[192.0.2.25]",
            "Host offered STARTTLS: [mx.example.com]",
        ] {
            assert!(is_tls(line.as_bytes()), "{line}");
        }
        assert!(!is_tls(b"connect from unknown[192.0.2.7]"));
        assert!(!is_tls(b"x]: something"));
    }
}
