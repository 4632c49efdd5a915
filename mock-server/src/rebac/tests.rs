//! Decisions over small worlds written out, and over large ones made up.

use super::{
    CheckContext, MAX_DEPTH, Model, ModelError, Permissions, Reason, Relation, TupleError,
};

const NOON: &str = "2026-06-01T12:00:00Z";

fn at(moment: &str) -> CheckContext {
    CheckContext { now: moment.parse().unwrap() }
}

fn permissions() -> Permissions {
    serde_json::from_str(
        r#"{
            "resource": {"act": ["operator", "owner", "project->act"], "view": ["viewer", "act"]},
            "project": {"act": ["operator", "domain->administer"]},
            "domain": {"administer": ["admin"]}
        }"#,
    )
    .unwrap()
}

fn model(tuples: &[&str]) -> Model {
    let relations: Vec<Relation> =
        tuples.iter().map(|tuple| Relation::from(tuple.parse::<super::Tuple>().unwrap())).collect();
    Model::build(&permissions(), &relations).unwrap()
}

const WORLD: [&str; 16] = [
    "resource:web#project@project:shop",
    "resource:web#operator@group:ops#member",
    "resource:web#owner@identity:olga",
    "resource:web#viewer@identity:*",
    "resource:db#project@project:shop",
    "project:shop#domain@domain:acme",
    "project:shop#operator@identity:pia",
    "project:shop#guest@identity:gus",
    "domain:acme#admin@group:root#member",
    "group:ops#member@identity:oscar",
    "group:ops#member@group:night#member",
    "group:night#member@identity:nina",
    "group:root#member@identity:rita",
    // A cycle of groups, and a tuple that stands twice.
    "group:night#member@group:ops#member",
    "group:ops#member@identity:oscar",
    "resource:web#operator@service:ci",
];

#[test]
fn allowed_along_the_shortest_path() {
    let model = model(&WORLD);
    for (subject, permission, object, path) in [
        ("identity:olga", "act", "resource:web", vec!["resource:web#act", "resource:web#owner"]),
        ("service:ci", "act", "resource:web", vec!["resource:web#act", "resource:web#operator"]),
        (
            "identity:nina",
            "act",
            "resource:web",
            vec![
                "resource:web#act",
                "resource:web#operator",
                "group:ops#member",
                "group:night#member",
            ],
        ),
        (
            "identity:pia",
            "act",
            "resource:db",
            vec!["resource:db#act", "project:shop#act", "project:shop#operator"],
        ),
        (
            "identity:rita",
            "act",
            "resource:web",
            vec![
                "resource:web#act",
                "project:shop#act",
                "domain:acme#administer",
                "domain:acme#admin",
                "group:root#member",
            ],
        ),
        // A relation may be asked for as well as a permission.
        ("identity:gus", "guest", "project:shop", vec!["project:shop#guest"]),
    ] {
        let decision = model.check(subject, permission, object, &at(NOON));
        let mut path: Vec<String> = path.into_iter().map(str::to_owned).collect();
        path.push(subject.to_owned());
        assert!(decision.allowed, "{subject} {permission} {object}: {decision:?}");
        assert_eq!(decision.path, path);
        assert_eq!(decision.reason, None);
    }
    let everybody = model.check("identity:nobody-mentions", "view", "resource:web", &at(NOON));
    assert!(everybody.allowed);
    assert_eq!(everybody.path, ["resource:web#view", "resource:web#viewer", "identity:*"]);
}

