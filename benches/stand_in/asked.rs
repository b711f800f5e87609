//! What a filter expression asks for, in the few forms in which keys are asked for.

/// Keys that fulfil all of its conditions.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// The smallest key.
    pub first: i64,
    /// The largest key.
    pub last: i64,
    /// Divisor and remainder.
    remainder: Option<(i64, i64)>,
    among: Option<Vec<i64>>,
}

impl Asked {
    /// None where the expression says anything else than comparisons of the key, `%` and `in`.
    pub fn parse(expression: &str) -> Option<Self> {
        let mut asked = Self { first: i64::MIN, last: i64::MAX, remainder: None, among: None };
        for condition in expression.split(" and ") {
            let condition = condition.trim().trim_start_matches('(').trim_end_matches(')');
            let (name, rest) = condition.split_once(' ')?;
            let (operator, value) = rest.split_once(' ')?;
            if name != "id" {
                return None;
            }
            match operator {
                ">" => asked.first = asked.first.max(number(value)?.checked_add(1)?),
                ">=" => asked.first = asked.first.max(number(value)?),
                "<" => asked.last = asked.last.min(number(value)?.checked_sub(1)?),
                "<=" => asked.last = asked.last.min(number(value)?),
                "==" => asked.among = Some(vec![number(value)?]),
                "in" => {
                    let list = value.trim().strip_prefix('[')?.strip_suffix(']')?;
                    let mut keys = list.split(',').map(number).collect::<Option<Vec<i64>>>()?;
                    keys.sort_unstable();
                    asked.among = Some(keys);
                }
                "%" => {
                    let (divisor, remainder) = value.split_once(" == ")?;
                    asked.remainder = Some((number(divisor)?, number(remainder)?)).filter(|(divisor, _)| *divisor > 0);
                }
                _ => return None,
            }
        }
        Some(asked)
    }

    /// Whether each key between the smallest and the largest is meant.
    pub fn is_range(&self) -> bool {
        self.remainder.is_none() && self.among.is_none()
    }

    /// Whether a key between the smallest and the largest is meant.
    pub fn holds(&self, key: i64) -> bool {
        self.remainder.is_none_or(|(divisor, remainder)| key % divisor == remainder)
            && self.among.as_ref().is_none_or(|keys| keys.binary_search(&key).is_ok())
    }
}

fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}
