//! A run of the suite: the store that it needs, and servers on copies of that store.

use std::path::Path;
use std::sync::Arc;

use session_test_support::Contract;
use session_test_support::launcher::WITHOUT_LIFETIMES;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::report::{Failed, Report};
use crate::server::{Program, Server};
use crate::suite::Suite;
use crate::world::World;
use crate::{coverage, routes, rules, schemas, security, statuses, values};

/// The contract in this file.
pub(crate) fn read(spec: &Path) -> Result<Arc<Contract>, Failed> {
    let text = std::fs::read_to_string(spec)
        .map_err(|error| Failed(format!("{} cannot be read: {error}", spec.display())))?;
    let contract = Contract::parse(&text).map_err(|error| {
        let advice = "fix what `cargo xtask check --static` reports";
        Failed(format!("{} has problems; {advice}: {error}", spec.display()))
    })?;
    Ok(Arc::new(contract))
}

/// A runtime for one run of the suite.
pub(crate) fn runtime() -> Result<Runtime, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failed(format!("no runtime: {error}")))
}

/// A store with what the requests are about, in a folder of its own.
pub(crate) fn prepare(program: &Program) -> Result<(TempDir, World), Failed> {
    let folder = || tempfile::tempdir().map_err(|error| Failed(format!("no temporary folder: {error}")));
    let (prepared, elsewhere) = (folder()?, folder()?);
    let world = World::prepare(program, prepared.path(), elsewhere.path())?;
    Ok((prepared, world))
}

/// Runs the suite and returns all that it found.
pub(crate) fn run(spec: &Path, program: &Program) -> Result<Report, Failed> {
    let suite = Suite::new(read(spec)?)?;
    schemas::check(&suite);
    let (prepared, world) = prepare(program)?;
    runtime()?.block_on(ask(&suite, &world, program, prepared.path()))?;
    Ok(suite.report.into_inner())
}

/// Asks servers of the program, each on a copy of the prepared store, and checks that they gave every documented response.
pub(crate) async fn ask(
    suite: &Suite,
    world: &World,
    program: &Program,
    prepared: &Path,
) -> Result<(), Failed> {
    for operation in suite.contract.operations() {
        suite.check(world.known.contains(&operation.id), "operation-unknown", &operation.pointer, || {
            format!("{}: sessiond has no operation of this ID", operation.id)
        });
    }
    for id in &world.known {
        suite.check(
            suite.contract.operations().iter().any(|operation| operation.id == *id),
            "operation-undocumented",
            "",
            || format!("{id}: sessiond has this operation, openapi.json does not"),
        );
    }
    // Each part has a server of its own: one with a fault may change more than it was asked to, and the findings would
    // depend on the order of the requests.
    let start = || Server::start(program, prepared, WITHOUT_LIFETIMES);
    let values = async {
        let server = start().await?;
        values::check(suite, world, server.address).await;
        Ok(())
    };
    let security = async {
        let server = start().await?;
        security::check(suite, world, server.address).await;
        Ok(())
    };
    let statuses = async {
        let server = start().await?;
        statuses::ordinary(suite, world, server.address).await;
        Ok(())
    };
    let rules = async {
        let server = start().await?;
        rules::check(suite, world, server.address).await;
        routes::check(suite, server.address).await;
        Ok(())
    };
    tokio::try_join!(
        values,
        security,
        statuses,
        rules,
        statuses::limited(suite, world, program, prepared),
        statuses::disabled(suite, world, program, prepared),
        statuses::broken(suite, world, program, prepared),
        statuses::waiting(suite, world, program, prepared),
        statuses::expired(suite, world, program, prepared),
        statuses::stalled(suite, world, program, prepared),
    )?;
    world.suffice()?;
    coverage::check(suite);
    Ok(())
}
