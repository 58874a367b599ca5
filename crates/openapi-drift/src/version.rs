//! The version that a document must have after its changes.

use semver::Version;

use crate::document::Document;
use crate::finding::{Effect, Finding};

/// Which part of a version must change at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing changed.
    None,
    /// Only the documentation changed.
    Patch,
    /// Something was added, or changed so that existing clients still work.
    Minor,
    /// Existing clients break.
    Major,
}

/// The least version that a revision must have by the rules of Semantic Versioning 2.0.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Which part must change.
    pub level: Level,
    /// The base's version.
    pub base: String,
    /// The revision's version.
    pub revision: String,
    /// The least sufficient version; `None` if the version of the base is not a semantic version.
    pub least: Option<String>,
    /// Whether the version of the revision is sufficient; `None` if one of the two is not a semantic version.
    pub enough: Option<bool>,
}

/// Compares the `info.version` of two documents with what the findings between them require.
///
/// Below 1.0.0 a breaking change requires the next minor version and any other the next patch, as in Cargo.
pub fn advise(base: &Document, revision: &Document, findings: &[Finding]) -> Advice {
    let version = |document: &Document| {
        let version = document.value().pointer("/info/version").and_then(serde_json::Value::as_str);
        version.unwrap_or_default().to_owned()
    };
    // A change of the version itself requires nothing.
    let counts = |finding: &&Finding| finding.rule != "info-version-changed";
    let level = findings.iter().filter(counts).map(level_of).max().unwrap_or(Level::None);
    let (base, revision) = (version(base), version(revision));
    let least = Version::parse(&base).ok().map(|version| bumped(&version, level));
    let enough = match (&least, Version::parse(&revision)) {
        // A pre-release of the required version is sufficient.
        (Some(least), Ok(revision)) => Some(Version { pre: semver::Prerelease::EMPTY, ..revision } >= *least),
        _ => None,
    };
    Advice { level, base, revision, least: least.map(|version| version.to_string()), enough }
}

fn level_of(finding: &Finding) -> Level {
    match finding.effect {
        _ if finding.is_breaking() => Level::Major,
        Effect::Wire | Effect::GeneratedCode => Level::Minor,
        Effect::Documentation => Level::Patch,
    }
}

fn bumped(version: &Version, level: Level) -> Version {
    let Version { major, minor, patch, .. } = *version;
    match (level, major) {
        (Level::None, _) => version.clone(),
        (Level::Major, 0) | (Level::Minor, 1..) => Version::new(major, minor.saturating_add(1), 0),
        (Level::Major, _) => Version::new(major.saturating_add(1), 0, 0),
        (Level::Patch | Level::Minor, _) => Version::new(major, minor, patch.saturating_add(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_version_is_that_of_the_gravest_change() {
        for (version, level, next) in [
            ("1.2.3", Level::None, "1.2.3"),
            ("1.2.3", Level::Patch, "1.2.4"),
            ("1.2.3", Level::Minor, "1.3.0"),
            ("1.2.3", Level::Major, "2.0.0"),
            ("0.2.3", Level::Patch, "0.2.4"),
            ("0.2.3", Level::Minor, "0.2.4"),
            ("0.2.3", Level::Major, "0.3.0"),
        ] {
            assert_eq!(
                bumped(&Version::parse(version).unwrap(), level).to_string(),
                next,
                "{version} {level:?}"
            );
        }
    }
}
