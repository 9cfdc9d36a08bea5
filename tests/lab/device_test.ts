import { assert, assertEquals } from "@std/assert";
import {
  deployedServerPair,
  diceCertificate,
  leafServerPair,
  type ServerPair,
  serverPair,
} from "../builders/certificates.ts";
import { withFlip } from "../builders/esp_bytes.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import { LabDevice, startDevice } from "./device.ts";
import { type DeviceBehaviour, deviceBehaviours } from "./device_behaviour.ts";
import type { DeviceEventName, DeviceOptions } from "./device_options.ts";

const IMAGE = buildEspApp({ version: "0.2.0", size: 300_000 });

/** Short enough for a device to try 20 times in a moment. */
const TIMINGS = 1 / 200;

/** What one connection of the least agent came to. */
interface Served {
  certificate: Uint8Array;
  fault: string;
}

/** The least agent there can be: takes what a device says, sends the image, waits for the device's close. */
function serveImage(
  pair: ServerPair,
  image: Uint8Array,
): AsyncDisposable & { port: number; served: Served[] } {
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: pair.certificate, key: pair.key });
  const served: Served[] = [];
  const open = new Map<Deno.TlsConn, Promise<void>>();
  const serve = async (connection: Deno.TlsConn): Promise<void> => {
    const outcome: Served = { certificate: new Uint8Array(), fault: "" };
    served.push(outcome);
    const buffer = new Uint8Array(2000);
    try {
      for (let length = 0; length < 722;) {
        const read = await connection.read(buffer.subarray(length));
        if (read === null) break;
        length += read;
        outcome.certificate = buffer.slice(0, length);
      }
      for (let at = 0; at < image.length; at += 4096) await connection.write(image.subarray(at, at + 4096));
      await connection.closeWrite();
      while (await connection.read(buffer) !== null);
    } catch (error) {
      outcome.fault = error instanceof Error ? error.message : "unknown";
    } finally {
      close(connection);
    }
  };
  const accepting = (async () => {
    for await (const connection of listener) open.set(connection, serve(connection));
  })();
  return {
    port: listener.addr.port,
    served,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const connection of open.keys()) close(connection);
      await Promise.all(open.values());
    },
  };
}

