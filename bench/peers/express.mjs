// express with express-session and its sessions in Redis: the handler returns the session.
// `node express.mjs REDIS_PORT SESSIONS`: prints a cookie for each session, then the address.

import { randomUUID } from "node:crypto";
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";
import { listen, user } from "./listen.mjs";

const [redisPort, sessions] = process.argv.slice(2).map(Number);
const client = await createClient({ socket: { host: "127.0.0.1", port: redisPort } }).connect();

const app = express();
app.disable("x-powered-by");
app.use(session({
    store: new RedisStore({ client, disableTouch: true }),
    secret: randomUUID(),
    resave: false,
    saveUninitialized: false,
}));
app.post("/session", (request, response) => {
    request.session.user = user;
    response.json({});
});
app.get("/session", (request, response) => {
    if (!request.session.user) {
        response.status(401).end();
        return;
    }
    response.json(request.session.user);
});

await listen(app, sessions, (url) => fetch(`${url}/session`, { method: "POST" }));
