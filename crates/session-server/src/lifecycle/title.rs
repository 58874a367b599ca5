//! A default title for a session, made from the user agent.

use session_types::{Title, UserAgent};
use woothee::parser::Parser;

/// Returns a short title such as "Chrome 91 on macOS"; `None` for a user agent that is not a known browser's.
pub(crate) fn title_of(user_agent: &UserAgent) -> Option<Title> {
    let result = Parser::new().parse(user_agent.as_str())?;
    let known = |text: &str| !text.is_empty() && text != "UNKNOWN";
    if !known(result.name) {
        return None;
    }
    let mut title = result.name.to_owned();
    let major = result.version.split('.').next().unwrap_or_default();
    if known(major) {
        title.push(' ');
        title.push_str(major);
    }
    // By their current names.
    let system = match result.os {
        "Mac OSX" => "macOS",
        "iPhone" | "iPad" | "iPod" | "iOS" => "iOS",
        other if other.starts_with("Windows") && !other.starts_with("Windows Phone") => "Windows",
        other => other,
    };
    if known(system) {
        title.push_str(" on ");
        title.push_str(system);
    }
    Title::try_from(title).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_browsers_have_a_title_and_nothing_else_has() {
        for (agent, title) in [
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/91.0.4472.114 Safari/537.36",
                Some("Chrome 91 on macOS"),
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                Some("Firefox 140 on Linux"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
                Some("Edge 138 on Windows"),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.5 Mobile/15E148 Safari/604.1",
                Some("Safari 18 on iOS"),
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/138.0.0.0 Mobile Safari/537.36",
                Some("Chrome 138 on Android"),
            ),
            ("something", None),
            ("😀", None),
        ] {
            let agent = UserAgent::try_from(agent.to_owned()).unwrap();
            assert_eq!(title_of(&agent).as_ref().map(Title::as_str), title, "{agent}");
        }
    }
}
