//! What differs between the generations of the contract.

use mock_server::Generation;

use crate::client::{Client, at_noon, k8s, ssh, tcp};

#[test]
fn the_newest_shows_the_endpoint_in_reads_only() {
    for generation in [Generation::June, Generation::July] {
        let server = at_noon().contract(generation).start().unwrap();
        let client = Client::of(&server);
        let issued = client.issued(&ssh());
        assert!(issued["listener_endpoint"].is_string());
        assert!(issued["session"].get("listener_endpoint").is_none());
        let read = client.session(&issued["session_id"]).json();
        assert!(read.get("listener_endpoint").is_none());
    }
    let server = at_noon().contract(Generation::August).start().unwrap();
    let client = Client::of(&server);
    let issued = client.issued(&ssh());
    assert!(issued.get("listener_endpoint").is_none());
    assert!(issued["session"].get("listener_endpoint").is_none());
    let read = client.session(&issued["session_id"]).json();
    assert!(read["listener_endpoint"].as_str().unwrap().starts_with("ssh://ops;"));
    client.revoke(&issued["session_id"]);
    let read = client.session(&issued["session_id"]).json();
    assert!(read.get("listener_endpoint").is_none(), "an ended session has none");
}

#[test]
fn the_node_of_the_newest_may_take_its_time() {
    let server = at_noon().contract(Generation::August).start().unwrap();
    let client = Client::of(&server);
    client.change_world(|world| world["listeners"]["report_delay_seconds"] = 3.into());
    let issued = client.issued(&tcp());
    let endpoint = || client.session(&issued["session_id"]).json()["listener_endpoint"].clone();
    client.advance(2);
    assert!(endpoint().is_null());
    client.advance(1);
    assert!(endpoint().is_string());
}

#[test]
fn problems_carry_a_correlation_id_in_the_newest() {
    for (generation, correlated, host) in [
        (Generation::June, false, "https://plexsphere.dev/errors/"),
        (Generation::July, false, "https://plexsphere.com/errors/"),
        (Generation::August, true, "https://plexsphere.com/errors/"),
    ] {
        let server = at_noon().contract(generation).start().unwrap();
        let client = Client::of(&server);
        let answer = client.nobody().issue(&k8s());
        assert_eq!(answer.header("x-correlation-id").is_some(), correlated);
        let problem = answer.json();
        assert_eq!(problem.get("correlation_id").is_some(), correlated);
        assert!(problem["type"].as_str().unwrap().starts_with(host));
        let denied = client.token("psk_dev_outsider").issue(&k8s());
        let named = denied.json()["correlation_id"].as_str().unwrap().to_owned();
        assert_eq!(denied.header("x-correlation-id"), correlated.then_some(named.as_str()));
        let document = client.get("/v1/openapi.json").json();
        assert_eq!(document["info"]["version"], generation.name());
        assert_eq!(client.get("/v1/version").json()["contract"], generation.name());
    }
}
