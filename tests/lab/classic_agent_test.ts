import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { diceCertificate, serverPair } from "../builders/certificates.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import { type AttestationOptions, type LabAttestation, startAttestation } from "./attestation.ts";
import { type ClassicAgentOptions, environmentOf, writeClassicAgent } from "./classic_agent.ts";
import { classicAgentBehaviours } from "./classic_agent_behaviour.ts";
import { type LabDevice, startDevice } from "./device.ts";
import type { DeviceOptions } from "./device_options.ts";
import { type StrangerKind, visit, type VisitOptions } from "./strangers.ts";

const IMAGE = buildEspApp({ version: "0.2.0", size: 100_000 });

/** The C agent's 20 s become 200 ms. */
const TIME_SCALE = 1 / 100;

interface LabOptions {
  readonly agent?: ClassicAgentOptions;
  readonly device?: DeviceOptions;
  readonly attestation?: AttestationOptions;
  readonly image?: Uint8Array;
  /** Variables changed for this start; `undefined` leaves one out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

interface Lab {
  readonly device: LabDevice;
  readonly attestation: LabAttestation;
  readonly agent: Deno.ChildProcess;
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  readonly visit: VisitOptions;
}

/** What an ended agent leaves. */
interface Ended {
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as it came. */
  readonly chunks: readonly string[];
}

/** A free port. It is outside the range the system hands out, so nobody else gets it before the agent does. */
function freePort(): number {
  for (;;) {
    try {
      using listener = Deno.listen({ hostname: "0.0.0.0", port: 15_000 + Math.floor(Math.random() * 5000) });
      return listener.addr.port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

async function withLab(options: LabOptions, action: (lab: Lab) => Promise<void>): Promise<void> {
  const pair = await serverPair();
  const port = options.agent?.port ?? freePort();
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/server.crt`, pair.certificate);
    await Deno.writeTextFile(`${directory}/server.key`, pair.key);
    await Deno.writeFile(`${directory}/firmware.bin`, options.image ?? IMAGE);
    const path = await writeClassicAgent(directory, { timeScale: TIME_SCALE, ...options.agent, port });
    await using attestation = startAttestation(options.attestation);
    await using device = await startDevice({ agentPort: port, expectedImage: IMAGE, ...options.device });
    const variables = {
      PATH: "/usr/bin:/bin",
      NEW_FIRMWARE_PATH: `${directory}/firmware.bin`,
      DICE_AUTH_URL: attestation.url,
      SERVER_CRT_PATH: `${directory}/server.crt`,
      SERVER_KEY_PATH: `${directory}/server.key`,
      ...options.env,
    };
    const env = Object.fromEntries(
      Object.entries(variables).filter((pair) => pair[1] !== undefined),
    ) as Record<
      string,
      string
    >;
    const agent = new Deno.Command(path, { env, clearEnv: true, stdout: "piped", stderr: "piped" }).spawn();
    try {
      await action({ device, attestation, agent, path, env, visit: { port, pinned: pair.pinned } });
    } finally {
      await stop(agent);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function stop(agent: Deno.ChildProcess): Promise<void> {
  try {
    agent.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
  await agent.status;
  if (!agent.stdout.locked) await agent.stdout.cancel();
  if (!agent.stderr.locked) await agent.stderr.cancel();
}

async function ended(agent: Deno.ChildProcess): Promise<Ended> {
  const [chunks, errors, { code, signal }] = await Promise.all([
    Array.fromAsync(agent.stdout.pipeThrough(new TextDecoderStream())),
    Array.fromAsync(agent.stderr.pipeThrough(new TextDecoderStream())),
    agent.status,
  ]);
  return { code, signal, stdout: chunks.join(""), stderr: errors.join(""), chunks };
}

async function update(device: LabDevice): Promise<void> {
  const response = await fetch(`http://${device.endpoint}/update`, {
    method: "POST",
    headers: { connection: "close" },
    body: "ip: 127.0.0.1",
  });
  await response.body?.cancel();
}

/** A visit once the agent listens, which its output never tells in time. */
async function visitWhenUp(kind: StrangerKind, options: VisitOptions): Promise<void> {
  for (;;) {
    const { end, received } = await visit(kind, options);
    assertEquals(received.length, 0);
    if (end !== "refused") return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("classic agent: a good run, line by line; the flash holds the image", async () => {
  await withLab({}, async ({ device, attestation, agent, path, env }) => {
    await update(device);
    const { code, stdout, stderr, chunks } = await ended(agent);
    await device.until("restarted");
    assertEquals([code, stderr], [0, ""]);
    assertEquals(device.flash, IMAGE);
    assertEquals(device.running.version, "0.2.0");
    assertEquals(attestation.requests.map(({ body }) => body.trim()), [device.certificate.pem.trim()]);
    const bytes = device.certificate.der.length;
    const records = Array.from({ length: Math.ceil(IMAGE.length / 16_384) }, (_, number) => number + 1);
    const progress = records.map((record) =>
      `\rSent: ${Math.trunc(100 * Math.min(record * 16_384, IMAGE.length) / IMAGE.length)}%`
    );
    assertEquals(
      stdout,
      [
        `Reading new firmware from:          ${env["NEW_FIRMWARE_PATH"]}`,
        `Dice Attestation Server:            ${env["DICE_AUTH_URL"]}`,
        `Reading server's certificate from:  ${env["SERVER_CRT_PATH"]}`,
        `Reading server's private key from:  ${env["SERVER_KEY_PATH"]}`,
        `Server is listening on port ${/\d+$/.exec(device.events[1]?.detail ?? "")?.[0]}`,
        "Waiting for a connection...",
        "Client connected",
        "TLS connection established",
        "About to receive the certificate..",
        `Success: Received ${bytes} bytes`,
        `Received certificate, ${bytes} bytes`,
        `{"status": "Certificate OK"}`,
        "Verified device",
        "Attemting to send the firmware..",
        progress.join(""),
        "Firmware sent to IoT",
        "`apply_ota()` returned",
        "",
      ].join("\n"),
    );
    // Nothing is seen before the first progress, not even that it listens.
    assertStringIncludes(chunks[0] ?? "", "Attemting to send the firmware..");
    assertEquals(await environmentOf(path), env);
  });
});

Deno.test("classic agent: an unregistered device is not verified, and the exit is 0", async () => {
  await withLab({ attestation: { registered: [] } }, async ({ device, agent }) => {
    await update(device);
    const { code, stdout } = await ended(agent);
    await device.until("ota ended");
    assertEquals(code, 0);
    assertStringIncludes(stdout, `{"status": "Certificate Invalid"}\nNot verified device\n`);
    assertEquals(device.flash.length, 0);
  });
});

Deno.test("classic agent: an attestation server that is down is not verified, and the exit is 0", async () => {
  await withLab({ attestation: { mode: "down" } }, async ({ device, agent }) => {
    await update(device);
    const { code, stdout, stderr } = await ended(agent);
    assertEquals([code, stderr], [0, "curl_easy_perform() failed: Couldn't connect to server\n"]);
    assert(stdout.endsWith("Not verified device\n"));
  });
});

Deno.test("classic agent: failures before it listens", async () => {
  using taken = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const { port } = taken.addr;
  const cases: readonly (readonly [LabOptions, number, string])[] = [
    [
      { env: { DICE_AUTH_URL: undefined } },
      0,
      "DICE_AUTH_URL is not set - Please set the URL of the attestation server\n",
    ],
    [{ env: { SERVER_CRT_PATH: "/nowhere" } }, 255, "Failed to load server certificate: -0x3E00\n"],
    [{ env: { SERVER_KEY_PATH: "/nowhere" } }, 255, "Failed to load server private key: -0x3E00\n"],
    [{ agent: { port } }, 255, `Failed to bind to port ${port}: -0x0046\n`],
    [{ agent: { behaviour: "exits at once" } }, 0, ""],
  ];
  for (const [options, code, stderr] of cases) {
    await withLab(options, async ({ agent }) => {
      const result = await ended(agent);
      assertEquals([result.code, result.stderr], [code, stderr]);
    });
  }
});

Deno.test("classic agent: a firmware that is missing is noticed after the attestation, and the exit is 0", async () => {
  await withLab({ env: { NEW_FIRMWARE_PATH: "/nowhere" } }, async ({ device, attestation, agent }) => {
    await update(device);
    const { code, stderr } = await ended(agent);
    assertEquals([code, attestation.requests.length], [0, 1]);
    assertEquals(stderr, "Error: File opening failed: No such file or directory\n");
  });
});

Deno.test("classic agent: failed handshakes cost nothing, the device still gets its firmware", async () => {
  await withLab({}, async ({ device, agent, visit }) => {
    await visitWhenUp("plain TCP", visit);
    await visitWhenUp("HTTP GET", visit);
    await update(device);
    const { code, stderr } = await ended(agent);
    await device.until("restarted");
    assertEquals([code, device.flash.length], [0, IMAGE.length]);
    assertMatch(stderr, /^Failed to perform SSL handshake: -0x(7280|0050)\n/);
    assertMatch(stderr, /Failed to perform SSL handshake: -0x7200\n$/);
  });
});

Deno.test("classic agent: a device that refuses the certificate is a failed handshake", async () => {
  await withLab(
    { device: { behaviour: { wrongPin: true }, timings: 1 / 100 } },
    async ({ device, agent, visit }) => {
      await visitWhenUp("plain TCP", visit);
      await update(device);
      await device.until("gave up");
      agent.kill("SIGTERM");
      const { signal, stdout, stderr } = await ended(agent);
      assertEquals([signal, stdout], ["SIGTERM", ""]);
      assertStringIncludes(stderr, "Failed to perform SSL handshake: -0x7780\n");
    },
  );
});

Deno.test("classic agent: the first stranger with TLS ends its job", async () => {
  const cases = [
    ["TLS without data", 0, "Error: Timeout reached before receiving enough data\n"],
    ["699 bytes", 0, "Error: Timeout reached before receiving enough data\n"],
    ["garbage", 134, ""],
  ] as const;
  for (const [kind, code, lastLine] of cases) {
    await withLab({}, async ({ agent, visit }) => {
      await visitWhenUp(kind, { ...visit, patience: 10_000 });
      const result = await ended(agent);
      assertEquals(result.code, code);
      assert(result.stdout.endsWith(lastLine));
      if (code === 0) assertEquals(result.stderr, "Failed to read from client: -0x0000\n");
      if (code === 134) {
        assertEquals(result.stderr, "Error reading DER buffer\nConversion failed\n");
        assertEquals([result.signal, result.stdout], ["SIGABRT", ""]);
      }
    });
  }
});

Deno.test("classic agent: another device is served if the attestation server knows it", async () => {
  const known = await diceCertificate("another device");
  await withLab({ attestation: { registered: [known] } }, async ({ agent, visit: options }) => {
    for (let received = 0; received === 0;) {
      const visited = await visit("another device", { ...options, patience: 10_000 });
      received = visited.received.length;
      if (visited.end !== "refused") assertEquals(visited.received, IMAGE);
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals((await ended(agent)).code, 0);
  });
});

Deno.test("classic agent: a stall shows only when the file exceeds the system's buffers; the exit is 0", async () => {
  const large = buildEspApp({ version: "0.2.0", size: 12_000_000 });
  const device: DeviceOptions = {
    behaviour: { transfer: { fraction: 0.01, then: "stall" } },
    expectedImage: large,
  };
  await withLab({ device, image: large }, async ({ device, agent }) => {
    await update(device);
    const { code, stdout } = await ended(agent);
    assertEquals(code, 0);
    assert(
      stdout.endsWith("\nMax retry time exceeded, aborting.\nCould not apply OTA\n`apply_ota()` returned\n"),
    );
  });
  await withLab({ device: { ...device, expectedImage: IMAGE } }, async ({ device, agent }) => {
    await update(device);
    const { code, stdout } = await ended(agent);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "Firmware sent to IoT\n");
  });
});

Deno.test("classic agent: its other behaviours", async () => {
  const seen = new Map<string, string>();
  for (const behaviour of classicAgentBehaviours) {
    if (["faithful", "exits at once", "ignores SIGTERM", "lingers"].includes(behaviour)) continue;
    await withLab({ agent: { behaviour } }, async ({ device, agent }) => {
      await update(device);
      const { code, signal, stdout } = await ended(agent);
      // The device is slower than the agent, which does not wait for it.
      if (device.events.some(({ name }) => name === "connected")) await device.until("ota ended");
      const flash = device.flash.length === IMAGE.length
        ? "image"
        : device.flash.length > 0
        ? "part"
        : "empty";
      const says = stdout.includes("\nFirmware sent to IoT\n") ? "sent" : stdout === "" ? "nothing" : "else";
      seen.set(behaviour, [signal ?? code, flash, says].join(" "));
    });
  }
  assertEquals(Object.fromEntries(seen), {
    "not verified": "0 empty else",
    "claims success": "0 empty sent",
    "port in use": "255 empty else",
    "dies by a signal": "SIGSEGV empty nothing",
    "dies mid-transfer": "SIGKILL part else",
    "garbage output": "0 image sent",
  });
});

Deno.test("classic agent: what SIGTERM does not end, SIGKILL does", async () => {
  await withLab({ agent: { behaviour: "ignores SIGTERM" } }, async ({ device, agent, visit }) => {
    await visitWhenUp("plain TCP", visit);
    agent.kill("SIGTERM");
    // It still serves.
    await update(device);
    await device.until("restarted");
    assertEquals((await ended(agent)).code, 0);
  });
  await withLab({ agent: { behaviour: "lingers" } }, async ({ device, agent }) => {
    await update(device);
    await device.until("restarted");
    agent.kill("SIGKILL");
    assertEquals((await ended(agent)).signal, "SIGKILL");
  });
});
