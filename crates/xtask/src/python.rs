//! The Python packages of the SDK tests: each pinned to a version and to the hashes of its files.
//!
//! Their advisories and licences are not checked: the registry's word on them needs a network.

/// What is installed, as uv writes it from the file of the same name that ends with `.in`.
pub(crate) const LOCKS: &[&str] =
    &["tests/sdk/requirements-genai2.txt", "tests/sdk/requirements-genai3.txt"];

/// Returns what is wrong with the packages of a lock file.
pub(crate) fn findings(file: &str, lock: &str) -> Vec<String> {
    // A backslash goes on with the same package.
    let lock = lock.replace("\\\n", " ");
    let packages = lock.lines().map(str::trim).filter(|line| !line.is_empty());
    let packages = packages.filter(|line| !line.starts_with('#'));
    let unpinned = packages.filter(|package| !is_pinned(package));
    unpinned
        .map(|package| {
            let name = package.split_whitespace().next().unwrap_or_default();
            format!("{file}: {name} is not pinned by a version and a SHA-256")
        })
        .collect()
}

fn is_pinned(package: &str) -> bool {
    let mut words = package.split_whitespace();
    let is_exact = words.next().is_some_and(|name| name.contains("=="));
    is_exact && words.any(|word| word.starts_with("--hash=sha256:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_version_or_hash_is_found() {
        check("# by uv\nname==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n", &[]);
        check("name==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:aa\n", &[]);
        check("name==1.0\nother==2.0 \\\n    --hash=sha256:aa\n", &["name==1.0"]);
        check("name>=1.0 \\\n    --hash=sha256:aa\n", &["name>=1.0"]);
        check("name==1.0 --hash=md5:aa\n", &["name==1.0"]);
        check("--index-url http://elsewhere/\n", &["--index-url"]);
    }

    fn check(lock: &str, expected: &[&str]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|name| format!("a.txt: {name} is not pinned by a version and a SHA-256"))
            .collect();
        assert_eq!(findings("a.txt", lock), expected);
    }
}
