//! The header `Transport` (RFC 2326, section 12.39): what a client offers, and what it gets.

use std::net::IpAddr;

/// Ports below are of other programs of the client's host, or of others behind its router.
pub(crate) const FIRST_CLIENT_PORT: u16 = 1024;

/// How packets go to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// To these ports of its address.
    Udp {
        /// That of RTP.
        rtp_port: u16,
        /// That of RTCP.
        rtcp_port: u16,
    },
    /// Between the messages of the connection, on these channels.
    Interleaved {
        /// That of RTP.
        rtp: u8,
        /// That of RTCP.
        rtcp: u8,
    },
    /// To a group, to which others listen, too.
    Multicast,
}

/// What the client is told of the server's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerSide {
    /// The ports of RTP and RTCP.
    Udp {
        /// That of RTP.
        rtp_port: u16,
        /// That of RTCP.
        rtcp_port: u16,
    },
    /// There is nothing to say.
    Interleaved,
    /// Where to listen.
    Multicast {
        /// The group.
        group: IpAddr,
        /// The port of RTP; RTCP has the next one.
        port: u16,
        /// How many routers packets pass.
        ttl: u8,
    },
}

/// Which of the ways there are of getting packets to this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ways {
    /// Its address, where it has one: packets go nowhere else.
    pub(crate) address: Option<IpAddr>,
    /// The camera is sent to a group.
    pub(crate) has_group: bool,
}

/// Gives the first of a client's offers that can be taken, as it was written down to its
/// parameters.
pub(crate) fn choose(header: &str, ways: Ways) -> Option<(Transport, &str)> {
    header
        .split(',')
        .find_map(|offer| choose_one(offer.trim(), ways))
}

fn choose_one(offer: &str, ways: Ways) -> Option<(Transport, &str)> {
    let (protocol, parameters) = offer.split_once(';').unwrap_or((offer, ""));
    let parameter = |name: &str| {
        parameters.split(';').find_map(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (key.trim().eq_ignore_ascii_case(name)).then_some(value.trim())
        })
    };
    let mode = parameter("mode").map(|mode| mode.trim_matches('"').to_ascii_uppercase());
    if mode.is_some_and(|mode| mode != "PLAY") || !is_own(parameter("destination"), ways) {
        return None;
    }
    let protocol = protocol.trim();
    let is = |known: &str| protocol.eq_ignore_ascii_case(known);
    if is("RTP/AVP/TCP") {
        let (rtp, rtcp) = match parameter("interleaved") {
            Some(range) => pair(range)?,
            None => (0, 1),
        };
        return (rtp != rtcp).then_some((Transport::Interleaved { rtp, rtcp }, protocol));
    }
    if !is("RTP/AVP") && !is("RTP/AVP/UDP") {
        return None;
    }
    // Multicast is what is meant where nothing is said; but clients that say their ports mean them.
    if parameter("multicast").is_some() {
        return ways.has_group.then_some((Transport::Multicast, protocol));
    }
    ways.address?;
    let (rtp_port, rtcp_port) = pair(parameter("client_port")?)?;
    let is_free = |port| port >= FIRST_CLIENT_PORT;
    let can_be = rtp_port != rtcp_port && is_free(rtp_port) && is_free(rtcp_port);
    let transport = Transport::Udp {
        rtp_port,
        rtcp_port,
    };
    can_be.then_some((transport, protocol))
}

/// Says whether a client names itself, or nobody: packets for others would be an attack on them.
fn is_own(destination: Option<&str>, ways: Ways) -> bool {
    destination.is_none_or(|destination| {
        let named = destination.trim_matches(['"', '[', ']']).parse::<IpAddr>();
        // Some say that they want a destination, and leave it to the server which.
        destination.is_empty()
            || named.is_ok_and(|named| {
                ways.address.map(|own| own.to_canonical()) == Some(named.to_canonical())
            })
    })
}

/// Two numbers, `A-B`; the second is the next one where it is not given.
fn pair<N: std::str::FromStr + Copy + TryFrom<u32> + Into<u32>>(range: &str) -> Option<(N, N)> {
    let (first, second) = range.split_once('-').unwrap_or((range, ""));
    let first: N = first.trim().parse().ok()?;
    let second = match second.trim() {
        "" => N::try_from(first.into() + 1).ok()?,
        second => second.parse().ok()?,
    };
    Some((first, second))
}

