//! Points in time and durations as policies write them, without a calendar library: RFC 3339
//! timestamps, and durations in the notation of the original (`1h30m`, `500ms`, and `7d`).

/// Seconds since the epoch of an RFC 3339 timestamp (`2027-01-31T12:00:00Z`, any offset,
/// fractions cut off) or of the start of a date in UTC (`2027-01-31`). Years 1970 to 9999.
#[must_use]
pub fn timestamp(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, "00:00:00Z"),
    };
    let mut parts = date.split('-').map(digits);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let month_days = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || date.len() != 10 || year < 1970 || !(1..=month_days).contains(&day)
    {
        return None;
    }
    let (clock, offset) = split_offset(time)?;
    let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let mut parts = clock.split(':').map(digits);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    u64::try_from(i64::try_from(seconds).ok()? - offset).ok()
}

/// Days from the epoch to a date of the Gregorian calendar (years from March, as in the usual
/// era-less computation).
fn days_from_epoch(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 719_469
}

/// The RFC 3339 timestamp in UTC of `seconds` since the epoch, as [`timestamp`] reads it.
#[must_use]
pub fn format_timestamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // The year that the average length says is right or one too late.
    let mut year = 1970 + days.saturating_mul(400) / 146_097;
    while days_from_epoch(year, 1, 1) > days {
        year -= 1;
    }
    while days_from_epoch(year + 1, 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days_from_epoch(year, *month, 1) <= days).unwrap_or(1);
    let day = days - days_from_epoch(year, month, 1) + 1;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The clock and its offset from UTC in seconds.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (clock, offset) = (time.get(..at)?, time.get(at..)?);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some((clock, sign * i64::try_from(hours * 3600 + minutes * 60).ok()?))
}

fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

/// Milliseconds of a duration: numbers, possibly with a fraction, each with a unit
/// (`ms`, `s`, `m`, `h`, `d`).
#[must_use]
pub fn duration_ms(text: &str) -> Option<u64> {
    let mut total = 0.0_f64;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..end)?.parse().ok()?;
        rest = rest.get(end..)?;
        let units = [("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 3.6e6), ("d", 8.64e7)];
        let (unit, scale) = units.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = rest.get(unit.len()..)?;
        total += number * scale;
    }
    if !total.is_finite() || total > 1e15 {
        return None;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "finite, not negative and far below 2^53"
    )]
    Some(total.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_back() {
        let days = (0..2_932_000).step_by(97).map(|day| day * 86_400 + day % 86_400);
        for at in days.chain([0, 86_399, 951_782_400, 951_868_800, 4_107_542_399, 253_402_300_799])
        {
            assert_eq!(timestamp(&format_timestamp(at)), Some(at), "{at}");
        }
        assert_eq!(format_timestamp(1_800_000_000), "2027-01-15T08:00:00Z");
    }

    #[test]
    fn timestamps() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:34:56Z", Some(951_827_696)),
            ("2026-11-23T07:45:00Z", Some(1_795_419_900)),
            ("2026-11-23T08:45:00.5+01:00", Some(1_795_419_900)),
            ("2026-11-22T23:45:00-08:00", Some(1_795_419_900)),
            ("2026-11-23", Some(1_795_392_000)),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-11-23T25:00:00Z", None),
            ("2026-11-23T08:45:00", None),
            ("1969-12-31", None),
            ("tomorrow", None),
        ] {
            assert_eq!(timestamp(text), expected, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("5s", Some(5_000)),
            ("1h30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("1.5h", Some(5_400_000)),
            ("30d", Some(2_592_000_000)),
            ("5", None),
            ("s", None),
            ("", None),
            ("5 s", None),
            ("-5s", None),
        ] {
            assert_eq!(duration_ms(text), expected, "{text}");
        }
    }
}
