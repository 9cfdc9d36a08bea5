import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { denoWorld, systemClock } from "../../src/deno_world.ts";
import { parseDeviceAddress } from "../../src/device/device_address.ts";
import { DeviceClient, type InfoReading } from "../../src/device/device_client.ts";
import { DeviceError } from "../../src/device/device_error.ts";
import { DirectHttp } from "../../src/direct_http.ts";
import { startDevice } from "../lab/device.ts";
import type { DeviceBehaviour } from "../lab/device_behaviour.ts";
import { freePort } from "../lab/lab_world.ts";
import { startBlackHole } from "./black_hole.ts";
import { RawServer } from "./raw_server.ts";

const NEVER = new AbortController().signal;

function client(endpoint: string, timeout = 5000): DeviceClient {
  return new DeviceClient(parseDeviceAddress(endpoint), {
    http: new DirectHttp(),
    clock: systemClock,
    timeout,
  });
}

async function lookAt(behaviour: DeviceBehaviour, timeout?: number): Promise<InfoReading> {
  await using device = await startDevice({ behaviour });
  return await client(device.endpoint, timeout).readInfo(NEVER);
}

async function lookAtBytes(answer: string | Uint8Array, timeout?: number): Promise<InfoReading> {
  await using server = new RawServer(answer);
  return await client(server.endpoint, timeout).readInfo(NEVER);
}

Deno.test("DeviceClient.readInfo: every way in which a device answers, or does not", async () => {
  const whole = { device: "esp32s3", application: "thermo", version: "0.1.0", cut: false };
  assertEquals(await lookAt({}), { kind: "info", info: whole });
  assertEquals(await lookAt({ info: "slow" }), { kind: "info", info: whole });
  const cut = await lookAt({ info: "cut" });
  assert(cut.kind === "info" && cut.info.cut && cut.info.device === "esp32s3");
  assertEquals(cut.info.version, undefined);
  assertEquals(await lookAt({ info: "absent" }), { kind: "absent", found: "HTTP 404" });
  assertEquals(await lookAt({ info: "error" }), { kind: "absent", found: "HTTP 500" });
  assertEquals((await lookAt({ info: "html" })).kind, "absent");
  assertEquals(await lookAt({ info: "silent" }, 200), {
    kind: "silent",
    found: "no answer in time",
    sign: "stalled",
  });
  await using hole = await startBlackHole();
  assertEquals(await client(hole.endpoint, 200).readInfo(NEVER), {
    kind: "silent",
    found: "no answer in time",
    sign: "nothing",
  });
  const reset = await lookAt({ info: "reset" });
  assert(reset.kind === "silent" && reset.sign === "broken");
  const refused = await client(`127.0.0.1:${freePort()}`).readInfo(NEVER);
  assertEquals(refused, { kind: "silent", found: "connection refused", sign: "refused" });
});

Deno.test("DeviceClient.readInfo: hostile answers are readings, bounded in size and time", async () => {
  const table: [answer: string, expected: Partial<InfoReading>][] = [
    [`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(5000)}`, { kind: "absent", found: "more than 4096 bytes" }],
    ["HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", { kind: "silent", sign: "broken" }],
    ["HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/info\r\n\r\n", {
      kind: "absent",
      found: "HTTP 301",
    }],
    ["HTTP/1.1 204 No Content\r\n\r\n", { kind: "absent", found: "HTTP 204" }],
    ["HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", {
      kind: "silent",
      sign: "broken",
    }],
    ["HTTP/1.1 999 What\r\n\r\n", { kind: "silent", sign: "broken" }],
    ["SSH-2.0-dropbear\r\n", { kind: "silent", sign: "broken" }],
    ["", { kind: "silent", sign: "broken", found: "connection closed without an answer" }],
  ];
  for (const [answer, expected] of table) {
    const reading = await lookAtBytes(answer);
    assertEquals({ ...reading, ...expected } as InfoReading, reading, answer.slice(0, 40));
  }
});

Deno.test("DeviceClient.readInfo: an answer that never ends is given up at the deadline", async () => {
  await using server = new RawServer("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{", { stays: true });
  const reading = await client(server.endpoint, 200).readInfo(NEVER);
  assertEquals(reading, { kind: "silent", found: "no answer in time", sign: "stalled" });
});

Deno.test("DeviceClient: an abort ends every request with its reason", async () => {
  await using server = new RawServer("", { stays: true });
  const device = client(server.endpoint);
  const ways: ((signal: AbortSignal) => Promise<unknown>)[] = [
    (signal) => device.readInfo(signal),
    (signal) => device.readCertificate(signal),
    (signal) => device.requestUpdate("127.0.0.1", signal),
  ];
  for (const way of ways) {
    const stop = new AbortController();
    const reason = new Error("told to stop");
    const ended = assertRejects(() => way(stop.signal), Error);
    await server.untilAsked();
    stop.abort(reason);
    assertEquals(await ended, reason);
  }
});

