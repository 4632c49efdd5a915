use super::*;

fn new(n: u128, identity: Index, target: Target, now: i64, ttl: i64) -> NewSession {
    NewSession {
        port: 0,
        id: Uuid::from_u128(n),
        domain: 0,
        project: 0,
        resource: 0,
        identity,
        issued_at: now,
        expires_at: now + ttl,
        idle_timeout: None,
        target,
    }
}

fn ssh() -> Target {
    Target::Ssh { user: "ops".into(), allowed_commands: Vec::new() }
}

fn tcp() -> Target {
    Target::Tcp { host: "db".into(), port: 5432 }
}

fn issue(sessions: &mut Sessions, new: &NewSession, key: Option<&str>) -> Uuid {
    let (id, place) = (new.id, (new.identity, new.resource, new.domain));
    let reserved = sessions.reserve(place, key.map(KeyDigest::of), true, new.issued_at);
    sessions.commit(&reserved, new);
    id
}

#[test]
fn a_session_expires_at_its_second_and_is_forgotten_after_its_retention() {
    let mut sessions = Sessions::new(100);
    let id = issue(&mut sessions, &new(1, 0, ssh(), 1000, 60), None);
    sessions.sweep(1059);
    assert_eq!(sessions.get(id).unwrap().status, Status::Active);
    assert_eq!(sessions.live(Dimension::Identity, 0), 1);
    sessions.sweep(1060);
    let ended = sessions.get(id).unwrap();
    assert_eq!((ended.status, ended.ended_at), (Status::Expired, Some(1060)));
    assert_eq!(ended.revoke_reason, Some(RevokeReason::TtlExpired));
    assert_eq!(sessions.live(Dimension::Identity, 0), 0);
    sessions.sweep(1159);
    assert!(sessions.get(id).is_some());
    sessions.sweep(1160);
    assert!(sessions.get(id).is_none());
    assert!(sessions.is_empty() && sessions.targets.is_empty() && sessions.due.is_empty());
    assert!(sessions.buckets.is_empty() && sessions.live.is_empty());
}

#[test]
fn one_leap_of_the_clock_does_all_that_was_due_on_the_way() {
    let mut sessions = Sessions::new(10);
    issue(&mut sessions, &new(1, 0, ssh(), 0, 60), None);
    let later = issue(&mut sessions, &new(2, 0, ssh(), 0, 1000), None);
    sessions.sweep(500);
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions.get(later).unwrap().status, Status::Active);
}

#[test]
fn idleness_revokes_and_activity_puts_it_off() {
    let mut sessions = Sessions::new(1000);
    let one = NewSession { idle_timeout: Some(30), ..new(1, 0, ssh(), 0, 600) };
    let id = issue(&mut sessions, &one, None);
    sessions.sweep(29);
    sessions.touch(id, 29);
    sessions.sweep(58);
    assert_eq!(sessions.get(id).unwrap().status, Status::Active);
    sessions.sweep(59);
    let ended = sessions.get(id).unwrap();
    assert_eq!(ended.status, Status::Revoked);
    assert_eq!(ended.revoke_reason, Some(RevokeReason::IdleTimeout));
    assert_eq!(ended.ended_at, Some(59));
}

#[test]
fn revoking_twice_changes_nothing() {
    let mut sessions = Sessions::new(1000);
    let id = issue(&mut sessions, &new(1, 0, ssh(), 0, 600), None);
    sessions.revoke(id, RevokeReason::PolicyViolation, 5);
    sessions.revoke(id, RevokeReason::OperatorRequest, 9);
    let ended = sessions.get(id).unwrap();
    assert_eq!(ended.revoke_reason, Some(RevokeReason::PolicyViolation));
    assert_eq!(ended.ended_at, Some(5));
    assert_eq!(sessions.live(Dimension::Resource, 0), 0);
}

#[test]
fn pages_come_in_order_of_issue_whatever_the_filter() {
    let mut sessions = Sessions::new(1000);
    for n in 0..40_u32 {
        let target = if n % 2 == 0 { ssh() } else { tcp() };
        let id = issue(&mut sessions, &new(u128::from(n), n % 3, target, 0, 600), None);
        if n % 5 == 0 {
            sessions.revoke(id, RevokeReason::OperatorRequest, 1);
        }
    }
    let filters = [
        Filter::default(),
        Filter { status: Some(Status::Revoked), ..Filter::default() },
        Filter { kind: Some(Kind::Tcp), ..Filter::default() },
        Filter { identity: Some(1), ..Filter::default() },
        Filter { status: Some(Status::Active), kind: Some(Kind::Ssh), identity: Some(2) },
    ];
    for filter in filters {
        let wanted: Vec<u64> = (0..40_u32)
            .filter(|n| filter.identity.is_none_or(|one| one == n % 3))
            .filter(|n| filter.kind.is_none_or(|one| (one == Kind::Ssh) == (n % 2 == 0)))
            .filter(|n| filter.status.is_none_or(|one| (one == Status::Revoked) == (n % 5 == 0)))
            .map(|n| u64::from(n) + 1)
            .collect();
        let (mut seen, mut after) = (Vec::new(), 0);
        loop {
            let (page, more) = sessions.page(0, &filter, after, 3);
            seen.extend(page.iter().map(|one| one.seq));
            after = seen.last().copied().unwrap_or(0);
            if !more {
                break;
            }
        }
        assert_eq!(seen, wanted, "{filter:?}");
        assert!(!wanted.is_empty());
    }
    assert!(sessions.page(1, &Filter::default(), 0, 50).0.is_empty());
}

#[test]
fn a_key_is_answered_with_its_session_inside_the_window_only() {
    let mut sessions = Sessions::new(1000);
    let id = issue(&mut sessions, &new(1, 7, ssh(), 0, 600), Some("k"));
    let key = KeyDigest::of("k");
    assert_eq!(sessions.replay(7, key, 10, 9).map(|one| one.id), Some(id));
    assert!(sessions.replay(7, key, 10, 10).is_none());
    assert!(sessions.replay(8, key, 10, 9).is_none(), "keys are per identity");
}

#[test]
fn an_abandoned_place_is_given_back() {
    let mut sessions = Sessions::new(1000);
    let key = KeyDigest::of("k");
    let reserved = sessions.reserve((7, 1, 2), Some(key), true, 50);
    assert!(sessions.is_in_flight(7, key));
    assert_eq!(sessions.recent(7, 50), 1);
    assert_eq!(sessions.live(Dimension::Domain, 2), 1);
    sessions.abandon(&reserved);
    assert!(!sessions.is_in_flight(7, key));
    assert_eq!(sessions.recent(7, 50), 0);
    assert_eq!(sessions.live(Dimension::Domain, 2), 0);
}

#[test]
fn slots_are_used_again() {
    let mut sessions = Sessions::new(1);
    for n in 0..1000_u32 {
        let now = i64::from(n) * 10;
        sessions.sweep(now);
        issue(&mut sessions, &new(u128::from(n), 0, ssh(), now, 5), None);
    }
    assert_eq!(sessions.slots.len(), 1);
}
