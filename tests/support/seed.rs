//! The session of the reference page, value by value.

/// The account.
pub const ACCOUNT_ID: &str = "013xrzp12g3nqk8n6cyr5x0k8yb10h59";
/// The identity that authenticated.
pub const IDENTITY_ID: &str = "013xrzp12g3nqk8n3f5qv5e2r757shwd";
/// The device.
pub const DEVICE_ID: &str = "013xrzp12g3nqk8ncwfp3ra29yjzx1gs";
/// The domain.
pub const DOMAIN_ID: &str = "013xrzp12g3nqk8n32sd3jyxq5a8ywe2";
/// The session.
pub const SESSION_ID: &str = "013xrzp12g3nqk8nkv4y96wrbzje9dsr";
/// The pool.
pub const POOL_ID: &str = "013xrzp12g3nqk8ng09nmc8kwqzfafa2";
/// The time of both interactions, in seconds.
pub const AT: u64 = 1_234_567_890;
/// The address of both interactions.
pub const REMOTE_IP: &str = "127.0.0.1";
/// The user agent of both interactions.
pub const USER_AGENT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 \
                              (KHTML, like Gecko) Chrome/91.0.4472.114 Safari/537.36";

/// The summary that the page shows, but for `title`, of which it gives no example.
pub fn summary() -> serde_json::Value {
    let seen = serde_json::json!({ "at": AT, "remote_ip": REMOTE_IP, "user_agent": USER_AGENT });
    serde_json::json!({
        "account_id": ACCOUNT_ID,
        "authenticated_identity_id": IDENTITY_ID,
        "device_id": DEVICE_ID,
        "domain_id": DOMAIN_ID,
        "first_seen": seen,
        "id": SESSION_ID,
        "last_seen": seen,
        "pool_id": POOL_ID,
        "session_type": "browser",
        "status": "new",
        "type": "session",
    })
}
