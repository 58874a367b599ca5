//! The cores of a measurement, and what the operating system knows about its processes.

use std::collections::BTreeMap;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

use crate::process::Failed;

/// The core of the server under test and that of the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    all: CpuSet,
    pub(crate) server: usize,
    pub(crate) load: usize,
}

impl Cores {
    /// Takes the first and the last core that this process may use: on most machines these do not share a physical one.
    pub(crate) fn choose() -> Result<Self, Failed> {
        let all = sched_getaffinity(None).map_err(|error| Failed(format!("the cores: {error}")))?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let first = usable.next().ok_or_else(|| Failed("this process may use no core".to_owned()))?;
        Ok(Self { all, server: first, load: usable.next_back().unwrap_or(first) })
    }

    /// Does work that starts processes, which then run on this core alone: they inherit it from this thread.
    pub(crate) fn on<T>(&self, core: usize, work: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
        let mut one = CpuSet::new();
        one.set(core);
        let set = |cores| {
            sched_setaffinity(None, cores)
                .map_err(|error| Failed(format!("this thread cannot run on core {core}: {error}")))
        };
        set(&one)?;
        let outcome = work();
        set(&self.all)?;
        outcome
    }
}

/// Has the processes that this one starts open as many files as the machine lets them.
pub(crate) fn raise_file_limit() -> Result<(), Failed> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .map_err(|error| Failed(format!("the limit of open files: {error}")))
}

/// The time on a processor that these processes have used so far, in user mode and in the kernel, in microseconds. Its
/// steps are those of the system's clock, 10 ms.
pub(crate) fn cpu_us(pids: &[u32]) -> Result<u64, Failed> {
    let ticks = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        ticks(&stat).ok_or_else(|| Failed(format!("the process {pid} has ended")))
    };
    let sum: u64 = pids.iter().map(ticks).sum::<Result<_, _>>()?;
    Ok(sum * 1_000_000 / rustix::param::clock_ticks_per_second())
}

/// `utime` and `stime` of `/proc/PID/stat`, the 14th and the 15th field (`proc_pid_stat(5)`). The second field, the name, may
/// contain spaces.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
    Some(fields.next()? + fields.next()?)
}

/// The memory of a process, in millions of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the unit")]
pub(crate) struct Memory {
    /// Resident; the sum of the next two and of shared memory.
    pub(crate) resident_mb: f64,
    pub(crate) anonymous_mb: f64,
    /// Pages of files that are mapped: the program itself, and of the store what SQLite maps.
    pub(crate) file_mb: f64,
    /// The most that was ever resident.
    pub(crate) peak_mb: f64,
}

impl Memory {
    /// That of this process now.
    pub(crate) fn of(pid: u32) -> Result<Self, Failed> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        Self::parse(&status).ok_or_else(|| Failed(format!("the memory of the process {pid} is unknown")))
    }

    /// Describes that of a `sessiond`.
    pub(crate) fn describe(pid: u32) -> Result<String, Failed> {
        let Self { resident_mb, peak_mb, .. } = Self::of(pid)?;
        Ok(format!("memory of sessiond: {resident_mb:.0} MB resident, {peak_mb:.0} MB at most"))
    }

    fn parse(status: &str) -> Option<Self> {
        let fields: BTreeMap<&str, &str> = status.lines().filter_map(|line| line.split_once(':')).collect();
        let mb = |name: &str| {
            let kib: f64 = fields.get(name)?.split_whitespace().next()?.parse().ok()?;
            Some((kib * 1.024).round() / 1000.0)
        };
        Some(Self {
            resident_mb: mb("VmRSS")?,
            anonymous_mb: mb("RssAnon")?,
            file_mb: mb("RssFile")?,
            peak_mb: mb("VmHWM")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_on_a_processor_is_that_of_the_user_and_the_kernel_whatever_the_name_of_the_program_is() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 7 7 20 0 3 0 1000 1 1";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("42 (short) S 1"), None);
    }

    #[test]
    fn memory_is_read_in_millions_of_bytes() {
        let status =
            "Name:\tx\nVmHWM:\t  300000 kB\nVmRSS:\t  200000 kB\nRssAnon:\t 150000 kB\nRssFile:\t 50000 kB\n";
        let memory = Memory::parse(status).unwrap();
        assert_eq!(memory, Memory { resident_mb: 204.8, anonymous_mb: 153.6, file_mb: 51.2, peak_mb: 307.2 });
        assert_eq!(Memory::parse("VmRSS:\t 1 kB\n"), None);
    }

    #[test]
    fn a_process_that_is_started_on_one_core_may_use_that_one_alone_and_later_ones_may_use_all() {
        let cores = Cores::choose().unwrap();
        let allowed = || {
            let output =
                std::process::Command::new("grep").args(["Cpus_allowed_list", "/proc/self/status"]).output();
            Ok(String::from_utf8(output.unwrap().stdout)
                .unwrap()
                .split_whitespace()
                .last()
                .unwrap()
                .to_owned())
        };
        let before: Result<String, Failed> = allowed();
        assert_eq!(cores.on(cores.load, allowed).unwrap(), cores.load.to_string());
        assert_eq!(allowed().unwrap(), before.unwrap());
    }
}
