//! What str0m leaves out of its answers, and clients do not take them without.

/// Gives each section of an answer a format, as its grammar asks (RFC 8866, section 9): str0m gives
/// those that it rejects none, and clients refuse the whole then. It is the first that was offered
/// there, with its name; of a rejected section neither says anything (RFC 3264, section 6).
pub(crate) fn complete(answer: &str, offer: &str) -> String {
    let mut offered = offer.split("\nm=").skip(1);
    let mut whole = String::with_capacity(answer.len() + 64);
    // It comes behind what str0m says of the section.
    let mut name = None;
    for line in answer.lines().map(str::trim_end) {
        if !line.starts_with("m=") {
            push_line(&mut whole, line);
            continue;
        }
        name.take()
            .into_iter()
            .for_each(|name| push_line(&mut whole, name));
        let section = offered.next().unwrap_or_default();
        if line.split_ascii_whitespace().count() >= 4 {
            push_line(&mut whole, line);
            continue;
        }
        let format = section.split_ascii_whitespace().nth(3).unwrap_or("0");
        push_line(&mut whole, &format!("{line} {format}"));
        let start = format!("a=rtpmap:{format} ");
        let mut lines = section.lines().map(str::trim_end);
        name = lines.find(|line| line.starts_with(&start));
    }
    name.into_iter()
        .for_each(|name| push_line(&mut whole, name));
    whole
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_section_has_the_format_that_was_offered() {
        let offer = "v=0\r\nm=audio 9 RTP 111 63\r\na=rtpmap:63 red/48000\r\na=rtpmap:111 opus/48000/2\r\n\
        m=video 9 RTP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 9 RTP 0\r\n";
        let answer =
            "v=0\r\nm=audio 0 RTP \r\na=mid:0\r\nm=video 9 RTP 96\r\na=mid:1\r\nm=audio 0 RTP\r\n";
        let whole = "v=0\r\nm=audio 0 RTP 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\nm=video 9 RTP 96\r\n\
        a=mid:1\r\nm=audio 0 RTP 0\r\n";
        assert_eq!(complete(answer, offer), whole);
        assert_eq!(
            complete("v=0\r\nm=audio 0 RTP\r\n", ""),
            "v=0\r\nm=audio 0 RTP 0\r\n"
        );
    }
}
