//! Where a request comes from (8.3, last paragraph), and lists of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// A list of addresses as administrators write it: entries separated by comma, semicolon or blank, each an address, a CIDR
/// block (`10.0.0.0/8`, `2001:db8::/32`), an address with a mask (`10.1.0.0/255.255.0.0`) or an IPv4 wildcard (`10.1.*.*`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressList(Vec<Block>);

/// An entry of an address list that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address, a block, a mask or a wildcard")]
pub struct BadAddress(pub String);

/// Addresses that agree with `bits` wherever `mask` has a one. IPv4 stands among IPv6 as its mapped form, which makes an
/// address and its mapped form the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    bits: u128,
    mask: u128,
}

/// `::ffff:0:0/96`, where IPv4 stands among IPv6.
const MAPPED: Block = Block { bits: 0xffff << 32, mask: u128::MAX << 32 };

impl Block {
    const fn covers(self, bits: u128) -> bool {
        (bits ^ self.bits) & self.mask == 0
    }

    fn contains(self, bits: u128) -> bool {
        // A short IPv6 prefix such as ::/0 would cover the mapped addresses too; they count as IPv4.
        self.covers(bits) && MAPPED.covers(bits) == MAPPED.covers(self.bits)
    }

    fn of_prefix(address: IpAddr, length: u32) -> Option<Self> {
        let (width, before) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let ones = (length <= width).then_some(before + length)?;
        Some(Self { bits: bits(address), mask: u128::MAX.checked_shl(128 - ones).unwrap_or(0) })
    }

    fn of_mask(address: IpAddr, mask: IpAddr) -> Option<Self> {
        let mask = match (address, mask) {
            (IpAddr::V4(_), IpAddr::V4(mask)) => MAPPED.mask | u128::from(mask.to_bits()),
            (IpAddr::V6(_), IpAddr::V6(mask)) => mask.to_bits(),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        };
        Some(Self { bits: bits(address), mask })
    }

    fn of_wildcard(text: &str) -> Option<Self> {
        let mut address = [0; 4];
        let mut mask = [0; 4];
        let mut parts = text.split('.');
        for (octet, ones) in address.iter_mut().zip(&mut mask) {
            let part = parts.next()?;
            if part != "*" {
                // No sign and no leading zero: in other readers that is an octal number.
                *octet = part.parse().ok().filter(|n: &u8| n.to_string() == part)?;
                *ones = u8::MAX;
            }
        }
        if parts.next().is_some() {
            return None;
        }
        Self::of_mask(Ipv4Addr::from(address).into(), Ipv4Addr::from(mask).into())
    }

    fn parse(text: &str) -> Option<Self> {
        let Some((address, size)) = text.split_once('/') else {
            return match text.parse::<IpAddr>() {
                Ok(address) => Some(Self { bits: bits(address), mask: u128::MAX }),
                Err(_) => Self::of_wildcard(text),
            };
        };
        let address = address.parse::<IpAddr>().ok()?;
        if !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit()) {
            Self::of_prefix(address, size.parse().ok()?)
        } else {
            Self::of_mask(address, size.parse().ok()?)
        }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => Ipv6Addr::to_bits(v6),
    }
}

impl AddressList {
    /// Whether the address is in one of the entries; of none in an empty list.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        self.0.iter().any(|block| block.contains(bits))
    }
}

impl FromStr for AddressList {
    type Err = BadAddress;

    /// Reads a list; text without an entry is an empty one.
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let entries = text.split([',', ';', ' ', '\t', '\r', '\n']).filter(|entry| !entry.is_empty());
        entries.map(|entry| Block::parse(entry).ok_or_else(|| BadAddress(entry.to_owned()))).collect::<Result<_, _>>().map(Self)
    }
}

/// The visitor's address: the platform's own word for it (`source_ip` of the request context), or, where trusted proxies
/// stand before us, the right-most address of `X-Forwarded-For` that is not one of them (8.3). IPv4-mapped IPv6 is
/// returned as IPv4.
///
/// Several `X-Forwarded-For` headers are to be joined with commas. The walk ends at the first entry that is no address:
/// what stands left of it nobody vouches for, so the hop right of it is the answer, as is the left-most one where all
/// are trusted. `None` when `source_ip` is no address.
#[must_use]
pub fn client_address(source_ip: &str, forwarded_for: Option<&str>, trusted: &AddressList) -> Option<IpAddr> {
    let mut client = hop(source_ip)?;
    for text in forwarded_for.unwrap_or_default().rsplit(',') {
        if !trusted.contains(client) {
            break;
        }
        let Some(address) = hop(text) else { break };
        client = address;
    }
    Some(client)
}

