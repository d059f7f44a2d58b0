//! Ids of iAdvize that we look into (section 3.1). Those of conversations and visitors are opaque.

use std::fmt;

/// One of iAdvize's two installations, which every id that is not opaque begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeskPlatform {
    /// `sd`, the standard one.
    Standard,
    /// `ha`, the one with high availability.
    HighAvailability,
}

impl DeskPlatform {
    /// The platform of this name, in either case: an old event shows it in capitals.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            _ if text.eq_ignore_ascii_case("sd") => Some(Self::Standard),
            _ if text.eq_ignore_ascii_case("ha") => Some(Self::HighAvailability),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "sd",
            Self::HighAvailability => "ha",
        }
    }
}

/// A project (site) of iAdvize: `ha-4821` as `idWebsite`, 4821 as `projectId`. iAdvize makes it; unique in all of iAdvize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Website {
    platform: DeskPlatform,
    project: u64,
}

impl Website {
    /// A site of a platform.
    #[must_use]
    pub const fn new(platform: DeskPlatform, project: u64) -> Self {
        Self { platform, project }
    }

    /// The site that an `idWebsite` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (platform, project) = text.split_once('-')?;
        Some(Self { platform: DeskPlatform::parse(platform)?, project: number(project)? })
    }

    /// On which platform it is.
    #[must_use]
    pub const fn platform(self) -> DeskPlatform {
        self.platform
    }

    /// The `projectId` of webhooks and of the panel.
    #[must_use]
    pub const fn project(self) -> u64 {
        self.project
    }
}

impl fmt::Display for Website {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.platform.as_str(), self.project)
    }
}

/// An operator (agent or bot). Plugins say `9999`, the action and bots `ha-9999`, and within a platform both are the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId {
    platform: Option<DeskPlatform>,
    number: u64,
}

impl OperatorId {
    /// The operator whom an `idOperator` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('-') {
            Some((platform, rest)) => Some(Self { platform: Some(DeskPlatform::parse(platform)?), number: number(rest)? }),
            None => Some(Self { platform: None, number: number(text)? }),
        }
    }

    /// The number: `chatbotId` in calls to iAdvize (section 12.2).
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Whether it may be one of this platform: it is, or does not say of which it is.
    #[must_use]
    pub fn is_at(self, platform: DeskPlatform) -> bool {
        self.platform.is_none_or(|own| own == platform)
    }

    /// The same with the platform of a site where it has none of its own.
    #[must_use]
    pub fn at(self, platform: DeskPlatform) -> Self {
        Self { platform: Some(self.platform.unwrap_or(platform)), ..self }
    }
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.platform {
            Some(platform) => write!(f, "{}-{}", platform.as_str(), self.number),
            None => write!(f, "{}", self.number),
        }
    }
}

/// Digits alone: a sign or a blank is none.
pub(crate) fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn site_is_platform_and_project() {
        let site = Website::parse("HA-4821").unwrap();
        assert_eq!(
            (site.platform(), site.project(), site.to_string().as_str()),
            (DeskPlatform::HighAvailability, 4821, "ha-4821")
        );
        for wrong in ["", "4821", "ha", "ha-", "xx-4821", "ha-48x", "ha--1", "ha-+1", "ha-4821 ", "ha-99999999999999999999"] {
            assert_eq!(Website::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn operator_is_the_same_with_and_without_platform() {
        let [plain, full] = ["9999", "ha-9999"].map(|text| OperatorId::parse(text).unwrap());
        assert_ne!(plain, full);
        assert_eq!(plain.at(DeskPlatform::HighAvailability), full);
        assert_eq!(full.at(DeskPlatform::Standard), full);
        let [sd, ha] = [DeskPlatform::Standard, DeskPlatform::HighAvailability];
        assert_eq!([plain.is_at(sd), full.is_at(ha), full.is_at(sd)], [true, true, false]);
        assert_eq!((full.number(), full.to_string().as_str(), plain.to_string().as_str()), (9999, "ha-9999", "9999"));
        for wrong in ["", "ha-", "xx-1", "1-ha", "ha-1-2"] {
            assert_eq!(OperatorId::parse(wrong), None, "{wrong}");
        }
    }
}
