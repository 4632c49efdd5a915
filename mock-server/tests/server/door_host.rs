//! Where listeners are, and what they are called.

use std::net::{IpAddr, Ipv4Addr, TcpStream};

use mock_server::MockServer;
use serde_json::json;

use crate::client::{Client, k8s, ssh, tcp};
use crate::doors::Issued;
use crate::process::trusting;

#[test]
fn listeners_are_on_the_loopback_interface_whatever_they_are_called() {
    let server = MockServer::builder().start().unwrap();
    let client = Client::of(&server);
    for (host, dialled) in
        [("localhost", "127.0.0.1"), ("node.example", "127.0.0.1"), ("192.0.2.1", "127.0.0.1")]
    {
        client.change_world(|world| world["listeners"]["host"] = host.into());
        for body in [ssh(), k8s(), tcp()] {
            let endpoint = Issued::new(&client, &body).endpoint;
            let (named, port) = endpoint.rsplit_once(':').unwrap();
            assert!(named.ends_with(host), "{endpoint}");
            TcpStream::connect(format!("{dialled}:{port}")).unwrap();
        }
    }
    let mut world = client.get("/__mock/world").json();
    for host in ["", "-x", "a b", "a@b", "[::1", "::1", &"h".repeat(101)] {
        world["listeners"]["host"] = json!(host);
        assert_eq!(client.put("/__mock/world", &world).verdict(), "400 invalid_world", "{host}");
    }
}

#[test]
fn a_request_without_a_token_is_noted() {
    let server = MockServer::builder().start().unwrap();
    let client = Client::of(&server);
    let kube = Issued::new(&client, &k8s());
    let base = format!("https://{}", kube.endpoint);
    let api = Client::new(&base).with_agent(trusting(server.ca_pem()));
    for (n, caller) in [api.nobody(), api.token("")].iter().enumerate() {
        assert_eq!(caller.get("/api/v1/pods").status, 401);
        let journal = client.get("/__mock/requests").text;
        assert_eq!(journal.matches("request=token_required").count(), n + 1, "{journal}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn listeners_are_where_the_server_is_told_to_be() {
    let here = Ipv4Addr::new(127, 0, 0, 2);
    let server = MockServer::builder().bind(IpAddr::V4(here)).start().unwrap();
    let client = Client::of(&server);
    for body in [ssh(), k8s(), tcp()] {
        let issued = Issued::new(&client, &body);
        let (host, port) = issued.address().rsplit_once(':').unwrap();
        assert_eq!(host, "127.0.0.2", "{}", issued.endpoint);
        issued.connect();
        assert!(TcpStream::connect(format!("127.0.0.1:{port}")).is_err());
    }
    // The certificate is for that address as well.
    let kube = Issued::new(&client, &k8s());
    let base = format!("https://{}", kube.endpoint);
    let api = Client::new(&base).with_agent(trusting(server.ca_pem())).token(&kube.token);
    assert_eq!(api.get("/version").status, 200);
}
