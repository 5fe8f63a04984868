//! The order of pictures' names: as people count.

use std::cmp::Ordering;

/// Compares names with the numbers in them by their value: 9.jpg comes before 10.jpg, and 0.05.jpg
/// before 0.1.jpg, for a point between digits is a decimal point. Where a number has more than one,
/// as a date or a time (2026.9.30), each part is a number. Names that have the same numbers are in
/// the order of their bytes.
pub(super) fn by_name(one: &str, other: &str) -> Ordering {
    let (mut one_rest, mut other_rest) = (one, other);
    loop {
        let (Some(a), Some(b)) = (one_rest.chars().next(), other_rest.chars().next()) else {
            let length = one_rest.len().cmp(&other_rest.len());
            return length.then_with(|| one.cmp(other));
        };
        let order = if a.is_ascii_digit() && b.is_ascii_digit() {
            let ((a, after_a), (b, after_b)) = (number(one_rest), number(other_rest));
            (one_rest, other_rest) = (after_a, after_b);
            a.cmp(&b)
        } else {
            one_rest = &one_rest[a.len_utf8()..];
            other_rest = &other_rest[b.len_utf8()..];
            a.cmp(&b)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Digits with points between them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Number<'a> {
    whole: Whole<'a>,
    behind: Behind<'a>,
}

/// How many digits, and those, without zeros in front: the longer one is the larger.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Whole<'a>(usize, &'a str);

/// What stands behind the first point.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Behind<'a> {
    Nothing,
    /// Of fractions the first digit counts most, as of texts.
    Fraction(&'a str),
    Parts(Vec<Whole<'a>>),
}

/// The number that a text begins with, and what follows it.
fn number(text: &str) -> (Number<'_>, &str) {
    let (first, mut rest) = digits(text);
    let mut behind = Vec::new();
    while let Some((part, after)) = rest.strip_prefix('.').map(digits)
        && !part.is_empty()
    {
        behind.push(part);
        rest = after;
    }
    let behind = match behind.len() {
        0 => Behind::Nothing,
        1 => Behind::Fraction(behind[0]),
        _ => Behind::Parts(behind.into_iter().map(whole).collect()),
    };
    let whole = whole(first);
    (Number { whole, behind }, rest)
}

/// The digits that a text begins with, and what follows them.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

fn whole(digits: &str) -> Whole<'_> {
    let digits = digits.trim_start_matches('0');
    Whole(digits.len(), digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says that names are in this order, whatever order they come in.
    fn assert_order(names: &[&str]) {
        let mut sorted = names.to_vec();
        sorted.reverse();
        sorted.sort_by(|one, other| by_name(one, other));
        assert_eq!(sorted, names);
    }

    #[test]
    fn names_are_in_the_order_in_which_people_count() {
        assert_order(&[
            "9.jpg", "0010.jpg", "10.jpg", "a", "a2b9", "a02b10", "a2b10", "b",
        ]);
    }

    #[test]
    fn a_point_between_digits_is_a_decimal_point() {
        assert_order(&[
            "0.jpg",
            "0.05.jpg",
            "0.1.jpg",
            "0.25.jpg",
            "0.3.jpg",
            "2.jpg",
            "2.5.jpg",
            "10.jpg",
            "10.05.jpg",
        ]);
        assert_order(&["shot-9.995 s.jpg", "shot-10 s.jpg", "shot-10.005 s.jpg"]);
        assert_order(&["frame.9.jpg", "frame.10.jpg"]);
    }

    #[test]
    fn dates_and_times_with_points_are_counted_part_by_part() {
        assert_order(&["2026.9.30.jpg", "2026.10.1.jpg", "2026.10.12.jpg"]);
        assert_order(&["1.10.jpg", "1.9.jpg", "1.9.1.jpg", "1.10.1.jpg"]);
    }

    #[test]
    fn all_names_have_one_order() {
        let mut names = vec![String::new()];
        for from in [0, 1, 5, 21, 85] {
            for index in from..names.len() {
                names.extend(["0", "1", ".", "a"].map(|next| names[index].clone() + next));
            }
        }
        names.sort_by(|one, other| by_name(one, other));
        for (index, one) in names.iter().enumerate() {
            for other in &names[index + 1..] {
                assert_eq!(by_name(one, other), Ordering::Less, "{one} {other}");
            }
        }
    }
}
