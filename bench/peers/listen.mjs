// What both servers share: the content of a session, and the start.

import { createServer } from "node:http";

// As large as a response of sessiond.
const userAgent = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro Build/UQ1A.240205.004; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    + "Version/4.0 Chrome/121.0.6167.178 Mobile Safari/537.36 Example/512.0.0.42 (arm64; 1344x2992; en_GB)";
export const user = { id: "013xrzp12g3nqk8n6cyr5x0k8yb10h59", user_agent: userAgent, more: "x".repeat(650) };

// Listens on a free port, prints a line `cookie: …` for each session that `create` makes, and then the address.
export async function listen(handler, sessions, create) {
    const server = typeof handler === "function" ? createServer(handler) : handler;
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = `127.0.0.1:${server.address().port}`;
    for (let number = 0; number < sessions; number += 1) {
        const response = await create(`http://${address}`);
        const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(";")[0]);
        if (!response.ok || cookies.length === 0) {
            throw new Error(`no session was created: ${response.status} ${await response.text()}`);
        }
        await response.arrayBuffer();
        console.log(`cookie: ${cookies.join("; ")}`);
    }
    console.log(`listening on http://${address}`);
}