function close(connection: Deno.TlsConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** Status and body, or the word for how there was none. */
async function ask(
  endpoint: string,
  path: string,
  body?: string,
  patience = 10_000,
): Promise<readonly [number | string, string]> {
  try {
    const response = await fetch(`http://${endpoint}${path}`, {
      headers: { "content-type": "text/plain", connection: "close" },
      signal: AbortSignal.timeout(patience),
      ...(body === undefined ? {} : { method: "POST", body }),
    });
    return [response.status, await response.text()];
  } catch (error) {
    return [error instanceof DOMException ? "silent" : "broken", ""];
  }
}

async function withDevice(
  options: DeviceOptions,
  action: (device: LabDevice, served: Served[]) => Promise<void>,
): Promise<void> {
  const pair = await serverPair();
  await using agent = serveImage(pair, IMAGE);
  await using device = await startDevice({
    agentPort: agent.port,
    expectedImage: IMAGE,
    timings: TIMINGS,
    ...options,
  });
  await action(device, agent.served);
}

const SECURE = "Received update request: About to update (Secure)\n";
const INSECURE = "Received update request: About to update (Insecure)\n";
const OLD_INFO = `{"device":"esp32s3","application":"thermo","version":"0.1.0"}`;

Deno.test("startDevice: flashes what the agent sends, restarts, reports the new version", async () => {
  const pair = await deployedServerPair();
  await using agent = serveImage(pair, IMAGE);
  await using device = await startDevice({ agentPort: agent.port, pinned: pair.pinned });
  assertEquals(await ask(device.endpoint, "/info"), [200, OLD_INFO]);
  assertEquals(await ask(device.endpoint, "/update", "ip: 127.0.0.1"), [200, SECURE]);
  await device.until("restarted");
  assertEquals(device.flash, IMAGE);
  assertEquals(device.running, { version: "0.2.0", image: IMAGE });
  assertEquals(await ask(device.endpoint, "/info"), [200, OLD_INFO.replace("0.1.0", "0.2.0")]);
  assertEquals(agent.served, [{ certificate: device.certificate.der, fault: "" }]);
  const names = device.events.map(({ name }) => name).filter((name) => name !== "request");
  assertEquals(names, [
    "dialling",
    "connected",
    "certificate sent",
    "first byte",
    "last byte",
    "verified",
    "restarting",
    "restarted",
    "ota ended",
  ]);
});

Deno.test("startDevice: trusts a leaf of the pinned authority, nothing else", async () => {
  const leaf = await leafServerPair();
  const strangers = [
    await serverPair({ commonName: "somebody-else" }),
    await serverPair({ issued: true, commonName: "somebody-else" }),
    await serverPair({ algorithm: "rsa" }),
  ];
  for (const pair of [leaf, ...strangers]) {
    await using agent = serveImage(pair, IMAGE);
    // The second has the right authority and the wrong name; the others have another authority.
    const pinned = pair === strangers[1] ? pair.pinned : leaf.pinned;
    await using device = await startDevice({ agentPort: agent.port, pinned, timings: TIMINGS });
    await ask(device.endpoint, "/update", "ip: 127.0.0.1");
    await device.until("ota ended");
    assertEquals(device.flash.length, pair === leaf ? IMAGE.length : 0);
    if (pair === leaf) continue;
    assertEquals(device.attempts.length, 20);
    const alert = `received fatal alert: ${pair === strangers[1] ? "BadCertificate" : "UnknownCA"}`;
    // The last may still be on its way.
    assertEquals(new Set(agent.served.slice(0, 19).map(({ fault }) => fault)), new Set([alert]));
    assertEquals(agent.served[0]?.certificate.length, 0);
  }
});

/** What a behaviour leads to when it differs from a good update. */
interface Expected {
  readonly info?: readonly [number | string, string];
  readonly update?: readonly [number | string, string];
  readonly last?: DeviceEventName;
  /** The version that runs at the end. */
  readonly runs?: string;
  /** Bytes of the image in the flash: all, some, none. */
  readonly flash?: "all" | "some" | "none";
  readonly connections?: number;
}

const NO_TASK = { runs: "0.1.0", flash: "none", connections: 0 } as const;
const BROKEN = { last: "ota ended", runs: "0.1.0", flash: "some" } as const;

const EXPECTED: Readonly<Record<string, Expected>> = {
  "ok": {},
  "already at version": { info: [200, OLD_INFO.replace("0.1.0", "0.2.0")] },
  "/info cut": { info: [200, OLD_INFO.replace("thermo", "thermo".padEnd(60, "-sensor")).slice(0, 99)] },
  "/info HTML": { info: [200, "<!doctype html><title>Router</title>"] },
  "/info 500": { info: [500, "Server has encountered an unexpected error"] },
  "/info slow": {},
  "/info silent": { info: ["silent", ""] },
  "/info reset": { info: ["broken", ""] },
  "/info absent": { info: [404, "Nothing matches the given URI"] },
  "/onboard absent": {},
  "/onboard PEM": {},
  "/onboard 500": {},
  "/onboard of another device": {},
  "/update 404": { ...NO_TASK, update: [404, "Nothing matches the given URI"] },
  "/update 405": { ...NO_TASK, update: [405, "Specified method is invalid for this resource"] },
  "/update 408": { ...NO_TASK, update: [408, "Server closed this connection"] },
  "/update 500": { ...NO_TASK, update: [500, "Server has encountered an unexpected error"] },
  "/update slow": {},
  // The restart ends the wait.
  "/update silent": { update: ["broken", ""] },
  "/update closed without an answer": { update: ["broken", ""] },
  "/update reset": { ...NO_TASK, update: ["broken", ""] },
  "/update refused": { ...NO_TASK, update: ["broken", ""] },
  "/update refused at first": { ...NO_TASK, update: ["broken", ""] },
  "insecure reply": { ...NO_TASK, update: [200, INSECURE] },
  "never dials": { ...NO_TASK, last: "ota ended" },
  "dials late": {},
  "dials twice": { connections: 2 },
  "dials again after a break": { connections: 2 },
  "refuses our certificate": { last: "ota ended", runs: "0.1.0", flash: "none", connections: 20 },
  "certificate in two writes": {},
  "stalls mid-transfer": { ...BROKEN, last: "broken" },
  "stalls at the first byte": { ...BROKEN, last: "broken", flash: "none" },
  "resets at 50 %": BROKEN,
  "resets at 99 %": BROKEN,
  "closes early": BROKEN,
  "slow reader": {},
  "rejects the image": { last: "rejected", runs: "0.1.0" },
  "rejects the image and cannot be reached for a while": { last: "rejected", runs: "0.1.0" },
  "rollback": { runs: "0.1.0" },
  "never returns": { last: "ota ended", runs: "0.1.0" },
  "returns at a new address": {},
  "returns as another device type": {},
};

Deno.test("deviceBehaviours: every one is in the table of this test", () => {
  assertEquals(Object.keys(EXPECTED).sort(), Object.keys(deviceBehaviours).sort());
});

for (const [name, expected] of Object.entries(EXPECTED)) {
  Deno.test(`deviceBehaviours: ${name}`, async () => {
    const behaviour: DeviceBehaviour = deviceBehaviours[name] ?? {};
    await withDevice({ behaviour }, async (device, served) => {
      const { info = [200, OLD_INFO], update = [200, SECURE], last = "restarted", flash = "all" } = expected;
      const patience = info[0] === "silent" ? 300 : undefined;
      assertEquals(await ask(device.endpoint, "/info", undefined, patience), info);
      assertEquals(await ask(device.endpoint, "/update", "ip: 127.0.0.1"), update);
      if (expected.connections !== 0) await device.until(last);
      assertEquals(device.running.version, expected.runs ?? "0.2.0");
      assertEquals(served.length, expected.connections ?? 1);
      if (flash === "all") assertEquals(device.flash, IMAGE);
      if (flash === "none") assertEquals(device.flash.length, 0);
      if (name.startsWith("resets")) await until(() => served[0]?.fault.includes("reset") ?? false);
      if (flash === "some") assert(device.flash.length > 0 && device.flash.length < IMAGE.length);
    });
  });
}

Deno.test("deviceBehaviours: /onboard", async () => {
  const [own, other] = await Promise.all([diceCertificate(), diceCertificate("somebody else's device")]);
  const cases = [
    ["ok", 200, own.der],
    ["/onboard PEM", 200, new TextEncoder().encode(own.pem)],
    ["/onboard of another device", 200, other.der],
    ["/onboard 500", 500, undefined],
    ["/onboard absent", 404, undefined],
  ] as const;
  for (const [name, status, body] of cases) {
    await withDevice({ behaviour: deviceBehaviours[name] ?? {} }, async (device) => {
      const response = await fetch(`http://${device.endpoint}/onboard`, { headers: { connection: "close" } });
      const bytes = await response.bytes();
      assertEquals(response.status, status);
      if (body !== undefined) assertEquals(bytes, body);
    });
  }
});

Deno.test("startDevice: an update request without a length, in chunks, or with another body starts nothing", async () => {
  await withDevice({}, async (device) => {
    const cases = [
      ["POST /update HTTP/1.1\r\nhost: d\r\n\r\n", ""],
      ["POST /update HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", ""],
      [
        "POST /update HTTP/1.1\r\ncontent-length: 14\r\n\r\nip: 127.0.0.1\n",
        "HTTP/1.1 500 Internal Server Error",
      ],
      ["POST /update HTTP/1.1\r\ncontent-length: 9\r\n\r\nip: ::1\r\n", "HTTP/1.1 500 Internal Server Error"],
      ["GET /update HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"],
      [`GET /info HTTP/1.1\r\nx: ${"y".repeat(600)}\r\n\r\n`, "HTTP/1.1 431 Request Header Fields Too Large"],
    ] as const;
    for (const [request, firstLine] of cases) {
      assertEquals((await raw(device.endpoint, request)).split("\r\n")[0], firstLine);
    }
    assertEquals(device.attempts, []);
  });
});

Deno.test("startDevice: serves seven connections at a time", async () => {
  await withDevice({}, async (device) => {
    const idle = await Promise.all(Array.from({ length: 7 }, () => connect(device.endpoint)));
    assertEquals(await ask(device.endpoint, "/info", undefined, 300), ["silent", ""]);
    for (const connection of idle) connection.close();
    assertEquals(await ask(device.endpoint, "/info"), [200, OLD_INFO]);
  });
});

Deno.test("startDevice: a second request while the first task lives spoils the update", async () => {
  await withDevice({}, async (device) => {
    await ask(device.endpoint, "/update", "ip: 127.0.0.1");
    await ask(device.endpoint, "/update", "ip: 127.0.0.1");
    await device.until("rejected");
    assertEquals(device.running.version, "0.1.0");
  });
});

Deno.test("startDevice: the second OTA since boot gives up when nothing comes", async () => {
  const pair = await serverPair();
  const silent = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: pair.certificate, key: pair.key });
  const connections: Deno.TlsConn[] = [];
  const accepting = (async () => {
    for await (const connection of silent) connections.push(connection);
  })();
  try {
    await using device = await startDevice({ agentPort: silent.addr.port, timings: TIMINGS });
    await ask(device.endpoint, "/update", "ip: 127.0.0.1");
    await until(() => connections.length === 1);
    await connections[0]?.read(new Uint8Array(2000));
    connections[0]?.close();
    await device.until("ota ended");
    assert(!device.events.some(({ name }) => name === "gave up"));
    await ask(device.endpoint, "/update", "ip: 127.0.0.1");
    await until(() => connections.length === 2);
    await connections[1]?.read(new Uint8Array(2000));
    await device.until("gave up");
    assertEquals(device.flash.length, 0);
  } finally {
    silent.close();
    await accepting;
    for (const connection of connections) close(connection);
  }
});

