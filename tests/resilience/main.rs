//! `resilience`: runs `sessiond` through crashes, races, damaged stores, jumps of the clock and silent connections, and three
//! nodes on PostgreSQL through all that may fail between them. It checks that nothing acknowledged is lost, no dead token is accepted, some order explains every response, and none is 500.
//!
//! Standard output has a line of counts for each part, its first findings, and a last line with the totals. The exit code
//! is 0 without findings, 1 with some, and 2 if the program could not do its work.

#![expect(clippy::print_stderr, reason = "the one line that says why there is no result")]

mod clock;
mod connections;
mod crash;
mod elsewhere;
mod events;
mod failures;
mod history;
mod load;
mod model;
mod nodes;
mod races;
mod random;
mod report;
mod rounds;
mod scene;
mod server;
mod service;
mod shortages;
mod stores;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use session_test_support::fault_proxy::FaultProxy;
use session_test_support::faults::{self, Keyring};
use session_test_support::raise_file_limit;

use crate::report::{Failed, Outcome};
use crate::server::Target;

/// Check that sessiond withstands crashes, races, damaged stores, jumps of the clock and silent connections.
#[derive(Clone, Debug, Parser)]
#[command(name = "resilience")]
struct Arguments {
    /// The program under test
    #[arg(long, value_name = "PROGRAM")]
    sessiond: PathBuf,
    /// A part to run; repeatable; without it, every part runs
    #[arg(long = "part", value_name = "PART", value_enum)]
    parts: Vec<Part>,
    /// How often the server is killed
    #[arg(long, value_name = "N", default_value_t = 50)]
    kills: u64,
    /// How often one of the nodes on PostgreSQL is killed
    #[arg(long, value_name = "N", default_value_t = 200)]
    node_kills: u64,
    /// How often PostgreSQL is killed
    #[arg(long, value_name = "N", default_value_t = 5)]
    database_kills: u64,
    /// How many sessions are revoked on one node and read on another
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    revocations: usize,
    /// Have PostgreSQL forget sessions when it is killed, panics or is replaced by a standby, to test this program
    #[arg(long)]
    forgetful: bool,
    /// Put a proxy with a cache that is not told of changes in front of every server, to test this program
    #[arg(long, conflicts_with = "fault")]
    stale: bool,
    /// How long clients race, in seconds; at least one race is run
    #[arg(long, value_name = "N", default_value_t = 30)]
    seconds: u64,
    /// The seed of all random choices; without it, one of the current time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Put a proxy with this seeded fault in front of every server, to test this program
    #[arg(long, value_name = "NAME")]
    fault: Option<String>,
}

/// A part of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// `kill -9` under mixed load
    Crash,
    /// Many clients on one session
    Races,
    /// Damaged, missing, full and read-only stores
    Stores,
    /// Jumps of the clock
    Clock,
    /// Silent connections
    Connections,
    /// Nodes on PostgreSQL: `kill -9` of nodes under mixed load, one of them with a clock that is ahead
    Nodes,
    /// `kill -9` of PostgreSQL
    Database,
    /// A standby is promoted
    Failover,
    /// PostgreSQL is silent, late, slow and gone, and connections are reset
    Proxy,
    /// PostgreSQL responds 30 s late
    Late,
    /// One node is cut off
    CutOff,
    /// All connections of PostgreSQL are taken
    Exhausted,
    /// The disk of PostgreSQL is full
    FullDisk,
    /// The disk of PostgreSQL's write-ahead log is full
    FullLog,
    /// A streaming standby is in the place of the primary
    Standby,
    /// PostgreSQL is read-only
    ReadOnly,
    /// Sessions are revoked on one node and read on another
    Elsewhere,
    /// Many clients on one session, on three nodes
    NodeRaces,
}

