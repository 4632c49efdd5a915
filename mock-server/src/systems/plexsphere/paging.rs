//! `limit` and `cursor`, alike for every list.

use super::cursor;
use super::exchange::Exchange;
use super::query::Query;
use super::refusal::Refusal;
use crate::gate::Caller;

const DEFAULT_LIMIT: usize = 50;
const HIGHEST_LIMIT: usize = 200;

#[derive(Debug)]
pub struct Paging {
    pub after: u64,
    pub limit: usize,
    binding: Vec<u8>,
}

impl Paging {
    /// `list` is what names this list and its filters: a cursor is good for nothing else.
    pub fn read(
        x: &Exchange,
        caller: Caller,
        query: &Query,
        list: &[&[u8]],
    ) -> Result<Self, Refusal> {
        let mut binding =
            x.installation.directory.identity(caller.identity()).id.as_bytes().to_vec();
        for part in list {
            binding.extend_from_slice(&(part.len() as u64).to_be_bytes());
            binding.extend_from_slice(part);
        }
        let after = match query.get("cursor") {
            None => 0,
            Some(given) => {
                cursor::open(&x.installation.cursors, &[&binding], given).ok_or_else(|| {
                    Refusal::new(400, "invalid_cursor", "the cursor is not one of this list's")
                })?
            }
        };
        Ok(Self { after, limit: limit(x, query)?, binding })
    }

    pub fn next(&self, x: &Exchange, after: u64) -> String {
        cursor::seal(&x.installation.cursors, &[&self.binding], after)
    }

    /// Pages through a list that is at hand as a whole.
    pub fn slice<T>(&self, x: &Exchange, all: Vec<T>) -> (Vec<T>, Option<String>) {
        let start = usize::try_from(self.after).unwrap_or(usize::MAX).min(all.len());
        let more = all.len() - start > self.limit;
        let next = more.then(|| self.next(x, (start + self.limit) as u64));
        (all.into_iter().skip(start).take(self.limit).collect(), next)
    }
}

fn limit(x: &Exchange, query: &Query) -> Result<usize, Refusal> {
    let Some(given) = query.get("limit") else { return Ok(DEFAULT_LIMIT) };
    let wrong = || Refusal::new(400, "invalid_limit", "limit is a number from 1 to 200");
    let number: i64 = given.parse().map_err(|_| wrong())?;
    match usize::try_from(number) {
        Ok(limit @ 1..=HIGHEST_LIMIT) => Ok(limit),
        _ if !x.generation.clamps_limit() => Err(wrong()),
        Ok(0) | Err(_) if number <= 0 => Ok(1),
        _ => Ok(HIGHEST_LIMIT),
    }
}
