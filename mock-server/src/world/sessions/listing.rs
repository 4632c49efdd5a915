//! One page of a list: the few buckets that the filters name, merged in the order of issue.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Session, Sessions};
use crate::world::directory::Index;
use crate::world::kind::{Kind, Status};

/// What a list is narrowed to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    pub status: Option<Status>,
    pub kind: Option<Kind>,
    pub identity: Option<Index>,
}

impl Sessions {
    /// Up to `limit` sessions of a project issued after `after`, and whether there are more.
    pub fn page(
        &self,
        project: Index,
        filter: &Filter,
        after: u64,
        limit: usize,
    ) -> (Vec<Session>, bool) {
        let first = (project, filter.identity.unwrap_or(0), Kind::Ssh, Status::Active);
        let last = (project, filter.identity.unwrap_or(Index::MAX), Kind::Tcp, Status::Expired);
        let mut lists: Vec<_> = self
            .buckets
            .range(first..=last)
            .filter(|((_, _, kind, status), _)| {
                filter.kind.is_none_or(|wanted| wanted == *kind)
                    && filter.status.is_none_or(|wanted| wanted == *status)
            })
            .map(|(_, list)| list.range(after.saturating_add(1)..))
            .collect();
        let mut heads: BinaryHeap<_> = (lists.iter_mut().enumerate())
            .filter_map(|(n, list)| list.next().map(|(&seq, &slot)| Reverse((seq, n, slot))))
            .collect();
        let mut page = Vec::with_capacity(limit.min(self.len()));
        while let Some(Reverse((_, n, slot))) = heads.pop() {
            if page.len() == limit {
                return (page, true);
            }
            page.extend(self.at(slot).cloned());
            heads.extend(lists[n].next().map(|(&seq, &slot)| Reverse((seq, n, slot))));
        }
        (page, false)
    }
}