#[test]
fn denied_with_the_reason_and_what_was_tried() {
    let model = model(&WORLD);
    for (subject, permission, object, reason, path) in [
        (
            "identity:gus",
            "act",
            "resource:db",
            Reason::InsufficientRelation,
            vec!["resource:db#act", "resource:db#project", "project:shop#guest", "identity:gus"],
        ),
        (
            "identity:stranger",
            "act",
            "resource:web",
            Reason::InsufficientRelation,
            vec!["resource:web#act", "resource:web#viewer", "identity:*"],
        ),
        (
            "identity:stranger",
            "act",
            "resource:db",
            Reason::OutOfScope,
            vec![
                "resource:db#act",
                "project:shop#act",
                "domain:acme#administer",
                "domain:acme#admin",
                "group:root#member",
            ],
        ),
        ("identity:olga", "act", "resource:none", Reason::OutOfScope, vec!["resource:none#act"]),
        ("identity:olga", "fly", "resource:db", Reason::OutOfScope, vec!["resource:db#fly"]),
        // Everybody of one type is nobody of another.
        (
            "service:other",
            "view",
            "resource:web",
            Reason::OutOfScope,
            vec![
                "resource:web#view",
                "resource:web#act",
                "project:shop#act",
                "domain:acme#administer",
                "domain:acme#admin",
                "group:root#member",
            ],
        ),
    ] {
        let decision = model.check(subject, permission, object, &at(NOON));
        assert!(!decision.allowed, "{subject} {permission} {object}");
        assert_eq!(decision.reason, Some(reason), "{subject} {permission} {object}");
        assert_eq!(decision.path, path, "{subject} {permission} {object}");
    }
}

#[test]
fn caveats_follow_the_clock() {
    let relations: Vec<Relation> = serde_json::from_str(
        r#"[
            {"tuple": "resource:web#operator@group:day#member",
             "caveat": {"name": "within_hours", "from": "08:00", "to": "18:00"}},
            "group:day#member@identity:dora",
            {"tuple": "resource:web#operator@identity:noct",
             "caveat": {"name": "within_hours", "from": "22:00", "to": "06:00"}},
            {"tuple": "resource:web#operator@identity:temp",
             "caveat": {"name": "between", "not_before": "2026-06-01T00:00:00Z",
                        "not_after": "2026-07-01T00:00:00Z"}},
            {"tuple": "resource:web#operator@identity:left", "expires_at": "2026-06-01T12:00:00Z"}
        ]"#,
    )
    .unwrap();
    let model = Model::build(&permissions(), &relations).unwrap();
    let unmet = Some(Reason::CaveatViolation);
    for (subject, moment, reason) in [
        ("dora", "2026-06-01T07:59:59Z", unmet),
        ("dora", "2026-06-01T08:00:00Z", None),
        ("dora", "2026-06-01T17:59:59Z", None),
        ("dora", "2026-06-01T18:00:00Z", unmet),
        ("noct", "2026-06-01T23:00:00Z", None),
        ("noct", "2026-06-01T05:59:00Z", None),
        ("noct", "1969-06-01T05:59:00Z", None),
        ("noct", NOON, unmet),
        ("temp", "2026-05-31T23:59:59Z", unmet),
        ("temp", "2026-06-01T00:00:00Z", None),
        ("temp", "2026-07-01T00:00:00Z", unmet),
        ("left", "2026-06-01T11:59:59Z", None),
        // An expired relation is no relation; there is no condition to wait for.
        ("left", NOON, Some(Reason::OutOfScope)),
    ] {
        let decision =
            model.check(&format!("identity:{subject}"), "act", "resource:web", &at(moment));
        assert_eq!(decision.reason, reason, "{subject} {moment}: {decision:?}");
        assert_eq!(decision.allowed, reason.is_none());
        if reason == unmet {
            let caveat = if subject == "temp" { "caveat:between" } else { "caveat:within_hours" };
            assert_eq!(decision.path, ["resource:web#act", "resource:web#operator", caveat]);
        }
    }
}

#[test]
fn an_unconditional_relation_beats_a_caveat() {
    let relations: Vec<Relation> = serde_json::from_str(
        r#"[
            {"tuple": "resource:web#operator@identity:a",
             "caveat": {"name": "within_hours", "from": "01:00", "to": "02:00"}},
            "resource:web#operator@identity:a"
        ]"#,
    )
    .unwrap();
    let model = Model::build(&permissions(), &relations).unwrap();
    assert!(model.check("identity:a", "act", "resource:web", &at(NOON)).allowed);
}

