import { assert, assertEquals, assertRejects } from "@std/assert";
import { denoWorld } from "../../src/deno_world.ts";
import { type AttestationVerdict, attestDevice } from "../../src/ota_agent/attestation.ts";
import { parseDiceCertificate } from "../../src/ota_agent/dice_certificate.ts";
import { diceCertificate } from "../builders/certificates.ts";
import { startAttestation } from "../lab/attestation.ts";
import { quietLog } from "./agent_run.ts";

const world = denoWorld(quietLog);
const device = await diceCertificate();
const certificate = parseDiceCertificate(device.der);

function ask(url: string, timeout = 700, signal = new AbortController().signal): Promise<AttestationVerdict> {
  return attestDevice({ url: new URL(url), certificate }, world, { timeout, signal });
}

function words(verdict: AttestationVerdict): string {
  return verdict.kind === "unavailable" ? `${verdict.fault} ${verdict.status ?? ""}`.trim() : verdict.kind;
}

/** A server that answers every request with the same bytes; counts them. */
function answering(answer: string): AsyncDisposable & { url: string; requests: string[] } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests: string[] = [];
  const served = (async () => {
    for await (const connection of listener) {
      const buffer = new Uint8Array(4096);
      const length = await connection.read(buffer);
      requests.push(new TextDecoder().decode(buffer.subarray(0, length ?? 0)));
      await connection.write(new TextEncoder().encode(answer));
      connection.close();
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    requests,
    async [Symbol.asyncDispose]() {
      listener.close();
      await served;
    },
  };
}

const status = (line: string, more = ""): string => `HTTP/1.1 ${line}\r\nContent-Length: 0\r\n${more}\r\n`;

/** Answer, verdict, and whether it is asked again. */
const ANSWERS: readonly (readonly [string, string, "once" | "again"])[] = [
  [status("200 OK"), "genuine", "once"],
  [status("401 Unauthorized"), "refused", "once"],
  [status("403 Forbidden"), "refused", "once"],
  [status("201 Created"), "status 201", "once"],
  [status("204 No Content"), "status 204", "once"],
  [status("302 Found", "Location: http://127.0.0.1:1/\r\n"), "status 302", "once"],
  [status("404 Not Found"), "status 404", "once"],
  [status("405 Method Not Allowed"), "status 405", "once"],
  [status("429 Too Many Requests"), "status 429", "again"],
  [status("500 Internal Server Error"), "status 500", "again"],
  [status("503 Service Unavailable"), "status 503", "again"],
  ["", "broken", "again"],
  ["SSH-2.0-OpenSSH_9.2\r\n", "broken", "again"],
];

for (const [answer, verdict, times] of ANSWERS) {
  Deno.test(`attestDevice: ${JSON.stringify(answer.slice(0, 30))} is ${verdict}, asked ${times}`, async () => {
    await using server = answering(answer);
    const result = await ask(server.url);
    assertEquals(words(result), verdict, JSON.stringify(result));
    if (times === "once") assertEquals(server.requests.length, 1);
    else assert(server.requests.length > 1);
  });
}

Deno.test("attestDevice: posts the certificate as PEM in plain text, and fits what the server reads", async () => {
  await using server = startAttestation({ registered: [device] });
  assertEquals((await ask(server.url)).kind, "genuine");
  const [request] = server.requests;
  assertEquals(request?.method, "POST");
  assertEquals(request?.headers["content-type"], "text/plain");
  assertEquals(request?.body, device.pem);
});

Deno.test("attestDevice: a device that the server does not know is refused", async () => {
  await using server = startAttestation({ registered: [] });
  assertEquals((await ask(server.url)).kind, "refused");
});

Deno.test("attestDevice: nothing listens, no such host, hangs: each told apart and within its time", async () => {
  await using down = startAttestation({ mode: "down" });
  await using hangs = startAttestation({ mode: "hang" });
  for (const [url, fault] of [[down.url, "unreachable"], [hangs.url, "timeout"]] as const) {
    const start = Date.now();
    assertEquals(words(await ask(url, 300)), fault);
    assert(Date.now() - start < 3_000);
  }
});

Deno.test("attestDevice: an attempt that time cuts short does not hide what the one before has found", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open: Deno.Conn[] = [];
  const served = (async () => {
    for await (const connection of listener) {
      open.push(connection);
      if (open.length > 1) continue;
      await connection.read(new Uint8Array(4096));
      await new Promise((resolve) => setTimeout(resolve, 350));
      await connection.write(new TextEncoder().encode(status("500 Internal Server Error")));
    }
  })();
  const url = new URL(`http://127.0.0.1:${listener.addr.port}`);
  const eager = { ...world, random: () => 0 };
  const options = { timeout: 700, signal: new AbortController().signal };
  assertEquals(words(await attestDevice({ url, certificate }, eager, options)), "status 500");
  listener.close();
  for (const connection of open) connection.close();
  await served;
});

Deno.test("attestDevice: a server that comes back in time authorises", async () => {
  await using server = startAttestation({ mode: "500", timings: 0.001 });
  const asked = ask(server.url, 5_000);
  while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  server.mode = "ok";
  assertEquals((await asked).kind, "genuine");
});

Deno.test("attestDevice: a proxy of the environment is not used", async () => {
  await using proxy = answering(status("200 OK"));
  await using server = startAttestation({ mode: "401", timings: 0.001 });
  Deno.env.set("HTTP_PROXY", proxy.url);
  try {
    assertEquals((await ask(server.url)).kind, "refused");
    assertEquals(proxy.requests.length, 0);
  } finally {
    Deno.env.delete("HTTP_PROXY");
  }
});

Deno.test("attestDevice: rejects with the signal's reason", async () => {
  await using server = startAttestation({ mode: "hang" });
  const stop = new AbortController();
  const asked = ask(server.url, 10_000, stop.signal);
  stop.abort(new RangeError("enough"));
  await assertRejects(() => asked, RangeError, "enough");
});
