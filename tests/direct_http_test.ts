import { assertEquals, assertRejects } from "@std/assert";
import { DirectHttp } from "../src/direct_http.ts";
import { RawServer } from "./device/raw_server.ts";

const NEVER = new AbortController().signal;

async function answerTo(bytes: string): Promise<Response> {
  await using server = new RawServer(bytes);
  const response = await new DirectHttp().fetch(new URL(`http://${server.endpoint}/x`), { signal: NEVER });
  return new Response(await response.text() || null, response);
}

Deno.test("DirectHttp: status, headers and body as fetch gives them", async () => {
  const response = await answerTo("HTTP/1.1 404 No\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: 2\r\n\r\nno");
  assertEquals([response.status, response.headers.get("x-one"), await response.text()], [404, "1, 2", "no"]);
  const chunked = await answerTo(
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
  );
  assertEquals(await chunked.text(), "abc");
  for (const status of [204, 304]) {
    const bodiless = await answerTo(`HTTP/1.1 ${status} X\r\n\r\n`);
    assertEquals([bodiless.status, await bodiless.text()], [status, ""]);
  }
  const after = await answerTo("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
  assertEquals([after.status, await after.text()], [200, "a"]);
});

Deno.test("DirectHttp: redirects are answers, never followed", async () => {
  await using elsewhere = new RawServer("HTTP/1.1 200 OK\r\n\r\n");
  const response = await answerTo(`HTTP/1.1 302 F\r\nLocation: http://${elsewhere.endpoint}/\r\n\r\n`);
  assertEquals([response.status, elsewhere.received.length], [302, 0]);
});

Deno.test("DirectHttp: answers that are none are failures, and none of them is waited for", async () => {
  const table = [
    "",
    "nonsense\r\n\r\n",
    "HTTP/1.1 999 X\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    `HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}\r\n\r\n`,
  ];
  for (const bytes of table) {
    await assertRejects(() => answerTo(bytes), TypeError, "Cannot", bytes.slice(0, 60));
  }
});

Deno.test("DirectHttp: a body that is cut is an error of the body", async () => {
  await assertRejects(() => answerTo("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), Error);
});

Deno.test("DirectHttp: an abort before, while it waits, and while it reads", async () => {
  const reason = new Error("told to stop");
  const http = new DirectHttp();
  await using silent = new RawServer("", { stays: true });
  await using stalling = new RawServer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", { stays: true });

  const before = http.fetch(new URL(`http://${silent.endpoint}/`), { signal: AbortSignal.abort(reason) });
  assertEquals(await assertRejects(() => before, Error), reason);
  assertEquals(silent.received, []);

  const waits = new AbortController();
  const waiting = http.fetch(new URL(`http://${silent.endpoint}/`), { signal: waits.signal });
  const ended = assertRejects(() => waiting, Error);
  await silent.untilAsked();
  waits.abort(reason);
  assertEquals(await ended, reason);

  const reads = new AbortController();
  const response = await http.fetch(new URL(`http://${stalling.endpoint}/`), { signal: reads.signal });
  const reading = assertRejects(() => response.text(), Error);
  reads.abort(reason);
  await reading;
});

Deno.test("DirectHttp: a request is sent as it is, with the length of its body in bytes", async () => {
  await using server = new RawServer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const http = new DirectHttp();
  const url = new URL(`http://${server.endpoint}/path?x=1`);
  await (await http.fetch(url, { method: "POST", body: "é", headers: { "x-y": "z" }, signal: NEVER })).text();
  await (await http.fetch(url, { signal: NEVER })).text();
  const [post = "", get = ""] = server.received;
  assertEquals(post.split("\r\n")[0], "POST /path?x=1 HTTP/1.1");
  assertEquals([/content-length: 2\r\n/i.test(post), /x-y: z\r\n/i.test(post)], [true, true]);
  assertEquals(get.split("\r\n")[0], "GET /path?x=1 HTTP/1.1");
  assertEquals(/content-length|transfer-encoding/i.test(get), false);
});