#[test]
fn chains_are_followed_to_a_limit() {
    let chain = |groups: u16| {
        let mut tuples = vec!["resource:web#operator@group:0#member".to_owned()];
        for group in 1..groups {
            tuples.push(format!("group:{}#member@group:{group}#member", group - 1));
        }
        tuples.push(format!("group:{}#member@identity:deep", groups - 1));
        let tuples: Vec<&str> = tuples.iter().map(String::as_str).collect();
        model(&tuples).check("identity:deep", "act", "resource:web", &at(NOON))
    };
    // Two steps lead from the permission to the first group.
    assert!(chain(MAX_DEPTH - 1).allowed);
    assert!(!chain(MAX_DEPTH).allowed);
    assert_eq!(chain(1_000).reason, Some(Reason::OutOfScope));
}

#[test]
fn permissions_that_refer_to_each_other_end() {
    let permissions: Permissions = serde_json::from_str(
        r#"{"folder": {"read": ["write", "parent->read"], "write": ["read", "parent->write"]}}"#,
    )
    .unwrap();
    let relations: Vec<Relation> = ["folder:a#parent@folder:b", "folder:b#parent@folder:a"]
        .into_iter()
        .map(|tuple| Relation::from(tuple.parse::<super::Tuple>().unwrap()))
        .collect();
    let model = Model::build(&permissions, &relations).unwrap();
    assert!(!model.check("identity:a", "read", "folder:a", &at(NOON)).allowed);
}

/// Whoever the model lets through is also reached by the plainest of searches, and nobody else.
#[test]
fn random_graphs_agree_with_a_plain_closure() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..60 {
        let mut tuples = vec!["resource:r#operator@group:0#member".to_owned()];
        for _ in 0..random(40) {
            let group = random(8);
            tuples.push(if random(2) == 0 {
                format!("group:{group}#member@group:{}#member", random(8))
            } else {
                format!("group:{group}#member@identity:{}", random(6))
            });
        }
        let texts: Vec<&str> = tuples.iter().map(String::as_str).collect();
        let model = model(&texts);
        let mut reached = std::collections::BTreeSet::from(["group:0#member".to_owned()]);
        loop {
            let before = reached.len();
            for tuple in &tuples {
                let (from, to) = tuple.split_once('@').unwrap();
                if reached.contains(from) {
                    reached.insert(to.to_owned());
                }
            }
            if reached.len() == before {
                break;
            }
        }
        for identity in 0..6 {
            let subject = format!("identity:{identity}");
            let decision = model.check(&subject, "act", "resource:r", &at(NOON));
            assert_eq!(decision.allowed, reached.contains(&subject), "{subject} in {tuples:?}");
            if decision.allowed {
                // Each step but the rewrite at the start is a stated tuple.
                for pair in decision.path[1..].windows(2) {
                    assert!(tuples.contains(&pair.join("@")), "{pair:?} in {tuples:?}");
                }
            }
        }
    }
}

#[test]
fn a_large_group_is_searched_not_walked() {
    let duration = |members: u32| {
        let mut tuples = vec![
            "resource:r#operator@group:all#member".to_owned(),
            "group:other#member@identity:outsider".to_owned(),
        ];
        tuples.extend((0..members).map(|n| format!("group:all#member@identity:{n}")));
        let texts: Vec<&str> = tuples.iter().map(String::as_str).collect();
        let model = model(&texts);
        for n in [0, members / 2, members - 1] {
            assert!(model.check(&format!("identity:{n}"), "act", "resource:r", &at(NOON)).allowed);
        }
        let started = std::time::Instant::now();
        for _ in 0..500 {
            let decision = model.check("identity:outsider", "act", "resource:r", &at(NOON));
            assert_eq!(decision.reason, Some(Reason::OutOfScope));
        }
        started.elapsed()
    };
    // A walk over the members would take about a thousand times as long.
    let (small, large) = (duration(10), duration(10_000));
    assert!(large < small * 100, "{small:?} with ten members, {large:?} with ten thousand");
}

