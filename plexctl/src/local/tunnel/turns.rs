//! Whose turn it is to ask the node for a way. A node that is full says so to each who asks and
//! writes it down, so those who wait ask one after the other, and the less often the longer it
//! stays full.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many ask at once while the node has had room for everybody.
const WIDEST: usize = 8;
/// From the first time the node is full to the next question, and how long that may grow.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Tells those who wait apart, and who came first.
pub(super) type Ticket = u64;

pub(super) struct Turns {
    waiting: VecDeque<Ticket>,
    next: Ticket,
    asking: usize,
    width: usize,
    /// How many of ours the node carries.
    seats: usize,
    /// How many of ours it carried when it was full.
    most: Option<usize>,
    pause: Duration,
    /// When a node that is full is asked again; somebody else may have left it.
    again: Option<Instant>,
}

impl Turns {
    /// A plain pipe carries one connection and cannot say so; any other listener is asked.
    pub(super) fn new(plain: bool) -> Self {
        Self {
            waiting: VecDeque::new(),
            next: 0,
            asking: 0,
            width: 1,
            seats: 0,
            most: plain.then_some(1),
            pause: FIRST_PAUSE,
            again: None,
        }
    }

    pub(super) fn arrive(&mut self) -> Ticket {
        let ticket = self.next;
        self.next += 1;
        self.waiting.push_back(ticket);
        ticket
    }

    /// Takes the turn, if it is this one's.
    pub(super) fn take(&mut self, ticket: Ticket, now: Instant) -> bool {
        let first = self.waiting.front() == Some(&ticket);
        let room = self.most.is_none_or(|most| self.seats + self.asking < most)
            || self.asking == 0 && self.again.is_some_and(|again| again <= now);
        let mine = first && room && self.asking < self.width;
        if mine {
            self.waiting.pop_front();
            self.asking += 1;
        }
        mine
    }

    /// When to look again whether it is this one's turn.
    pub(super) fn look_again(&self, ticket: Ticket, now: Instant, otherwise: Duration) -> Duration {
        let left = self.again.map_or(otherwise, |again| again.saturating_duration_since(now));
        match self.waiting.front() == Some(&ticket) && !left.is_zero() {
            true => left.min(otherwise),
            false => otherwise,
        }
    }

    /// The node has let somebody in.
    pub(super) fn seated(&mut self, now: Instant) {
        self.asking -= 1;
        self.seats += 1;
        match &mut self.most {
            None => self.width = (self.width * 2).min(WIDEST),
            Some(most) => *most = self.seats.max(*most),
        }
        self.again = self.again.map(|_| now + LONGEST_PAUSE);
    }

    /// The node is full; whoever asked keeps the turn.
    pub(super) fn turned_away(&mut self, ticket: Ticket, now: Instant) {
        self.asking -= 1;
        let place = self.waiting.partition_point(|other| *other < ticket);
        self.waiting.insert(place, ticket);
        self.width = 1;
        self.most = Some(self.seats);
        self.again = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Asking failed for good.
    pub(super) fn failed(&mut self) {
        self.asking -= 1;
    }

    /// One that was carried is gone; the node may take a moment to see it.
    pub(super) fn left(&mut self) {
        self.seats -= 1;
        self.pause = FIRST_PAUSE;
    }

    /// Does not wait any more.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.waiting.retain(|other| *other != ticket);
    }

    pub(super) fn has_seats(&self) -> bool {
        self.seats > 0
    }

    /// As far as is known.
    pub(super) fn is_full(&self) -> bool {
        self.most.is_some_and(|most| self.seats >= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(now: Instant, millis: u64) -> Instant {
        now + Duration::from_millis(millis)
    }

    #[test]
    fn a_node_with_room_is_asked_by_more_and_more() {
        let (mut turns, now) = (Turns::new(false), Instant::now());
        let tickets: Vec<Ticket> = (0..20).map(|_| turns.arrive()).collect();
        assert!(turns.take(tickets[0], now) && !turns.take(tickets[1], now));
        turns.seated(now);
        assert!(!turns.take(tickets[2], now), "out of turn");
        assert!(turns.take(tickets[1], now) && turns.take(tickets[2], now));
        assert!(!turns.take(tickets[3], now), "two at once, and no more yet");
    }

    #[test]
    fn a_full_node_is_asked_by_one_and_less_and_less_often() {
        let (mut turns, mut now) = (Turns::new(false), Instant::now());
        let (one, two) = (turns.arrive(), turns.arrive());
        let (mut asked, end) = (0, after(now, 10_000));
        while now < end {
            assert!(!turns.take(two, now), "out of turn");
            if turns.take(one, now) {
                asked += 1;
                turns.turned_away(one, now);
            }
            now = after(now, 10);
        }
        assert!((5..15).contains(&asked), "asked {asked} times in ten seconds");
    }

    #[test]
    fn a_place_that_gets_free_is_taken_at_once() {
        let (mut turns, now) = (Turns::new(false), Instant::now());
        let (one, two, three) = (turns.arrive(), turns.arrive(), turns.arrive());
        assert!(turns.take(one, now));
        turns.seated(now);
        assert!(turns.take(two, now));
        turns.turned_away(two, now);
        assert!(!turns.take(two, now));
        turns.left();
        assert!(turns.take(two, now) && !turns.take(three, now));
        turns.seated(now);
        // It is known now how many fit.
        assert!(!turns.take(three, after(now, 1000)));
        turns.leave(three);
        turns.left();
    }

    #[test]
    fn a_plain_pipe_carries_one_however_long_it_takes() {
        let (mut turns, now) = (Turns::new(true), Instant::now());
        let (one, two) = (turns.arrive(), turns.arrive());
        assert!(turns.take(one, now));
        turns.seated(now);
        assert!(!turns.take(two, after(now, 1_000_000)));
        turns.left();
        assert!(turns.take(two, now));
    }
}