/// An address, with or without the port that some proxies add.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(list: &str, address: &str) -> bool {
        list.parse::<AddressList>().unwrap().contains(address.parse().unwrap())
    }

    fn client(source: &str, forwarded: &str, trusted: &str) -> Option<String> {
        client_address(source, Some(forwarded), &trusted.parse().unwrap()).map(|address| address.to_string())
    }

    #[test]
    fn single_address_contains_itself() {
        assert!(contains("10.1.2.3", "10.1.2.3"));
        assert!(!contains("10.1.2.3", "10.1.2.4"));
        assert!(contains("2001:DB8::1", "2001:db8:0::1"));
        assert!(!contains("2001:db8::1", "2001:db8::2"));
    }

    #[test]
    fn cidr_block_contains_its_range() {
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        // Bits behind the prefix do not matter.
        assert!(contains("10.1.2.3/16", "10.1.9.9"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(contains("10.1.2.3/32", "10.1.2.3"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("2001:db8::1/128", "2001:db8::1"));
    }

    #[test]
    fn dotted_mask_contains_its_range() {
        assert!(contains("10.1.0.0/255.255.0.0", "10.1.200.7"));
        assert!(!contains("10.1.0.0/255.255.0.0", "10.2.0.1"));
        assert!(contains("2001:db8::/ffff:ffff::", "2001:db8:1::1"));
    }

    #[test]
    fn wildcard_contains_any_octet() {
        assert!(contains("10.1.*.*", "10.1.200.7"));
        assert!(!contains("10.1.*.*", "10.2.0.1"));
        assert!(contains("10.*.3.*", "10.9.3.1"));
        assert!(!contains("*.*.*.*", "2001:db8::1"));
    }

    #[test]
    fn list_is_separated_by_comma_semicolon_or_blank() {
        for address in ["10.0.0.1", "10.0.0.2", "192.168.5.5", "::1"] {
            assert!(contains("10.0.0.1,10.0.0.2; 192.168.0.0/16 \t::1", address), "{address}");
        }
        assert!(!contains("10.0.0.1,10.0.0.2", "10.0.0.3"));
        assert!(!contains(" ,; ", "10.0.0.3"));
    }

    #[test]
    fn mapped_ipv6_is_compared_as_ipv4() {
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("::ffff:10.1.2.3", "10.1.2.3"));
        assert!(contains("::ffff:10.0.0.0/104", "10.9.9.9"));
        assert!(!contains("::/0", "10.1.2.3"));
        assert!(!contains("::/0", "::ffff:10.1.2.3"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
    }

    #[test]
    fn entry_that_cannot_be_read_is_named() {
        for entry in [
            "10.0.0",
            "10.0.0.256",
            "10.0.0.01",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0.0/ffff::",
            "2001:db8::/129",
            "2001:db8::/255.255.0.0",
            "10.1.*",
            "10.1.*.*.*",
            "10.1.2*.3",
            "10.1.*.+3",
            "10.1.*.03",
            "10.1.*.0/16",
            "fe80::1%eth0",
            "host.example",
        ] {
            assert_eq!(format!("127.0.0.1 {entry}").parse::<AddressList>(), Err(BadAddress(entry.to_owned())));
        }
    }

    #[test]
    fn without_trusted_proxies_the_platforms_word_counts() {
        assert_eq!(client("203.0.113.9", "10.0.0.1", "").as_deref(), Some("203.0.113.9"));
        assert_eq!(client_address("nobody", Some("10.0.0.1"), &AddressList::default()), None);
        assert_eq!(client("::ffff:203.0.113.9", "", "").as_deref(), Some("203.0.113.9"));
    }

    #[test]
    fn right_most_address_that_is_no_proxy_is_the_client() {
        let proxies = "10.0.0.0/8";
        assert_eq!(client("10.0.0.1", "198.51.100.7", proxies).as_deref(), Some("198.51.100.7"));
        assert_eq!(client("10.0.0.1", "1.1.1.1, 198.51.100.7, 10.0.0.2", proxies).as_deref(), Some("198.51.100.7"));
        assert_eq!(client("10.0.0.1", "2001:db8::7", proxies).as_deref(), Some("2001:db8::7"));
        assert_eq!(client("10.0.0.1", "198.51.100.7:4711", proxies).as_deref(), Some("198.51.100.7"));
        assert_eq!(client("10.0.0.1", "[2001:db8::7]:4711", proxies).as_deref(), Some("2001:db8::7"));
    }

    #[test]
    fn header_of_a_caller_that_is_no_proxy_is_ignored() {
        assert_eq!(client("203.0.113.9", "198.51.100.7", "10.0.0.0/8").as_deref(), Some("203.0.113.9"));
    }

    #[test]
    fn walk_ends_where_nobody_vouches() {
        let proxies = "10.0.0.0/8";
        assert_eq!(client("10.0.0.1", "198.51.100.7, unknown, 10.0.0.2", proxies).as_deref(), Some("10.0.0.2"));
        assert_eq!(client("10.0.0.1", "10.0.0.3, 10.0.0.2", proxies).as_deref(), Some("10.0.0.3"));
        assert_eq!(client("10.0.0.1", "", proxies).as_deref(), Some("10.0.0.1"));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(?s).{0,40}|[0-9a-f:.*/ ,;]{0,40}", forwarded in "[0-9a-f:., \\[\\]]{0,40}") {
            if let Ok(list) = text.parse::<AddressList>() {
                let _ = list.contains(Ipv4Addr::LOCALHOST.into());
                let _ = client_address("127.0.0.1", Some(&forwarded), &list);
            }
        }
    }
}