Deno.test("startDevice: rejects what the boot loader would not take", async () => {
  const pair = await serverPair();
  for (const image of [withFlip(IMAGE, 1000), IMAGE.subarray(0, 250_000), new Uint8Array(5000)]) {
    await using agent = serveImage(pair, image);
    await using device = await startDevice({ agentPort: agent.port, timings: TIMINGS });
    await ask(device.endpoint, "/update", "ip: 127.0.0.1");
    await device.until("rejected");
    assertEquals(device.flash, image);
    assertEquals(device.running.version, "0.1.0");
  }
});

/** Resolves when `condition` holds. The runner ends a test in which it never does. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

function connect(endpoint: string): Promise<Deno.TcpConn> {
  const [hostname = "", port = ""] = endpoint.split(":");
  return Deno.connect({ hostname, port: Number(port) });
}

/** What comes back for `request` until the device closes. */
async function raw(endpoint: string, request: string): Promise<string> {
  using connection = await connect(endpoint);
  await connection.write(new TextEncoder().encode(request));
  const buffer = new Uint8Array(1000);
  const read = await connection.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, read ?? 0));
}

Deno.test("deviceBehaviours: after the restart", async () => {
  await withDevice({ behaviour: deviceBehaviours["returns at a new address"] ?? {} }, async (device) => {
    const old = device.endpoint;
    await ask(old, "/update", "ip: 127.0.0.1");
    await device.until("restarted");
    assertEquals(device.endpoint.split(":")[0], "127.0.0.2");
    assertEquals(await ask(old, "/info"), ["broken", ""]);
    assertEquals((await ask(device.endpoint, "/info"))[0], 200);
  });
  await withDevice(
    { behaviour: deviceBehaviours["returns as another device type"] ?? {} },
    async (device) => {
      await ask(device.endpoint, "/update", "ip: 127.0.0.1");
      await device.until("restarted");
      assert((await ask(device.endpoint, "/info"))[1].includes(`"device":"esp32c3"`));
    },
  );
  await withDevice({ behaviour: deviceBehaviours["never returns"] ?? {} }, async (device) => {
    await ask(device.endpoint, "/update", "ip: 127.0.0.1");
    await device.until("ota ended");
    assertEquals(device.isUp, false);
    assertEquals(await ask(device.endpoint, "/info"), ["broken", ""]);
  });
});
