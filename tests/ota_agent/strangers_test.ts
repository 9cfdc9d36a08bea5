import { assert, assertEquals, assertLess } from "@std/assert";
import { startAttestation } from "../lab/attestation.ts";
import { startDevice } from "../lab/device.ts";
import { serverPair } from "../builders/certificates.ts";
import { smallImage } from "./agent_case.ts";
import { startOtaAgent } from "./agent_run.ts";
import { RawDevice } from "./raw_device.ts";

type Stranger = (port: number) => Promise<Disposable>;

async function tcp(port: number, bytes: Uint8Array | string = ""): Promise<Disposable> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  await connection.write(data).catch(() => 0);
  return { [Symbol.dispose]: () => connection.close() };
}

async function tls(port: number, bytes: Uint8Array): Promise<Disposable> {
  const device = await RawDevice.dial(port);
  await device.write(bytes);
  return device;
}

const STRANGERS: Readonly<Record<string, Stranger>> = {
  "silent": (port) => tcp(port),
  "HTTP GET": (port) => tcp(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
  "garbage": (port) => tcp(port, crypto.getRandomValues(new Uint8Array(1000))),
  "gone at once": async (port) => {
    (await tcp(port))[Symbol.dispose]();
    return { [Symbol.dispose]: () => undefined };
  },
  "TLS without data": (port) => RawDevice.dial(port),
  "TLS with 699 bytes": (port) => tls(port, Uint8Array.of(0x30, 0x82, 2, 200, ...new Uint8Array(695))),
  "TLS with garbage": (port) => tls(port, crypto.getRandomValues(new Uint8Array(700)).fill(0xff, 0, 1)),
  "TLS with a huge certificate": (port) => tls(port, Uint8Array.of(0x30, 0x82, 0xff, 0xff)),
};

for (const [name, stranger] of Object.entries(STRANGERS)) {
  Deno.test(`runOtaAgent: a stranger first (${name}) costs the device nothing`, async () => {
    await using attestation = startAttestation();
    await using agent = await startOtaAgent({
      image: smallImage,
      attestationUrl: new URL(attestation.url),
    });
    const port = await agent.port;
    using _stranger = await stranger(port);
    using device = await RawDevice.present(port);
    await device.readUpTo(Infinity);
    await device.finish();
    assertEquals((await agent.end).kind, "delivered");
    assertEquals(device.received, smallImage.length);
    assertEquals(attestation.requests.length, 1);
  });
}

Deno.test("runOtaAgent: strangers are told apart by a reason, and their time is bounded", async () => {
  await using agent = await startOtaAgent({
    image: smallImage,
    dialInTimeout: 800,
    handshakeTimeout: 200,
    certificateTimeout: 200,
    expectedDevice: { address: "192.0.2.1", require: false },
  });
  const port = await agent.port;
  using stack = new DisposableStack();
  for (const stranger of Object.values(STRANGERS)) stack.use(await stranger(port));
  const end = await agent.end;
  assert(end.kind === "failed");
  assertEquals([end.code, end.strangers], ["never-dialled", 8]);
  const reasons = agent.events.flatMap((event) => event.event === "stranger" ? [event.reason] : []);
  assertEquals(
    reasons.sort(),
    [
      "Cannot read the device's certificate: it announces 65539 bytes, more than 2048, a DER certificate is expected",
      reasons.find((reason) => /it starts with ff /.test(reason)),
      "Cannot wait any longer for its certificate: 200 ms are over",
      "Cannot wait any longer for its certificate: 200 ms are over",
      "Cannot wait any longer for its handshake: 200 ms are over",
      "it closed the connection during the handshake",
      "it does not speak TLS as devices do",
      "it does not speak TLS as devices do",
    ].sort(),
  );
});

Deno.test("runOtaAgent: 200 strangers before and during the transfer, the device is updated, memory stays", async () => {
  const pair = await serverPair();
  await using attestation = startAttestation();
  await using agent = await startOtaAgent({
    image: smallImage,
    attestationUrl: new URL(attestation.url),
    pair,
  });
  const port = await agent.port;
  using strangers = new DisposableStack();
  const kinds = Object.values(STRANGERS);
  const crowd = async (): Promise<void> => {
    for (let number = 0; number < 100; number++) {
      const stranger = await kinds[number % kinds.length]?.(port).catch(() => undefined);
      if (stranger) strangers.use(stranger);
    }
  };
  const memory = Deno.memoryUsage().rss;
  await crowd();
  await using device = await startDevice({
    agentPort: port,
    pinned: pair.pinned,
    expectedImage: smallImage,
    behaviour: { bytesPerSecond: 60_000 },
  });
  const reply = await fetch(`http://${device.endpoint}/update`, { method: "POST", body: "ip: 127.0.0.1" });
  await reply.body?.cancel();
  await device.until("first byte");
  await crowd();
  const end = await agent.end;
  assert(end.kind === "delivered", JSON.stringify(end));
  assertEquals(device.flash.length, smallImage.length);
  assertLess(Deno.memoryUsage().rss - memory, 60 * 1024 * 1024);
  assertLess(agent.events.length, 150);
});
