// better-auth with its sessions in Redis and its accounts in memory: its own operation returns the session.
// `node better-auth.mjs REDIS_PORT SESSIONS`: prints a cookie for each session, then the address.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { createClient } from "redis";
import { listen, user } from "./listen.mjs";

const [redisPort, sessions] = process.argv.slice(2).map(Number);
const client = await createClient({ socket: { host: "127.0.0.1", port: redisPort } }).connect();

const auth = betterAuth({
    secret: randomUUID(),
    baseURL: "http://127.0.0.1",
    database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
    secondaryStorage: {
        get: (key) => client.get(key),
        set: (key, value, seconds) => client.set(key, value, seconds ? { EX: seconds } : {}),
        delete: (key) => client.del(key),
    },
    // The cost of a password is no part of the measurement.
    emailAndPassword: {
        enabled: true,
        password: { hash: async (password) => password, verify: async ({ hash, password }) => hash === password },
    },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    trustedOrigins: ["http://127.0.0.1:*"],
});
const account = { email: "bench@example.com", password: "bench-password", name: "Bench" };
await auth.api.signUpEmail({ body: account });

await listen(createServer(toNodeHandler(auth)), sessions, (url) =>
    fetch(`${url}/api/auth/sign-in/email`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: url, "user-agent": user.user_agent },
        body: JSON.stringify(account),
    }));
