//! Metrics in the OpenMetrics text format. No ID and no token is ever a label.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use session_api::Operation;
use strum::VariantArray;

use crate::logging::LostLines;

/// From a fetch served from the page cache to [`crate::storage::STORE_TIMEOUT`], in seconds.
const DURATION_BUCKETS: [f64; 9] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResponseLabels {
    operation: &'static str,
    status: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// The statuses of success that the contract has, with places of their own in [`Found`].
const SUCCESSES: [StatusCode; 2] = [StatusCode::OK, StatusCode::CREATED];

/// The metrics of one operation that nearly every request changes, once one has looked them up.
#[derive(Default)]
struct Found {
    duration: OnceLock<Histogram>,
    successes: [OnceLock<Counter>; SUCCESSES.len()],
}

/// The metrics of one server.
pub struct Metrics {
    registry: Registry,
    /// By operation.
    found: [Found; Operation::VARIANTS.len()],
    requests: Family<ResponseLabels, Counter>,
    durations: Family<OperationLabels, Histogram>,
    log_lines_dropped: Family<ReasonLabels, Counter>,
    nodes_with_other_settings: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sessiond");
        let requests = Family::default();
        registry.register("requests", "Requests by operation and status of the response", requests.clone());
        let durations: Family<OperationLabels, Histogram> =
            Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS));
        registry.register_with_unit(
            "request_duration",
            "Time from the arrival of a request at its operation to the response",
            Unit::Seconds,
            durations.clone(),
        );
        let log_lines_dropped = Family::default();
        let help = "Lines of the log that were lost, by reason";
        registry.register("log_lines_dropped", help, log_lines_dropped.clone());
        let nodes_with_other_settings = Gauge::default();
        let help = "Other nodes on the same store that have other lifetimes";
        registry.register("nodes_with_other_settings", help, nodes_with_other_settings.clone());
        let found = std::array::from_fn(|_| Found::default());
        Self { registry, found, requests, durations, log_lines_dropped, nodes_with_other_settings }
    }
}

impl Metrics {
    /// Counts a response and the time that it took.
    pub(crate) fn request(&self, operation: Operation, status: StatusCode, elapsed: Duration) {
        let (index, operation) = (operation as usize, Operation::VARIANTS[operation as usize].as_ref());
        let found = &self.found[index];
        found
            .duration
            .get_or_init(|| self.durations.get_or_create_owned(&OperationLabels { operation }))
            .observe(elapsed.as_secs_f64());
        let labels = ResponseLabels { operation, status: u32::from(status.as_u16()) };
        match SUCCESSES.iter().position(|success| *success == status) {
            Some(at) => {
                found.successes[at].get_or_init(|| self.requests.get_or_create_owned(&labels)).inc();
            }
            None => {
                self.requests.get_or_create(&labels).inc();
            }
        }
    }

    /// The counters of log lines that were lost.
    pub(crate) fn lost_log_lines(&self) -> LostLines {
        let counter = |reason| self.log_lines_dropped.get_or_create_owned(&ReasonLabels { reason });
        LostLines { queue_full: counter("queue_full"), write_error: counter("write_error") }
    }

    /// The number of other nodes that have other settings.
    pub(crate) fn nodes_with_other_settings(&self) -> Gauge {
        self.nodes_with_other_settings.clone()
    }

    /// Returns all metrics as text.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
