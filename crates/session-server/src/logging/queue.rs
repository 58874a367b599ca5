//! The lines that wait to be written, and the thread that writes them.
//!
//! Who logs only copies a line into memory: neither a slow reader of the log nor a full disk stops a request. What does not
//! fit, or cannot be written, is lost and counted.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;

/// How many bytes of ordinary lines may wait: about 20,000 requests.
const ORDINARY_MAX_BYTES: usize = 8 << 20;

/// How many bytes of urgent lines may wait, in addition: about 4,000 warnings.
const URGENT_MAX_BYTES: usize = 1 << 20;

/// Lines are written in chunks of about this size: as much as a pipe holds, and no more, because an urgent line waits until
/// the chunk before it is written.
pub(super) const CHUNK_BYTES: usize = 64 << 10;

/// How long ordinary lines wait for others to be written with.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// How long to wait for a standard error that another process made non-blocking.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// How many lines were lost, by reason.
#[derive(Clone, Default)]
pub(crate) struct LostLines {
    /// Too many lines waited.
    pub(crate) queue_full: Counter,
    /// They could not be written.
    pub(crate) write_error: Counter,
}

impl LostLines {
    fn counts(&self) -> [u64; 2] {
        [self.queue_full.get(), self.write_error.get()]
    }
}

/// The lines that wait to be written.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Notified when there is something to write.
    filled: Condvar,
    /// Notified when everything is written.
    written: Condvar,
    lost: LostLines,
}

#[derive(Default)]
struct State {
    urgent: Lane,
    ordinary: Lane,
    /// When the oldest ordinary line was added.
    since: Option<Instant>,
    is_closed: bool,
    is_written: bool,
}

/// Whole lines in the order of their arrival.
#[derive(Default)]
struct Lane {
    chunks: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Lane {
    /// Appends a line, if it fits.
    fn push(&mut self, line: &[u8], max_bytes: usize) -> bool {
        if self.bytes + line.len() > max_bytes {
            return false;
        }
        self.bytes += line.len();
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() + line.len() <= CHUNK_BYTES => chunk.extend_from_slice(line),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK_BYTES.max(line.len()));
                chunk.extend_from_slice(line);
                self.chunks.push_back(chunk);
            }
        }
        true
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let chunk = self.chunks.pop_front()?;
        self.bytes -= chunk.len();
        Some(chunk)
    }
}

