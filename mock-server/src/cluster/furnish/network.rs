//! Services, and the endpoints behind them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Furnisher, Heading, NO_LABELS, wrong};
use crate::cluster::description::{DescriptionError, PortDescription, ServiceDescription};
use crate::kube::fingerprint;

/// One port of a service: `http:80/TCP->8080`, of which only the number must be there.
#[derive(Debug, PartialEq)]
struct Port {
    name: String,
    port: u16,
    protocol: String,
    target: u16,
}

impl Port {
    fn read(described: &PortDescription) -> Option<Self> {
        let text = match described {
            PortDescription::Number(number) => number.to_string(),
            PortDescription::Text(text) => text.clone(),
        };
        let (rest, target) = match text.split_once("->") {
            Some((rest, target)) => (rest.to_owned(), Some(target.trim().parse().ok()?)),
            None => (text, None),
        };
        let (name, rest) = rest.split_once(':').unwrap_or(("", &rest));
        let (port, protocol) = rest.split_once('/').unwrap_or((rest, "TCP"));
        let port: u16 = port.trim().parse().ok()?;
        let known = matches!(protocol.trim(), "TCP" | "UDP" | "SCTP");
        (known && port > 0).then(|| Self {
            name: name.trim().to_owned(),
            port,
            protocol: protocol.trim().to_owned(),
            target: target.unwrap_or(port),
        })
    }
}

