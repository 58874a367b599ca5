//! What the programs of `cargo xtask bench` share: the session that every baseline responds with, of the size of those that
//! `fill` stores.

use serde::Serialize;

/// The user agent of an application's own browser: the long kind, so that a response has about 1.1 KB.
pub const USER_AGENT: &str = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro Build/UQ1A.240205.004; wv) AppleWebKit/537.36 \
    (KHTML, like Gecko) Version/4.0 Chrome/121.0.6167.178 Mobile Safari/537.36 Example/512.0.0.42 (arm64; 1344x2992; en_GB)";

/// The title of every session.
pub const TITLE: &str = "Chrome on Android";

/// The domain of every session.
pub const DOMAIN_ID: &str = "013xrzp12g3nqk8n32sd3jyxq5a8ywe2";

/// The pool of every session.
pub const POOL_ID: &str = "013xrzp12g3nqk8ng09nmc8kwqzfafa2";

/// The response of every baseline, with the fields of a real one.
#[derive(Clone, Debug, Serialize)]
pub struct Fetched {
    actions: Actions,
    summary: Summary,
}

#[derive(Clone, Debug, Serialize)]
struct Actions {
    revoke: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Summary {
    account_id: &'static str,
    authenticated_identity_id: &'static str,
    device_id: &'static str,
    domain_id: &'static str,
    first_seen: Seen,
    id: &'static str,
    last_seen: Seen,
    pool_id: &'static str,
    session_type: &'static str,
    status: &'static str,
    title: &'static str,
    r#type: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Seen {
    at: f64,
    remote_ip: &'static str,
    user_agent: &'static str,
}

/// The same session each time.
pub const fn constant() -> Fetched {
    const SEEN: Seen = Seen { at: 1_795_956_905.483, remote_ip: "203.0.113.77", user_agent: USER_AGENT };
    Fetched {
        actions: Actions { revoke: true },
        summary: Summary {
            account_id: "013xrzp12g3nqk8n6cyr5x0k8yb10h59",
            authenticated_identity_id: "013xrzp12g3nqk8n3f5qv5e2r757shwd",
            device_id: "013xrzp12g3nqk8ncwfp3ra29yjzx1gs",
            domain_id: DOMAIN_ID,
            first_seen: SEEN,
            id: "013xrzp12g3nqk8nkv4y96wrbzje9dsr",
            last_seen: Seen { at: 1_795_956_999.125, ..SEEN },
            pool_id: POOL_ID,
            session_type: "browser",
            status: "authenticated",
            title: TITLE,
            r#type: "session",
        },
    }
}
