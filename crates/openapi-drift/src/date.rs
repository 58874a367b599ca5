//! A day, as `x-sunset` names it.

use std::fmt;
use std::str::FromStr;

/// A day of the Gregorian calendar (RFC 3339 `full-date`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A text that names no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADate;

impl fmt::Display for NotADate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("this is no day; write it as 2026-12-31")
    }
}

impl std::error::Error for NotADate {}

impl Date {
    /// The day in which this second since 1970 lies, in UTC.
    pub fn of_unix_seconds(seconds: u64) -> Self {
        let (mut days, mut year) = (seconds / 86_400, 1970_u16);
        while days >= year_days(year) && year < u16::MAX {
            days -= year_days(year);
            year += 1;
        }
        let mut month = 1_u8;
        while days >= u64::from(month_days(year, month)) && month < 12 {
            days -= u64::from(month_days(year, month));
            month += 1;
        }
        Self { year, month, day: u8::try_from(days + 1).unwrap_or(31) }
    }
}

const fn leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn year_days(year: u16) -> u64 {
    if leap(year) { 366 } else { 365 }
}

const fn month_days(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

impl FromStr for Date {
    type Err = NotADate;

    /// Reads `2026-12-31`, alone or as the beginning of a time (`2026-12-31T00:00:00Z`).
    fn from_str(text: &str) -> Result<Self, NotADate> {
        let day = text.split(['T', 't', ' ']).next().unwrap_or_default();
        let parts: Vec<&str> = day.split('-').collect();
        let [year, month, day] = parts[..] else { return Err(NotADate) };
        let digits =
            |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
            return Err(NotADate);
        }
        let date = Self {
            year: year.parse().map_err(|_| NotADate)?,
            month: month.parse().map_err(|_| NotADate)?,
            day: day.parse().map_err(|_| NotADate)?,
        };
        let exists =
            (1..=12).contains(&date.month) && (1..=month_days(date.year, date.month)).contains(&date.day);
        if exists { Ok(date) } else { Err(NotADate) }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_written_and_counted() {
        for (seconds, text) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_234_567_890, "2009-02-13"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(Date::of_unix_seconds(seconds).to_string(), text);
            assert_eq!(text.parse(), Ok(Date::of_unix_seconds(seconds)));
        }
        assert!("2026-01-31".parse::<Date>().unwrap() < "2026-02-01T00:00:00Z".parse().unwrap());
        for text in
            ["", "2026", "2026-13-01", "2026-02-29", "26-01-01", "2026-1-1", "2026-01-00", "+026-01-01"]
        {
            assert_eq!(text.parse::<Date>(), Err(NotADate), "{text}");
        }
    }
}
