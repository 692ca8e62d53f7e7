//! `cargo xtask static` and `cargo xtask dist`: a program that needs no library of the machine it
//! runs on, and the archive in which it is handed out, with sums and a bill of materials.
//!
//! The same source, compiler and UI give the same program, wherever the clone lies: paths are
//! replaced, the bill is in order, and the archive has one time.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{bill, folder, loader, megabytes, output, remove, sha256, version};
use crate::{Outcome, step::Step, web, workspace};

/// The licences of what is built in, beside the program.
pub(super) const LICENCES: &str = "THIRD-PARTY.txt";

/// What lies in the archive beside the program, below the root of the repository.
const BESIDE: &[&str] = &[
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "README.zh-CN.md",
    ".env.example",
    "docs/configuration.md",
    "docs/install.md",
    "docs/install.zh-CN.md",
    "docs/reverse-proxy.md",
    "docs/reverse-proxy.zh-CN.md",
    "packaging/gemini-balance.service",
    "packaging/gemini-balance.toml",
];

/// Builds the static program into `target/static`, the licences of what is in it beside it, and returns
/// where it is.
///
/// # Errors
///
/// If something does not build, or what was built is not static.
pub(crate) fn program() -> Outcome<PathBuf> {
    // Where the UI lies built already, as in the image, Node need not be there.
    if !workspace::root().join("web/build/index.html").is_file() || web::has_node() {
        web::build_if_possible()?;
    }
    let host = host()?;
    let (ours, theirs) = (workspace::root(), cargo_home()?);
    let replaced = [(&ours, "/gemini-balance"), (&theirs, "/cargo")];
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    let mut c_flags = Vec::new();
    for (path, by) in replaced {
        flags.push(format!("--remap-path-prefix={}={by}", path.display()));
        c_flags.push(format!("-ffile-prefix-map={}={by}", path.display()));
    }
    // A target of its own, so that what builds the program is linked as usual.
    Step::cargo("build --locked --release --package gemini-balance --bin gemini-balance")
        .words("--config profile.release.strip=\"debuginfo\" --target")
        .argument(&host)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CFLAGS", c_flags.join(" "))
        .run()?;

    let target = workspace::target()?;
    let built = target.join(&host).join("release/gemini-balance");
    let bytes = fs::read(&built)?;
    if loader::is_named_in(&bytes) != Some(false) {
        return Err(format!("{} is not static", built.display()).into());
    }
    fs::create_dir_all(target.join("static"))?;
    let program = target.join("static/gemini-balance");
    fs::copy(&built, &program)?;
    fs::write(target.join("static").join(LICENCES), bill::licences(&theirs)?)?;
    let size = megabytes(bytes.len() as u64);
    println!("{}: static, {size}, SHA-256 {}", program.display(), sha256(&program)?);
    Ok(program)
}

/// Makes the archive, its bill of materials and their sums in `target/dist`.
///
/// # Errors
///
/// As [`program`], or if something cannot be packed.
pub(crate) fn dist() -> Outcome {
    let program = program()?;
    let name = format!("gemini-balance-{}-linux-{}", version()?, env::consts::ARCH);
    let out = workspace::target()?.join("dist");
    remove(&out)?;
    fs::create_dir_all(&out)?;
    let packed = folder()?.join("dist");
    remove(&packed)?;
    let inside = packed.join(&name);
    fs::create_dir_all(inside.join("docs"))?;
    fs::copy(&program, inside.join("gemini-balance"))?;
    fs::copy(program.with_file_name(LICENCES), inside.join(LICENCES))?;
    for file in BESIDE {
        // What is in a folder of ours lies beside the program, but for the pages.
        let file = Path::new(file);
        let place = file.strip_prefix("packaging").unwrap_or(file);
        fs::copy(workspace::root().join(file), inside.join(place))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }

    let archive = format!("{name}.tar.gz");
    Step::new("tar")
        .words("--sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw --format=gnu")
        .argument(format!("--mtime=@{}", epoch()))
        .argument("--use-compress-program=gzip --no-name --best")
        .words("--create --file")
        .argument(out.join(&archive))
        .argument("--directory")
        .argument(&packed)
        .argument(&name)
        .run()?;
    let bill = format!("{name}.cdx.json");
    fs::write(out.join(&bill), bill::of_materials()?)?;
    let mut sums = String::new();
    for file in [&archive, &bill] {
        sums += &format!("{}  {file}\n", sha256(&out.join(file))?);
    }
    fs::write(out.join("SHA256SUMS"), &sums)?;
    check(&out, &name)?;
    println!("in {}:\n{sums}", out.display());
    Ok(())
}

/// Unpacks the archive as its receiver does, and asks the program for its version.
fn check(out: &Path, name: &str) -> Outcome {
    let folder = folder()?.join("unpacked");
    remove(&folder)?;
    fs::create_dir_all(&folder)?;
    output(Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(out))?;
    let archive = out.join(format!("{name}.tar.gz"));
    output(Command::new("tar").arg("--extract").arg("--file").arg(archive).current_dir(&folder))?;
    let said = output(Command::new(folder.join(name).join("gemini-balance")).arg("--version"))?;
    let expected = format!("gemini-balance {}", version()?);
    if said.trim() == expected { Ok(()) } else { Err(format!("it says {said:?}").into()) }
}

/// The time of what is packed, in seconds since 1970: what `SOURCE_DATE_EPOCH` says, or that of the
/// last commit, or none.
pub(super) fn epoch() -> u64 {
    let told = env::var_os("SOURCE_DATE_EPOCH").and_then(|it| it.into_string().ok());
    let committed = || {
        let mut git = Command::new("git");
        git.current_dir(workspace::root()).args(["log", "-1", "--format=%ct"]);
        output(&mut git).ok()
    };
    told.or_else(committed).and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// What the compiler calls this system.
pub(super) fn host() -> Outcome<String> {
    let host = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    Ok(host.trim().to_owned())
}

fn cargo_home() -> Outcome<PathBuf> {
    let told = env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"));
    told.or_else(usual).ok_or_else(|| "neither CARGO_HOME nor HOME is set".into())
}
