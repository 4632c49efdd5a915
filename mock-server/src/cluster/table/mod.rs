//! How the cluster's kinds look as tables: what `kubectl get` prints of each.

mod columns;
mod pods;
mod rows;

pub(crate) use columns::of;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use crate::cluster::kinds::KINDS;
    use crate::kube::table::{Include, of};

    #[test]
    fn every_kind_has_as_many_cells_as_columns_even_when_empty() {
        let now: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        for kind in KINDS {
            let object = json!({ "metadata": { "name": "a" } });
            let table = of(kind, "v1", &[&object], Include::Metadata, &json!({}), now, true);
            let columns = table["columnDefinitions"].as_array().unwrap().len();
            assert_eq!(table["rows"][0]["cells"].as_array().unwrap().len(), columns, "{kind:?}");
            assert!(table["rows"][0]["cells"].as_array().unwrap().contains(&"a".into()));
        }
    }
}