Deno.test("DeviceClient.readCertificate: DER or PEM as it comes, or why there is none", async () => {
  const read = async (behaviour: DeviceBehaviour) => {
    await using device = await startDevice({ behaviour });
    return { reading: await client(device.endpoint).readCertificate(NEVER), certificate: device.certificate };
  };
  const der = await read({});
  assertEquals(der.reading, { kind: "certificate", bytes: new Uint8Array(der.certificate.der) });
  const pem = await read({ onboard: "pem" });
  assertEquals(pem.reading, { kind: "certificate", bytes: new TextEncoder().encode(pem.certificate.pem) });
  assertEquals((await read({ onboard: "absent" })).reading, { kind: "none", found: "HTTP 404" });
  assertEquals((await read({ onboard: "error" })).reading, { kind: "none", found: "HTTP 500" });
  await using large = new RawServer(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(9000)}`);
  const none = (found: string) => ({ kind: "none" as const, found });
  assertEquals(await client(large.endpoint).readCertificate(NEVER), none("more than 8192 bytes"));
  await using empty = new RawServer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  assertEquals(await client(empty.endpoint).readCertificate(NEVER), none("an empty answer"));
  const gone = await client(`127.0.0.1:${freePort()}`).readCertificate(NEVER);
  assertEquals(gone, none("connection refused"));
});

async function ask(behaviour: DeviceBehaviour, timeout?: number) {
  await using device = await startDevice({ behaviour: { dials: "never", ...behaviour } });
  try {
    return { reply: await client(device.endpoint, timeout).requestUpdate("127.0.0.1", NEVER), device };
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    return { error, device };
  }
}

Deno.test("DeviceClient.requestUpdate: the device's answers, each asked for once", async () => {
  const accepted = await ask({});
  assertEquals(accepted.reply, {
    kind: "accepted",
    text: "Received update request: About to update (Secure)",
  });
  assertEquals((await ask({ update: "slow" })).reply?.kind, "accepted");

  for (const status of [404, 405, 408, 500] as const) {
    const { error, device } = await ask({ update: status });
    assertEquals(error?.code, "refused");
    assertStringIncludes(error?.message ?? "", `HTTP ${status}`);
    assertEquals(device.requests.length, 1);
  }
  const { error: insecure, device } = await ask({ update: "insecure" });
  assertEquals(insecure?.code, "insecure");
  assertStringIncludes(insecure?.message ?? "", "3333");
  assertEquals(device.requests.length, 1);
});

Deno.test("DeviceClient.requestUpdate: what may have arrived is unanswered, never sent again", async () => {
  for (const update of ["silent", "closed"] as const) {
    const { reply, device } = await ask({ update }, 300);
    assertEquals(reply?.kind, "unanswered");
    assertEquals(device.requests.length, 1);
  }
  const { reply, device } = await ask({ update: "reset" });
  assertEquals(reply?.kind, "unanswered");
  assertEquals(device.events.filter(({ detail }) => detail === "POST /update, reset").length, 1);
});

Deno.test("DeviceClient.requestUpdate: a refused connection is known not to have arrived", async () => {
  const error = await assertRejects(
    () => client(`127.0.0.1:${freePort()}`).requestUpdate("127.0.0.1", NEVER),
    DeviceError,
  );
  assertEquals(error.code, "unreachable");
  assertStringIncludes(error.message, "connection refused");
});

Deno.test("DeviceClient.requestUpdate: where no connection ever stood nothing can have arrived", async () => {
  await using hole = await startBlackHole();
  const error = await assertRejects(
    () => client(hole.endpoint, 300).requestUpdate("127.0.0.1", NEVER),
    DeviceError,
  );
  assertEquals(error.code, "unreachable");
  assertStringIncludes(error.message, "no answer in time");
});

Deno.test("DeviceClient.requestUpdate: what a device answers cannot act in a message", async () => {
  await using server = new RawServer(
    `HTTP/1.1 500 No\r\n\r\n\x1b[2J\x1b[H\r\nOK updated: \x9b0m\u202e${"y".repeat(500)}`,
  );
  const error = await assertRejects(
    () => client(server.endpoint).requestUpdate("127.0.0.1", NEVER),
    DeviceError,
  );
  assert(/^[\x20-\x7e]{1,300}$/.test(error.message), JSON.stringify(error.message));
});

Deno.test("DeviceClient.requestUpdate: on the wire it is one small request in origin form", async () => {
  await using server = new RawServer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  using http = denoWorld(silentLog()).openHttp({ proxy: "direct" });
  const device = new DeviceClient(parseDeviceAddress(server.endpoint), {
    http,
    clock: systemClock,
    timeout: 5000,
  });
  assertEquals((await device.requestUpdate("192.168.11.2", NEVER)).kind, "accepted");
  assertEquals(server.received.length, 1);
  const [head = "", body = "", ...more] = server.received[0]?.split("\r\n\r\n") ?? [];
  assertEquals(more, []);
  assertEquals(body, "ip: 192.168.11.2");
  const [requestLine, ...fields] = head.split("\r\n");
  assertEquals(requestLine, "POST /update HTTP/1.1");
  const headers = new Map(fields.map((field) => {
    const [name = "", value = ""] = field.split(": ");
    return [name.toLowerCase(), value] as const;
  }));
  assertEquals(headers.size, fields.length);
  assertEquals(headers.get("content-length"), "16");
  assertEquals(headers.get("connection"), "close");
  assertEquals(headers.get("content-type"), "text/plain");
  assertEquals(headers.get("host"), server.endpoint);
  assertEquals(headers.has("transfer-encoding"), false);
  assertEquals(headers.has("expect"), false);
  assert(head.length + 4 < 512, `${head.length}`);
});

function silentLog() {
  const log = { debug() {}, info() {}, warn() {}, error() {}, room: () => log };
  return log;
}