impl Furnisher<'_> {
    pub(super) fn add_services(
        &mut self,
        described: &[ServiceDescription],
    ) -> Result<(), DescriptionError> {
        self.services = 1;
        let api = ServiceDescription {
            name: "kubernetes".to_owned(),
            namespace: "default".to_owned(),
            kind: "ClusterIP".to_owned(),
            headless: false,
            ports: vec![PortDescription::Text("https:443->6443".to_owned())],
            selector: BTreeMap::new(),
            external_ip: None,
            age: None,
        };
        for service in std::iter::once(&api).chain(described) {
            self.add_service(service)?;
        }
        Ok(())
    }

    fn add_service(&mut self, described: &ServiceDescription) -> Result<(), DescriptionError> {
        let (namespace, name) = (described.namespace.as_str(), described.name.as_str());
        let place = format!("Service {namespace}/{name}");
        if !matches!(described.kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
            return Err(wrong(format!("{place}: type {:?} is not known here", described.kind)));
        }
        let mut ports = Vec::new();
        for port in &described.ports {
            let read = Port::read(port).ok_or_else(|| {
                wrong(format!(
                    "{place}: a port is written 80, 53/UDP or http:80->8080, not {port:?}"
                ))
            })?;
            ports.push(read);
        }
        let number = self.services;
        self.services += 1;
        let address = if described.headless {
            "None".to_owned()
        } else {
            format!("10.96.{}.{}", number / 250, number % 250)
        };
        let mut spec = json!({
            "type": described.kind, "clusterIP": address, "clusterIPs": [address],
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ports": ports.iter().enumerate().map(|(index, port)| {
                let mut shown = json!({
                    "port": port.port, "protocol": port.protocol, "targetPort": port.target,
                });
                if !port.name.is_empty() {
                    shown["name"] = port.name.clone().into();
                }
                if described.kind != "ClusterIP" {
                    shown["nodePort"] = (30_000 + number * 10 + u32::try_from(index).unwrap_or(0)).into();
                }
                shown
            }).collect::<Vec<Value>>(),
        });
        if !described.selector.is_empty() {
            spec["selector"] = json!(described.selector);
        }
        let mut status = json!({ "loadBalancer": {} });
        if described.kind == "LoadBalancer" {
            if let Some(address) = &described.external_ip {
                status = json!({ "loadBalancer": { "ingress": [{ "ip": address }] } });
            }
        } else if let Some(address) = &described.external_ip {
            spec["externalIPs"] = json!([address]);
        }
        let heading =
            Heading { kind: "Service", namespace, name, age: described.age, labels: &NO_LABELS };
        self.add(&heading, json!({ "spec": spec, "status": status }))?;
        self.add_endpoints(described, &ports)
    }

    fn add_endpoints(
        &mut self,
        described: &ServiceDescription,
        ports: &[Port],
    ) -> Result<(), DescriptionError> {
        let (namespace, name) = (described.namespace.as_str(), described.name.as_str());
        let backs = if name == "kubernetes" && namespace == "default" {
            let address = self.nodes.first().map(|node| node.address.clone()).unwrap_or_default();
            vec![(address, true, Value::Null, Value::Null)]
        } else {
            self.backs(described)
        };
        let address = |(ip, _, target, node): &(String, bool, Value, Value)| {
            let mut address = json!({ "ip": ip });
            if !target.is_null() {
                address["targetRef"] = target.clone();
                address["nodeName"] = node.clone();
            }
            address
        };
        let shown: Vec<Value> = ports
            .iter()
            .map(
                |port| json!({ "name": port.name, "port": port.target, "protocol": port.protocol }),
            )
            .collect();
        let up: Vec<Value> = backs.iter().filter(|back| back.1).map(address).collect();
        let down: Vec<Value> = backs.iter().filter(|back| !back.1).map(address).collect();
        let mut subset = json!({ "ports": shown });
        if !up.is_empty() {
            subset["addresses"] = up.into();
        }
        if !down.is_empty() {
            subset["notReadyAddresses"] = down.into();
        }
        let body = if backs.is_empty() { json!({}) } else { json!({ "subsets": [subset] }) };
        let age = described.age;
        let heading = Heading { kind: "Endpoints", namespace, name, age, labels: &NO_LABELS };
        self.add(&heading, body)?;
        let suffix = fingerprint::suffix(&[self.cluster, "slice", namespace, name], 5);
        let slice = if name == "kubernetes" { name.to_owned() } else { format!("{name}-{suffix}") };
        let labels = BTreeMap::from([("kubernetes.io/service-name".to_owned(), name.to_owned())]);
        let endpoints: Vec<Value> = backs
            .iter()
            .map(|(ip, ready, target, node)| {
                let mut endpoint = json!({
                    "addresses": [ip],
                    "conditions": { "ready": ready, "serving": ready, "terminating": false },
                });
                if !target.is_null() {
                    endpoint["targetRef"] = target.clone();
                    endpoint["nodeName"] = node.clone();
                }
                endpoint
            })
            .collect();
        let heading =
            Heading { kind: "EndpointSlice", namespace, name: &slice, age, labels: &labels };
        let body = json!({ "addressType": "IPv4", "endpoints": endpoints, "ports": shown });
        self.add(&heading, body)
    }

    /// The pods a service selects: address, readiness, reference, node.
    fn backs(&self, described: &ServiceDescription) -> Vec<(String, bool, Value, Value)> {
        if described.selector.is_empty() {
            return Vec::new();
        }
        let chosen = |pod: &Value| {
            let labels = pod.pointer("/metadata/labels");
            pod.pointer("/metadata/namespace").and_then(Value::as_str) == Some(&described.namespace)
                && described.selector.iter().all(|(key, value)| {
                    labels.and_then(|labels| labels.get(key)).and_then(Value::as_str) == Some(value)
                })
        };
        let pods = self.objects.iter().filter(|(kind, pod)| kind.kind == "Pod" && chosen(pod));
        pods.filter_map(|(_, pod)| {
            let address = pod.pointer("/status/podIP")?.as_str()?.to_owned();
            let ready = pod.pointer("/status/containerStatuses")?.as_array()?.iter();
            let ready = ready.clone().all(|status| status.get("ready") == Some(&true.into()));
            let target = json!({
                "kind": "Pod", "namespace": pod.pointer("/metadata/namespace"),
                "name": pod.pointer("/metadata/name"), "uid": pod.pointer("/metadata/uid"),
            });
            Some((address, ready, target, pod.pointer("/spec/nodeName")?.clone()))
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read() {
        let read = |text: &str| Port::read(&PortDescription::Text(text.to_owned()));
        let port = |name: &str, port, protocol: &str, target| {
            Some(Port { name: name.to_owned(), port, protocol: protocol.to_owned(), target })
        };
        assert_eq!(read("80"), port("", 80, "TCP", 80));
        assert_eq!(read("dns:53/UDP"), port("dns", 53, "UDP", 53));
        assert_eq!(read("http:80->8080"), port("http", 80, "TCP", 8080));
        assert_eq!(Port::read(&PortDescription::Number(5432)), port("", 5432, "TCP", 5432));
        for text in ["", "http", "80/ICMP", "80->x", "70000", "0"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
