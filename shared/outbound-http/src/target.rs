//! Which targets may be called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// What a deployment calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetPolicy {
    /// Public addresses over HTTPS, nothing else.
    #[default]
    PublicHttps,
    /// Also this machine itself, there over plain HTTP too: for the local stack.
    LoopbackToo,
}

impl TargetPolicy {
    /// The policy of a deployment by its setting `DESKBRIDGE_ALLOW_LOOPBACK_TARGETS`.
    #[must_use]
    pub const fn new(allows_loopback: bool) -> Self {
        if allows_loopback { Self::LoopbackToo } else { Self::PublicHttps }
    }

    /// Whether the URL alone forbids nothing. A name still has to resolve to addresses that are allowed.
    #[must_use]
    pub fn allows_url(self, url: &Url) -> bool {
        if !url.username().is_empty() || url.password().is_some() {
            return false;
        }
        let (address, is_loopback) = match url.host() {
            Some(Host::Ipv4(ip)) => (Some(IpAddr::V4(ip)), ip.is_loopback()),
            Some(Host::Ipv6(ip)) => (Some(IpAddr::V6(ip)), ip.is_loopback()),
            Some(Host::Domain(name)) => (None, name == "localhost"),
            None => return false,
        };
        let scheme_fits = match url.scheme() {
            "https" => true,
            "http" => self == Self::LoopbackToo && is_loopback,
            _ => false,
        };
        scheme_fits && address.is_none_or(|ip| self.allows_address(ip))
    }

    /// Whether a connection to this address may be made.
    pub(crate) fn allows_address(self, ip: IpAddr) -> bool {
        if ip.is_loopback() {
            return self == Self::LoopbackToo;
        }
        match ip {
            IpAddr::V4(ip) => is_public_v4(ip),
            IpAddr::V6(ip) => is_public_v6(ip),
        }
    }
}

/// Not one of the blocks that the IANA IPv4 Special-Purpose Address Registry marks as not globally reachable.
const fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(matches!(
        (a, b, c),
        // This network, private, loopback.
        (0 | 10 | 127, ..)
        // Shared by carriers (RFC 6598).
        | (100, 64..=127, _)
        // Link-local, with the metadata service at 169.254.169.254.
        | (169, 254, _)
        | (172, 16..=31, _)
        // Protocol assignments, documentation, retired relays.
        | (192, 0, 0 | 2)
        | (192, 88, 99)
        | (192, 168, _)
        // Benchmarks, documentation.
        | (198, 18..=19, _)
        | (198, 51, 100)
        | (203, 0, 113)
        // Multicast, reserved, broadcast.
        | (224..=255, ..)
    ))
}

/// Global unicast, without the blocks of it that are for documentation or wrap an IPv4 address. The one wrapping that
/// is followed is that of a NAT64 gateway (RFC 6052), by the rules of the address inside.
const fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments with Teredo, documentation, 6to4, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url_is_allowed(policy: TargetPolicy, url: &str) -> bool {
        policy.allows_url(&Url::parse(url).unwrap())
    }

    #[test]
    fn address_table_is_kept() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.0.0.1",
            "128.0.0.1",
            "169.253.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.0.1",
            "192.169.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "64:ff9b::101:101",
        ] {
            for policy in [TargetPolicy::PublicHttps, TargetPolicy::LoopbackToo] {
                assert!(policy.allows_address(public.parse().unwrap()), "{public}");
            }
        }
        for forbidden in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:1.1.1.1",
            "::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            for policy in [TargetPolicy::PublicHttps, TargetPolicy::LoopbackToo] {
                assert!(!policy.allows_address(forbidden.parse().unwrap()), "{forbidden}");
            }
        }
        for loopback in ["127.0.0.1", "127.255.255.255", "::1"] {
            assert!(!TargetPolicy::PublicHttps.allows_address(loopback.parse().unwrap()), "{loopback}");
            assert!(TargetPolicy::LoopbackToo.allows_address(loopback.parse().unwrap()), "{loopback}");
        }
    }

    #[test]
    fn url_table_is_kept() {
        for (url, public, local) in [
            ("https://example.com/path", true, true),
            ("https://example.com:8443/", true, true),
            ("https://1.1.1.1/", true, true),
            ("https://[2606:4700::1111]/", true, true),
            ("https://localhost/", true, true),
            ("https://127.0.0.1/", false, true),
            ("http://127.0.0.1:9101/", false, true),
            ("http://[::1]:9101/", false, true),
            ("http://localhost:9101/", false, true),
            // Other spellings of the same addresses.
            ("https://2130706433/", false, true),
            ("https://0x7f.1/", false, true),
            ("https://0251.0376.0251.0376/", false, false),
            ("https://169.254.169.254./", false, false),
            ("https://[::ffff:7f00:1]/", false, false),
            ("http://example.com/", false, false),
            ("http://1.1.1.1/", false, false),
            ("https://10.0.0.1/", false, false),
            ("http://192.168.0.1/", false, false),
            ("https://user@example.com/", false, false),
            ("https://user:word@example.com/", false, false),
            ("https://:word@example.com/", false, false),
            ("ftp://example.com/", false, false),
            ("file:///etc/passwd", false, false),
            ("data:text/plain,x", false, false),
        ] {
            assert_eq!(url_is_allowed(TargetPolicy::PublicHttps, url), public, "{url}");
            assert_eq!(url_is_allowed(TargetPolicy::LoopbackToo, url), local, "{url}");
        }
    }
}
