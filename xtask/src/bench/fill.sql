-- :sessions live sessions of one pool, each with the event of its creation, minted within the last hour as sessiond mints
-- them: an ID is 50 bits of the time in milliseconds, 30 of a sequence and 80 random ones. Of ten sessions, six have an
-- account and an identity, four of those a device as well.
CREATE FUNCTION pg_temp.id(ms BIGINT, n BIGINT) RETURNS BYTEA LANGUAGE SQL AS $$
    SELECT substring(int8send(ms >> 2) FROM 3) || substring(int8send((ms & 3) << 30 | n & 1073741823) FROM 5)
        || substring(decode(md5(n::TEXT || random()::TEXT), 'hex') FOR 10)
$$;

CREATE TEMPORARY TABLE made AS
SELECT n, at, pg_temp.id(at, n) AS id, pg_temp.id(at, n + 1) AS event_id
FROM (SELECT n, (extract(epoch FROM now()) * 1000)::BIGINT - 3600000 + n * 3600000 / :sessions AS at
      FROM generate_series(1, :sessions::BIGINT) AS n) AS numbers;

INSERT INTO session (id, domain_id, pool_id, session_type, created_at, status, account_id, identity_id, device_id, title,
    first_seen_at, first_seen_ip, first_seen_user_agent, last_seen_at, last_seen_ip, last_seen_user_agent, token_hash,
    expires_at, expires_minute, revision)
SELECT id, :'domain', :'pool', 'browser', at,
    CASE WHEN n % 10 < 6 THEN 'authenticated' ELSE 'unauthenticated' END,
    CASE WHEN n % 10 < 6 THEN pg_temp.id(1700000000000 + n / 2, n / 2) END,
    CASE WHEN n % 10 < 6 THEN pg_temp.id(1700000000000 + n / 2, n / 2) END,
    CASE WHEN n % 10 < 4 THEN pg_temp.id(1700000000000 + n, n) END,
    'Chrome on macOS',
    at, '203.0.113.' || n % 256, agent, at, '203.0.113.' || n % 256, agent,
    decode(md5(n::TEXT || 'a') || md5(n::TEXT || 'b'), 'hex'),
    at + 1209600000, (at + 1209600000) / 60000, 1
FROM made, (SELECT 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) '
    || 'Chrome/91.0.4472.114 Safari/537.36' AS agent) AS agents
ORDER BY n;

INSERT INTO event (session_id, id, action, actor_kind, actor_id, request_id)
SELECT id, event_id, 'created', 'key', :'pool', substr(md5(n::TEXT), 1, 26) FROM made ORDER BY n;