/// What the header of the response says. `ssrc` comes last, in eight digits: clients are known that
/// stumble over it elsewhere.
pub(crate) fn answer(protocol: &str, transport: Transport, side: ServerSide, ssrc: u32) -> String {
    let ours = match (transport, side) {
        (
            Transport::Udp {
                rtp_port,
                rtcp_port,
            },
            ServerSide::Udp {
                rtp_port: own_rtp,
                rtcp_port: own_rtcp,
            },
        ) => format!("unicast;client_port={rtp_port}-{rtcp_port};server_port={own_rtp}-{own_rtcp}"),
        (_, ServerSide::Multicast { group, port, ttl }) => {
            let rtcp = port.saturating_add(1);
            format!("multicast;destination={group};port={port}-{rtcp};ttl={ttl}")
        }
        (Transport::Interleaved { rtp, rtcp }, _) => format!("unicast;interleaved={rtp}-{rtcp}"),
        _ => "unicast".to_owned(),
    };
    format!("{protocol};{ours};ssrc={ssrc:08X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: Option<Transport> = Some(Transport::Udp {
        rtp_port: 5000,
        rtcp_port: 5001,
    });
    const TCP: Option<Transport> = Some(Transport::Interleaved { rtp: 0, rtcp: 1 });

    fn ways() -> Ways {
        Ways {
            address: Some("192.0.2.1".parse().unwrap()),
            has_group: false,
        }
    }

    fn chosen(header: &str) -> Option<Transport> {
        choose(header, ways()).map(|(transport, _)| transport)
    }

    #[test]
    fn the_first_offer_that_can_be_taken_is() {
        for (header, expected) in [
            ("RTP/AVP;unicast;client_port=5000-5001", UDP),
            ("RTP/AVP/UDP;unicast;client_port=5000", UDP),
            ("rtp/avp; client_port=5000-5001;mode=\"PLAY\"", UDP),
            ("RTP/AVP/TCP;unicast;interleaved=0-1", TCP),
            ("RTP/AVP/TCP;unicast", TCP),
            (
                "RTP/AVP;multicast,RTP/SAVP;unicast;client_port=5000-5001,RTP/AVP/TCP;interleaved=0-1",
                TCP,
            ),
            (
                "RTP/AVP;unicast;client_port=5000-5001;destination=192.0.2.1",
                UDP,
            ),
            (
                "RTP/AVP;unicast;client_port=5000-5001;destination=::ffff:192.0.2.1",
                UDP,
            ),
            (
                "RTP/AVP;unicast;client_port=5000-5001;destination=192.0.2.2",
                None,
            ),
            (
                "RTP/AVP;unicast;client_port=5000-5001;destination=example.org",
                None,
            ),
            ("RTP/AVP;unicast;client_port=53-54", None),
            ("RTP/AVP;unicast;client_port=5000-5000", None),
            ("RTP/AVP;unicast;client_port=65535", None),
            ("RTP/AVP;unicast", None),
            ("RTP/AVP;multicast", None),
            ("RTP/AVP/TCP;interleaved=255", None),
            ("RTP/AVP/TCP;interleaved=256-257", None),
            ("RTP/AVP/TCP;interleaved=0-1;mode=record", None),
            ("MP2T/H2221/UDP;unicast;client_port=5000-5001", None),
            ("", None),
        ] {
            assert_eq!(chosen(header), expected, "{header}");
        }
        let nowhere = Ways {
            address: None,
            has_group: true,
        };
        assert_eq!(
            choose("RTP/AVP;unicast;client_port=5000-5001", nowhere),
            None
        );
        let multicast = choose("RTP/AVP;multicast;destination=", nowhere);
        assert_eq!(multicast, Some((Transport::Multicast, "RTP/AVP")));
    }

    #[test]
    fn the_answer_ends_with_eight_digits_of_the_ssrc() {
        let side = ServerSide::Udp {
            rtp_port: 40000,
            rtcp_port: 40001,
        };
        assert_eq!(
            answer("RTP/AVP/UDP", UDP.unwrap(), side, 0xBEEF),
            "RTP/AVP/UDP;unicast;client_port=5000-5001;server_port=40000-40001;ssrc=0000BEEF"
        );
        assert_eq!(
            answer("RTP/AVP/TCP", TCP.unwrap(), ServerSide::Interleaved, 1),
            "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00000001"
        );
        let side = ServerSide::Multicast {
            group: "239.10.0.1".parse().unwrap(),
            port: 5004,
            ttl: 2,
        };
        assert_eq!(
            answer("RTP/AVP", Transport::Multicast, side, 1),
            "RTP/AVP;multicast;destination=239.10.0.1;port=5004-5005;ttl=2;ssrc=00000001"
        );
    }
}
