//! A part of the catalogue, and its order: by the hash of a rule's id, so that a new rule moves no
//! other one.

use std::fmt;
use std::str::FromStr;

use crate::rule::Rule;

/// The K-th of N parts, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: u64,
    of: u64,
}

impl Shard {
    pub fn number(self) -> u64 {
        self.number
    }

    pub fn of(self) -> u64 {
        self.of
    }

    pub fn has(self, id: &str) -> bool {
        hash(0, id) % self.of + 1 == self.number
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| {
            Some(Self { number: number.parse().ok()?, of: of.parse().ok()? })
        });
        match parts {
            Some(shard) if (1..=shard.of).contains(&shard.number) => Ok(shard),
            _ => Err(format!("{text} is not K/N with K from 1 to N")),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// An order that depends on the seed alone, not on the machine.
pub fn shuffle(rules: &mut [&Rule], seed: u64) {
    rules.sort_by_key(|rule| hash(seed, &rule.id));
}

/// Rules that wait for something to be over go first: one that begins last is waited for by all.
pub fn longest_first(rules: &mut [&Rule]) {
    const WAITING: [&str; 12] = [
        "slow_drip",
        "stall",
        "silent",
        "late_answer",
        "slow_refusal",
        "endless",
        "timeout",
        "wait",
        "parallel",
        "listeners.",
        "budget",
        "kubectl",
    ];
    rules.sort_by_key(|rule| !WAITING.iter().any(|word| rule.id.contains(word)));
}

/// FNV-1a, finished so that the low bits depend on every byte.
fn hash(seed: u64, text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_in_exactly_one_part_of_about_the_same_size() {
        let shards: Vec<Shard> =
            (1..=4).map(|number| format!("{number}/4").parse().unwrap()).collect();
        let mut sizes = [0_usize; 4];
        for number in 0..1000 {
            let id = format!("kubeconfig.rule.{number}");
            let homes: Vec<usize> = (0..4).filter(|at| shards[*at].has(&id)).collect();
            assert_eq!(homes.len(), 1, "{id}");
            sizes[homes[0]] += 1;
        }
        assert!(sizes.iter().all(|size| (200..300).contains(size)), "{sizes:?}");
        // The split is the same on every machine and in every version.
        assert!(shards[0].has("kubeconfig.exit.77.rebac_denied"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "1", "0/4", "5/4", "1/0", "a/b", "1/2/3", "-1/4"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!("2/4".parse::<Shard>().unwrap().to_string(), "2/4");
    }
}
