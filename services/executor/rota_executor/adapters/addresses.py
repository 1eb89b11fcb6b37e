"""Which addresses of the network are everybody's, and which are somebody's own. Pure."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

# RFC 6052: the last four bytes are an IPv4 address that a translator connects to.
NAT64 = IPv6Network("64:ff9b::/96")
# What the tables of the language call global, and is not to be reached by a tool all the same.
OWN = tuple(
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # a cloud's platform, which hands out what belongs to the machine
        "192.0.0.0/24",  # protocol assignments; another cloud's metadata service
        "192.88.99.0/24",  # relays of 6to4
        "2002::/16",  # 6to4: holds an IPv4 address
        "fec0::/10",  # of a site
    )
)


def is_public(address: str) -> bool:
    """Whether everybody may be sent there: no address of a private or local network, none that holds one.

    What is reserved, local to a link or a site, a loopback, a multicast group or unspecified is none,
    the addresses of clouds' metadata services (169.254.169.254, fd00:ec2::254) among them.
    """
    ip = _meant(ip_address(address.partition("%")[0]))
    is_reserved = ip.is_multicast or ip.is_reserved
    return ip.is_global and not is_reserved and not any(ip in network for network in OWN)


def is_allowed(host: str, port: int, allowed: frozenset[str]) -> bool:
    """Whether `host` or `host:port` is among those, written as in a URL."""
    name = host.lower().rstrip(".")
    shown = f"[{name}]" if ":" in name else name
    return shown in allowed or f"{shown}:{port}" in allowed


def _meant(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one is another way to write, else itself."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip
