//! Which operation a method and a path name.

use hyper::Method;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    IssueKubeconfig,
    ListKubeconfigs,
    GetKubeconfig,
    DeleteKubeconfig,
}

impl Operation {
    /// The name it has in the contract and in the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IssueKubeconfig => "IssueKubeconfig",
            Self::ListKubeconfigs => "ListKubeconfigs",
            Self::GetKubeconfig => "GetKubeconfig",
            Self::DeleteKubeconfig => "DeleteKubeconfig",
        }
    }
}

/// The collection of a cluster, or one of it, with ids as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'p> {
    pub region: &'p str,
    pub project: &'p str,
    pub cluster: &'p str,
    pub kubeconfig: Option<&'p str>,
}

impl<'p> Place<'p> {
    pub fn find(path: &'p str) -> Option<Self> {
        // The longest of ours has ten segments; a path of a million is not taken apart.
        let mut segments = [""; 10];
        let mut count = 0;
        for segment in path.strip_prefix('/')?.split('/') {
            *segments.get_mut(count)? = segment;
            count += 1;
        }
        let [
            "v1",
            "regions",
            region,
            "projects",
            project,
            "compute",
            "clusters",
            cluster,
            "kubeconfigs",
            rest @ ..,
        ] = &segments[..count]
        else {
            return None;
        };
        let kubeconfig = match rest {
            [] => None,
            [""] => return None,
            [id, ..] => Some(*id),
        };
        Some(Self { region, project, cluster, kubeconfig })
    }

    pub fn operation(self, method: &Method) -> Option<Operation> {
        match (method, self.kubeconfig) {
            (&Method::POST, None) => Some(Operation::IssueKubeconfig),
            (&Method::GET | &Method::HEAD, None) => Some(Operation::ListKubeconfigs),
            (&Method::GET | &Method::HEAD, Some(_)) => Some(Operation::GetKubeconfig),
            (&Method::DELETE, Some(_)) => Some(Operation::DeleteKubeconfig),
            _ => None,
        }
    }

    /// The value of an `Allow` header.
    pub const fn allow(self) -> &'static str {
        match self.kubeconfig {
            None => "GET, HEAD, POST, OPTIONS",
            Some(_) => "GET, HEAD, DELETE, OPTIONS",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLLECTION: &str = "/v1/regions/r/projects/p/compute/clusters/c/kubeconfigs";

    #[test]
    fn the_page_s_path_is_found_and_its_neighbours_are_not() {
        let found = Place::find(COLLECTION).unwrap();
        assert_eq!((found.region, found.project, found.cluster), ("r", "p", "c"));
        assert_eq!(found.kubeconfig, None);
        assert_eq!(Place::find(&format!("{COLLECTION}/k")).unwrap().kubeconfig, Some("k"));
        for path in [
            "",
            "/",
            "/v1/regions",
            "/v1/regions/r/projects/p/clusters/c/kubeconfigs",
            "/v1/region/r/projects/p/compute/clusters/c/kubeconfigs",
            &format!("{COLLECTION}/"),
            &format!("{COLLECTION}/k/"),
            &format!("{COLLECTION}/k/x"),
            &COLLECTION[1..],
            &"/x".repeat(100_000),
        ] {
            assert_eq!(Place::find(path), None, "{path}");
        }
    }
}
