"""The Kubernetes client for Python against kubeconfigs.ext.cattle.io: create, list, watch, patch
and delete. Every call is the library's own; what comes back is printed as one line of JSON."""

import json
import sys
import threading

from kubernetes import client, config, watch

GROUP, VERSION, PLURAL = "ext.cattle.io", "v1", "kubeconfigs"

config.load_kube_config(config_file=sys.argv[1])
api = client.CustomObjectsApi()
found = {}

version = api.list_cluster_custom_object(GROUP, VERSION, PLURAL)["metadata"]["resourceVersion"]
seen, events = threading.Event(), []


def follow():
    for event in watch.Watch().stream(
        api.list_cluster_custom_object, GROUP, VERSION, PLURAL, resource_version=version
    ):
        events.append(event["type"])
        if event["type"] == "DELETED":
            seen.set()
            return


follower = threading.Thread(target=follow, daemon=True)
follower.start()

manifest = {
    "apiVersion": f"{GROUP}/{VERSION}",
    "kind": "Kubeconfig",
    "spec": {"clusters": ["c-m-p66cdvlj"], "ttl": 7200},
}
created = api.create_cluster_custom_object(GROUP, VERSION, PLURAL, manifest)
name = created["metadata"]["name"]
found["value"] = created["status"]["value"].startswith("# ")
listed = api.list_cluster_custom_object(GROUP, VERSION, PLURAL, label_selector="!foo")
found["listed"] = name in [item["metadata"]["name"] for item in listed["items"]]
patched = api.patch_cluster_custom_object(
    GROUP, VERSION, PLURAL, name, {"spec": {"description": "patched"}}
)
found["patched"] = patched["spec"]["description"]
try:
    api.patch_cluster_custom_object(GROUP, VERSION, PLURAL, name, {"spec": {"ttl": 1}})
except client.ApiException as refused:
    found["refused"] = json.loads(refused.body)["message"]
got = api.get_cluster_custom_object(GROUP, VERSION, PLURAL, name)
found["again"] = "value" in got["status"]
# What was created is a configuration that the library takes.
with open(sys.argv[1] + ".made", "w") as made:
    made.write(created["status"]["value"])
core = client.CoreV1Api(config.new_client_from_config(sys.argv[1] + ".made", "downstream1"))
found["pods"] = len(core.list_pod_for_all_namespaces().items) > 0
deleted = api.delete_cluster_custom_object(GROUP, VERSION, PLURAL, name)
found["deleted"] = deleted["metadata"]["name"] == name
found["seen"] = seen.wait(30)
found["events"] = events
print(json.dumps(found))