impl Queue {
    pub(super) fn new(lost: LostLines) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), written: Condvar::new(), lost }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, which ends with a line feed. An urgent line has a reserved place that ordinary ones cannot take, and is
    /// written first and at once.
    pub(super) fn push(&self, line: &[u8], is_urgent: bool) {
        let mut state = self.lock();
        let (fits, wakes) = if is_urgent {
            (state.urgent.push(line, URGENT_MAX_BYTES), true)
        } else {
            let chunks = state.ordinary.chunks.len();
            let fits = state.ordinary.push(line, ORDINARY_MAX_BYTES);
            let grew = state.ordinary.chunks.len() > chunks;
            if grew && chunks == 0 {
                state.since = Some(Instant::now());
            }
            // The first line starts the writer's timer, and a full chunk is written before it ends.
            (fits, grew)
        };
        drop(state);
        if !fits {
            self.lost.queue_full.inc();
        } else if wakes {
            self.filled.notify_one();
        }
    }

    /// Waits for the next chunk to write. Returns `None` once the queue is closed and empty.
    fn next(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        loop {
            if let Some(chunk) = state.urgent.pop() {
                return Some(chunk);
            }
            let age = state.since.map(|since| since.elapsed());
            let is_due = state.is_closed
                || state.ordinary.chunks.len() > 1
                || age.is_some_and(|age| age >= FLUSH_INTERVAL);
            if is_due && let Some(chunk) = state.ordinary.pop() {
                if state.ordinary.chunks.is_empty() {
                    state.since = None;
                }
                return Some(chunk);
            }
            if state.is_closed {
                return None;
            }
            state = match age {
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(age) => {
                    let rest = FLUSH_INTERVAL.saturating_sub(age);
                    self.filled.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Writes lines to `target` until the queue is closed and empty. `report` makes the line that reports how many lines
    /// were lost, by reason, since the last such line.
    pub(super) fn write_to(&self, target: impl Write, report: impl Fn([u64; 2]) -> Vec<u8>) {
        let mut writer =
            Writer { target, report, lost: self.lost.clone(), reported: [0; 2], torn: Vec::new() };
        while let Some(chunk) = self.next() {
            writer.write(&chunk);
        }
        // For losses that were not followed by a line.
        writer.write(&[]);
        self.lock().is_written = true;
        self.written.notify_all();
    }

    /// Takes no further part in writing once everything is written or `timeout` has passed.
    pub(super) fn close(&self, timeout: Duration) {
        let mut state = self.lock();
        state.is_closed = true;
        self.filled.notify_one();
        // Whether it was written in time: there is nobody left to tell.
        let _ = self.written.wait_timeout_while(state, timeout, |state| !state.is_written);
    }
}

/// What the thread needs to survive a failed write.
struct Writer<W, R> {
    target: W,
    report: R,
    lost: LostLines,
    /// The losses that the log has reported.
    reported: [u64; 2],
    /// The end of a line whose beginning was written: without it the next line would not start at a line's start.
    torn: Vec<u8>,
}

impl<W: Write, R: Fn([u64; 2]) -> Vec<u8>> Writer<W, R> {
    /// Writes whole lines. After an error, the lines that were not begun are lost; the next ones are tried again.
    fn write(&mut self, lines: &[u8]) {
        let counts = self.lost.counts();
        let mut batch = std::mem::take(&mut self.torn);
        let torn = batch.len();
        if counts != self.reported {
            batch.extend((self.report)([counts[0] - self.reported[0], counts[1] - self.reported[1]]));
        }
        let reported = batch.len();
        batch.extend_from_slice(lines);
        let written = self.write_until_error(&batch);
        if written > torn || reported == torn {
            // Begun, so its end will be written.
            self.reported = counts;
        }
        if written == batch.len() {
            return;
        }
        let is_inside = if written == 0 { torn > 0 } else { batch[written - 1] != b'\n' };
        let end_of_line = batch[written..].iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let next_line = if is_inside { written + end_of_line } else { written };
        let lost = batch[next_line.max(reported)..].split_inclusive(|byte| *byte == b'\n').count();
        self.lost.write_error.inc_by(lost as u64);
        batch.truncate(next_line);
        batch.drain(..written);
        self.torn = batch;
    }

    /// Returns how many bytes were written before an error, or all.
    fn write_until_error(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.target.write(&bytes[written..]) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_INTERVAL),
                Err(_) => break,
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc;

    use proptest::prelude::*;

    use super::*;

    fn report([queue_full, write_error]: [u64; 2]) -> Vec<u8> {
        format!("lost {queue_full} {write_error}\n").into_bytes()
    }

    /// A target that takes as many bytes as each number says and fails at each zero; then it takes everything.
    struct Faulty {
        takes: VecDeque<usize>,
        text: Vec<u8>,
    }

    impl Write for Faulty {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = match self.takes.pop_front() {
                Some(0) => return Err(io::Error::from(ErrorKind::StorageFull)),
                Some(count) => count.min(bytes.len()),
                None => bytes.len(),
            };
            self.text.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn whatever_fails_every_line_is_whole_and_every_lost_one_is_reported(
            takes in proptest::collection::vec(prop_oneof![Just(0), 0..40_usize], 0..40),
            chunks in proptest::collection::vec(proptest::collection::vec("[a-z]{1,12}", 0..5), 1..20),
        ) {
            let target = Faulty { takes: takes.into(), text: Vec::new() };
            let lost = LostLines::default();
            let mut writer = Writer { target, report, lost, reported: [0; 2], torn: Vec::new() };
            for chunk in &chunks {
                let lines: Vec<u8> = chunk.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
                writer.write(&lines);
            }
            writer.target.takes.clear();
            writer.write(b"");
            let text = String::from_utf8(writer.target.text).unwrap();
            let (reports, lines): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with("lost "));
            let mut sent = chunks.iter().flatten();
            prop_assert!(lines.iter().all(|line| sent.any(|sent| sent == line)), "whole, and in order: {text}");
            let counts = reports.iter().map(|line| line.strip_prefix("lost 0 ").unwrap().parse::<usize>().unwrap());
            prop_assert_eq!(lines.len() + counts.sum::<usize>(), chunks.iter().flatten().count());
        }
    }

    /// A target whose reader is gone or slow: each write waits for a permit.
    struct Stalled {
        permits: mpsc::Receiver<()>,
        text: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
            self.text.send(bytes.to_vec()).map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_target_loses_ordinary_lines_but_no_urgent_one_and_stops_nobody() {
        let (permit, permits) = mpsc::channel();
        let (sent, text) = mpsc::channel();
        let lost = LostLines::default();
        let queue = Queue::new(lost.clone());
        let line = format!("{}\n", "o".repeat(1_023));
        let count = 2 * ORDINARY_MAX_BYTES / line.len();
        // Checked after the thread has ended, because a panic before would wait for it.
        let (waiting, first, was_written, dropped) = thread::scope(|scope| {
            scope.spawn(|| queue.write_to(Stalled { permits, text: sent }, report));
            for _ in 0..count {
                queue.push(line.as_bytes(), false);
            }
            queue.push(b"urgent\n", true);
            let waiting = queue.lock().ordinary.bytes;
            permit.send(()).unwrap();
            permit.send(()).unwrap();
            let first = String::from_utf8([text.recv().unwrap(), text.recv().unwrap()].concat()).unwrap();
            queue.close(Duration::from_millis(1));
            let was_written = queue.lock().is_written;
            let dropped = lost.queue_full.get();
            for _ in 0..count {
                permit.send(()).unwrap();
            }
            queue.close(Duration::from_mins(1));
            (waiting, first, was_written, dropped)
        });
        assert!(waiting <= ORDINARY_MAX_BYTES && waiting > ORDINARY_MAX_BYTES - line.len(), "{waiting}");
        assert!(first.contains("urgent\n"), "after no more than the chunk that was being written");
        assert!(!was_written, "it can be closed although nothing can be written");
        assert!(dropped >= (count / 2 - CHUNK_BYTES / line.len()) as u64, "{dropped}");
        let all = first + &String::from_utf8(text.try_iter().collect::<Vec<_>>().concat()).unwrap();
        let ordinary = all.lines().filter(|line| line.starts_with('o')).count();
        assert_eq!(ordinary as u64 + dropped, count as u64);
        let reported = all.lines().filter_map(|line| line.strip_prefix("lost ")?.strip_suffix(" 0"));
        assert_eq!(reported.map(|count| count.parse::<u64>().unwrap()).sum::<u64>(), dropped);
    }
}