impl Part {
    async fn run(self, arguments: &Arguments, target: &Target, seed: u64) -> Result<Outcome, Failed> {
        match self {
            Self::Stores => stores::run(target).await,
            Self::Clock => clock::run(target).await,
            Self::Connections => connections::run(target).await,
            Self::Crash => crash::run(target, arguments.kills, seed).await,
            Self::Races => races::run(target, Duration::from_secs(arguments.seconds), seed).await,
            Self::Nodes => failures::nodes(target, arguments.node_kills, seed).await,
            Self::Database => {
                failures::kill(target, arguments.database_kills, arguments.forgetful, seed).await
            }
            Self::Failover => failures::failover(target, seed).await,
            Self::Proxy => failures::proxy(target, seed).await,
            Self::Late => failures::late(target, seed).await,
            Self::CutOff => failures::cut_off(target, seed).await,
            Self::Exhausted => shortages::connections(target, seed).await,
            Self::FullDisk => shortages::disk(target, seed).await,
            Self::FullLog => shortages::log_disk(target, arguments.forgetful, seed).await,
            Self::Standby => shortages::standby(target, arguments.forgetful, seed).await,
            Self::ReadOnly => shortages::read_only(target, seed).await,
            Self::Elsewhere => elsewhere::revocations(target, arguments.revocations).await,
            Self::NodeRaces => elsewhere::races(target, Duration::from_secs(arguments.seconds), seed).await,
        }
    }

    /// The lane that it runs in. The lanes take about as long as each other on two cores.
    const fn lane(self) -> usize {
        match self {
            // They need the processor.
            Self::Crash | Self::Nodes | Self::Elsewhere => 0,
            // They wait for most of the time that the others take.
            Self::Connections | Self::Late | Self::Races | Self::NodeRaces => 2,
            _ => 1,
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// When a run counts as hung: half as long again as it may take.
const HUNG_AFTER: Duration = Duration::from_mins(15);

#[tokio::main]
async fn main() -> ExitCode {
    raise_file_limit();
    let (arguments, mut out) = (Arguments::parse(), std::io::stdout());
    let run = tokio::time::timeout(HUNG_AFTER, run(&arguments, &mut out)).await;
    match run.unwrap_or_else(|_| Err(Failed(format!("it did not end within {HUNG_AFTER:?}")))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(Failed(reason)) => {
            eprintln!("resilience: {reason}");
            ExitCode::from(2)
        }
    }
}

/// Runs the parts and returns whether nothing was found.
async fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<bool, Failed> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let seed = arguments.seed.unwrap_or(now.as_secs());
    let fault = arguments.fault.as_ref().map(|name| {
        let fault = faults::all().find(|fault| fault.name == name);
        let unknown = || Failed(format!("{name} is none of the faults in tests/support/faults"));
        fault.map(|fault| FaultProxy::new(*fault, Keyring::default())).ok_or_else(unknown)
    });
    let target =
        Target { path: arguments.sessiond.clone(), fault: fault.transpose()?, stale: arguments.stale };
    let chosen = |part: &&Part| arguments.parts.is_empty() || arguments.parts.contains(part);
    let began = Instant::now();
    writeln!(out, "resilience: seed {seed}")?;
    let mut lanes = [Vec::new(), Vec::new(), Vec::new()];
    for part in Part::value_variants().iter().filter(chosen) {
        lanes[part.lane()].push(*part);
    }
    let lanes = lanes.into_iter().map(|parts| Lane::start(arguments, &target, seed, parts));
    let mut outcomes = Vec::new();
    for lane in lanes.collect::<Vec<_>>() {
        for (part, took, outcome) in lane.end().await? {
            outcome.write(&part.name(), took, out)?;
            outcomes.push(outcome);
        }
    }
    writeln!(out, "resilience: {} s", began.elapsed().as_secs())?;
    Ok(report::write_total(&outcomes, out)?)
}

/// The outcome of each part, and how long it took.
type Outcomes = Vec<(Part, Duration, Outcome)>;

/// Parts that run one after the other, beside those of other lanes, on a thread and a runtime of their own: none holds up
/// another while it waits for a process.
struct Lane(std::thread::JoinHandle<Result<Outcomes, Failed>>);

impl Lane {
    fn start(arguments: &Arguments, target: &Target, seed: u64, parts: Vec<Part>) -> Self {
        let (arguments, target) = (arguments.clone(), target.clone());
        Self(std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new()?;
            let mut outcomes = Vec::new();
            for part in parts {
                let began = Instant::now();
                let outcome = runtime.block_on(part.run(&arguments, &target, seed))?;
                outcomes.push((part, began.elapsed(), outcome));
            }
            Ok(outcomes)
        }))
    }

    /// Waits for the outcomes.
    async fn end(self) -> Result<Outcomes, Failed> {
        let ended = tokio::task::spawn_blocking(|| self.0.join()).await?;
        ended.unwrap_or_else(|_| Err(Failed("a part panicked".to_owned())))
    }
}
