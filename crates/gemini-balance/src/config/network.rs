//! Networks in CIDR notation, and which addresses our own connections may go to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::config::reader::Kind;

pub(super) const NETWORK: Kind<Network> =
    Kind { form: "addresses or networks such as 10.0.0.0/8", parse: |text| text.parse() };

/// All addresses that share their first bits: `10.0.0.0/8`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Whether `address` belongs to it; an IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || "must be an address or a network such as 10.0.0.0/8".to_owned();
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| problem())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| problem())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then_some(Self { address, prefix }).ok_or_else(problem)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Which addresses a connection to the upstream may go to. Asked again for every address that a
/// name resolves to, so that a name cannot lead where a number may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The public internet.
    Public,
    /// Also this machine and private networks.
    Private,
}

/// Where cloud machines find their own credentials, and what is nobody's address.
const NEVER: [&str; 10] = [
    "0.0.0.0/8",
    "169.254.0.0/16",
    "100.100.100.200/32",
    "192.0.0.192/32",
    "224.0.0.0/3",
    "::/128",
    "fe80::/10",
    "fec0::/10",
    "fd00:ec2::254/128",
    "ff00::/8",
];

const PRIVATE: [&str; 7] = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "fc00::/7",
];

/// Prefix under which IPv6-only networks reach IPv4 addresses.
const NAT64: &str = "64:ff9b::/96";

impl Reach {
    /// Whether we may connect to `address`. Link-local and metadata addresses never are allowed.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        let address = untranslated(address.to_canonical());
        let is_in = |networks: &[&str]| networks.iter().any(|network| lies_in(address, network));
        match self {
            Self::Public => !is_in(&NEVER) && !is_in(&PRIVATE),
            Self::Private => !is_in(&NEVER),
        }
    }
}

fn untranslated(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(inner) if lies_in(address, NAT64) => {
            let [.., a, b, c, d] = inner.octets();
            IpAddr::from([a, b, c, d])
        }
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

fn lies_in(address: IpAddr, network: &str) -> bool {
    network.parse::<Network>().is_ok_and(|network| network.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_what_shares_its_first_bits() {
        check_contains("10.0.0.0/8", "10.255.0.1", true);
        check_contains("10.0.0.0/8", "11.0.0.1", false);
        check_contains("192.0.2.7", "192.0.2.7", true);
        check_contains("192.0.2.7", "192.0.2.8", false);
        check_contains("0.0.0.0/0", "203.0.113.9", true);
        check_contains("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check_contains("2001:db8::/32", "2001:db8:ffff::1", true);
        check_contains("2001:db8::/32", "2001:db9::1", false);
        check_contains("::/0", "10.0.0.1", false);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/-1", "example.org"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn private_addresses_need_a_wider_reach() {
        for address in
            ["127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1"]
        {
            check_reach(address, false, true);
        }
        check_reach("::ffff:127.0.0.1", false, true);
        check_reach("64:ff9b::7f00:1", false, true);
    }

    #[test]
    fn metadata_and_link_local_addresses_are_never_reached() {
        for address in [
            "169.254.169.254",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "fe80::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
        ] {
            check_reach(address, false, false);
        }
    }

    #[test]
    fn the_public_internet_is_always_reached() {
        check_reach("142.250.74.74", true, true);
        check_reach("2a00:1450:4001:80b::200a", true, true);
    }

    fn check_contains(network: &str, address: &str, expected: bool) {
        let network: Network = network.parse().unwrap();

        assert_eq!(network.contains(address.parse().unwrap()), expected, "{network} {address}");
    }

    fn check_reach(address: &str, is_public: bool, is_allowed: bool) {
        let parsed = address.parse().unwrap();

        assert_eq!(Reach::Public.allows(parsed), is_public, "{address}");
        assert_eq!(Reach::Private.allows(parsed), is_allowed, "{address}");
    }
}
