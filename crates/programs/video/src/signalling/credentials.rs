//! A client's name and password in ICE, as a restart tells them.

/// Name and password of one side of ICE.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The name.
    pub(crate) ufrag: String,
    /// The password.
    pub(crate) password: String,
}

impl Credentials {
    /// Gives them if they have the lengths and characters that RFC 8839 (section 5.4) allows.
    pub(crate) fn new(ufrag: &str, password: &str) -> Option<Self> {
        let is_ice = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        let fits =
            |text: &str, least| (least..=256).contains(&text.len()) && text.bytes().all(is_ice);
        (fits(ufrag, 4) && fits(password, 22)).then(|| Self {
            ufrag: ufrag.to_owned(),
            password: password.to_owned(),
        })
    }

    /// Gives a session description with these in the place of its own, once in each section that
    /// has any, and without the addresses that went with those.
    pub(crate) fn put_into(&self, description: &str) -> String {
        let mut text = String::with_capacity(description.len());
        let mut seen = [false; 2];
        for line in description.lines() {
            let (at, named) = match line.split_once(':').map_or(line, |(name, _)| name) {
                "a=candidate" | "a=end-of-candidates" => continue,
                "a=ice-ufrag" => (0, ["a=ice-ufrag:", &self.ufrag]),
                "a=ice-pwd" => (1, ["a=ice-pwd:", &self.password]),
                _ => {
                    if line.starts_with("m=") {
                        seen = [false; 2];
                    }
                    text.extend([line, "\r\n"]);
                    continue;
                }
            };
            if !std::mem::replace(&mut seen[at], true) {
                text.extend(named);
                text.push_str("\r\n");
            }
        }
        text
    }
}

impl std::fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.ufrag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_or_password_of_ice_is_refused() {
        let password = "vw5LmwG4y/e6dPP/zAP9Gp5k";
        assert!(Credentials::new("ysXw", password).is_some());
        let long = "a".repeat(257);
        for (ufrag, password) in [
            ("ysX", password),
            ("ysXw", "short"),
            ("ysX:", password),
            ("ysXw\r", password),
            (&long, password),
            ("ysXw", &long),
        ] {
            assert_eq!(Credentials::new(ufrag, password), None, "{ufrag}");
        }
    }

    #[test]
    fn a_description_gets_other_names_in_each_section_and_no_addresses() {
        let credentials = Credentials::new("ysXw", "vw5LmwG4y/e6dPP/zAP9Gp5k").unwrap();
        let offer = "v=0\r\nm=video 9 RTP 96\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\na=ice-pwd:b\r\n\
            a=ice-options:trickle\r\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n\
            a=end-of-candidates\r\nm=audio 9 RTP 0\r\na=ice-ufrag:a\r\n";
        let with = "v=0\r\nm=video 9 RTP 96\r\na=ice-ufrag:ysXw\r\n\
            a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\na=ice-options:trickle\r\n\
            m=audio 9 RTP 0\r\na=ice-ufrag:ysXw\r\n";
        assert_eq!(credentials.put_into(offer), with);
    }
}