#[test]
fn tuples_are_read_and_written_alike() {
    for text in [
        "resource:0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3#operator@group:ops#member",
        "group:ops#member@identity:ops@example.com",
        "resource:a:b#view_all@identity:*",
    ] {
        assert_eq!(text.parse::<super::Tuple>().unwrap().to_string(), text);
        let json = format!("\"{text}\"");
        let relation: Relation = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&relation).unwrap(), json);
    }
    let stated = r#"{"tuple":"a:b#c@d:e","caveat":{"name":"within_hours","from":"08:00","to":"24:00"},"expires_at":"2027-01-01T00:00:00Z"}"#;
    let relation: Relation = serde_json::from_str(stated).unwrap();
    assert_eq!(serde_json::to_string(&relation).unwrap(), stated);
}

#[test]
fn wrong_tuples_say_what_is_wrong() {
    let not_object = |tuple: &str, part: &str| TupleError::NotAnObject {
        tuple: tuple.to_owned(),
        part: part.to_owned(),
    };
    let not_relation = |tuple: &str, part: &str| TupleError::NotARelation {
        tuple: tuple.to_owned(),
        part: part.to_owned(),
    };
    for (text, error) in [
        ("", TupleError::NoSubject(String::new())),
        ("resource:a#operator", TupleError::NoSubject("resource:a#operator".into())),
        ("resource:a@identity:b", TupleError::NoRelation("resource:a@identity:b".into())),
        ("resource:a@group:b#member", TupleError::NoRelation("resource:a@group:b#member".into())),
        ("resource#r@identity:b", not_object("resource#r@identity:b", "resource")),
        ("resource:#r@identity:b", not_object("resource:#r@identity:b", "resource:")),
        ("Resource:a#r@identity:b", not_object("Resource:a#r@identity:b", "Resource:a")),
        ("resource:a b#r@identity:b", not_object("resource:a b#r@identity:b", "resource:a b")),
        ("resource:a#@identity:b", not_relation("resource:a#@identity:b", "")),
        ("resource:a#Op@identity:b", not_relation("resource:a#Op@identity:b", "Op")),
        ("resource:a#r@group:b#", not_relation("resource:a#r@group:b#", "")),
        (
            "resource:*#r@identity:b",
            TupleError::MisplacedWildcard("resource:*#r@identity:b".into()),
        ),
        ("resource:a#r@group:*#m", TupleError::MisplacedWildcard("resource:a#r@group:*#m".into())),
    ] {
        assert_eq!(text.parse::<super::Tuple>(), Err(error), "{text}");
    }
    for json in [
        r#"{"tuple": "a:b#c@d:e", "until": "x"}"#,
        r#"{"caveat": {"name": "within_hours", "from": "08:00", "to": "18:00"}}"#,
        r#"{"tuple": "a:b#c@d:e", "caveat": {"name": "moon_is_full"}}"#,
        r#"{"tuple": "a:b#c@d:e", "caveat": {"name": "within_hours", "from": "8:00", "to": "18:00"}}"#,
        r#"{"tuple": "a:b#c@d:e", "caveat": {"name": "within_hours", "from": "08:60", "to": "18:00"}}"#,
        r#"{"tuple": "a:b#c@d:e", "caveat": {"name": "within_hours", "from": "24:01", "to": "18:00"}}"#,
        "7",
    ] {
        assert!(serde_json::from_str::<Relation>(json).is_err(), "{json}");
    }
}

#[test]
fn wrong_permissions_say_where() {
    let build = |json: &str| {
        let permissions: Permissions = serde_json::from_str(json).unwrap();
        let stated: Relation = serde_json::from_str(r#""resource:a#act@identity:b""#).unwrap();
        Model::build(&permissions, &[stated]).unwrap_err()
    };
    assert!(matches!(build(r#"{"Resource": {}}"#), ModelError::TypeName { .. }));
    assert!(matches!(build(r#"{"resource": {"Act": []}}"#), ModelError::PermissionName { .. }));
    for term in ["", "a->", "->b", "a->b->c", "a b", "project.act"] {
        let error = build(&format!(r#"{{"resource": {{"act": ["{term}"]}}}}"#));
        assert!(error.to_string().contains("permissions.resource.act"), "{error}");
    }
    let error = build(r#"{"resource": {"act": ["operator"]}}"#);
    assert!(matches!(error, ModelError::StatesPermission { .. }), "{error}");
}
