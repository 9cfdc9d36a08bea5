import { assertEquals } from "@std/assert";
import { ConnectionPool } from "../../src/ota_agent/connection_pool.ts";
import { DialEvidence } from "../../src/ota_agent/dial_evidence.ts";
import type { StrangerKind } from "../../src/ota_agent/greeting.ts";
import { OtaAgentError } from "../../src/ota_agent/ota_agent_error.ts";
import { PeerConnection } from "../../src/ota_agent/peer_connection.ts";
import { Throttle } from "../../src/throttle.ts";
import type { TlsConnection } from "../../src/world.ts";

function connectionFrom(hostname: string): PeerConnection {
  const nothing = (): never => {
    throw new Error("Cannot be used");
  };
  const connection: TlsConnection = {
    remoteAddr: { hostname, port: 1 },
    handshake: nothing,
    read: nothing,
    write: nothing,
    closeWrite: nothing,
    close: () => undefined,
    closed: Promise.resolve(),
    transportEnd: Promise.resolve("closed"),
    isBroken: nothing,
    sentBytes: 0,
  };
  return new PeerConnection(connection);
}

Deno.test("PeerConnection: a mapped IPv4 address is IPv4, an IPv6 address is written with its port", () => {
  assertEquals(connectionFrom("::ffff:10.0.0.5").address, "10.0.0.5");
  assertEquals(connectionFrom("10.0.0.5").peer, "10.0.0.5:1");
  assertEquals(connectionFrom("2001:db8::1").peer, "[2001:db8::1]:1");
});

Deno.test("ConnectionPool: a newcomer takes the place of the oldest that shows nothing, strangers' before the device's", () => {
  const pool = new ConnectionPool(3, "10.0.0.5");
  const device = pool.admit(connectionFrom("10.0.0.5"));
  const first = pool.admit(connectionFrom("10.0.0.6"));
  const second = pool.admit(connectionFrom("10.0.0.7"));
  const third = pool.admit(connectionFrom("10.0.0.8"));
  const aborted = () => [device, first, second, third].map((place) => place?.signal.aborted);
  assertEquals(aborted(), [false, true, false, false]);
  second?.keep();
  third?.keep();
  const fourth = pool.admit(connectionFrom("10.0.0.5"));
  assertEquals(aborted(), [true, true, false, false]);
  fourth?.keep();
  assertEquals(pool.admit(connectionFrom("10.0.0.5")), undefined);
  second?.[Symbol.dispose]();
  assertEquals(pool.admit(connectionFrom("10.0.0.9"))?.signal.aborted, false);
});

Deno.test("Throttle: a burst, then one at each interval, and the number of those left out", () => {
  let now = 0;
  const throttle = new Throttle({ now: () => now, sleep: () => Promise.resolve() }, {
    burst: 2,
    interval: 100,
  });
  assertEquals([throttle.pass(), throttle.pass(), throttle.pass(), throttle.pass()], [
    0,
    0,
    undefined,
    undefined,
  ]);
  now = 100;
  assertEquals([throttle.pass(), throttle.pass()], [2, undefined]);
  now = 10_000;
  assertEquals([throttle.pass(), throttle.pass(), throttle.pass()], [1, 0, undefined]);
});

Deno.test("DialEvidence: the strongest evidence names the failure, and only the device's address counts", () => {
  const here = { address: "10.0.0.5", peer: "10.0.0.5:1", reason: "r" };
  const elsewhere = { address: "10.0.0.6", peer: "10.0.0.6:1", reason: "r" };
  const table: readonly (readonly [readonly (readonly [StrangerKind, typeof here])[], string])[] = [
    [[], "never-dialled"],
    [[["no-handshake", here], ["dropped", here]], "never-dialled"],
    [[["broke-handshake", here], ["no-certificate", here]], "tls-refused"],
    [[["broke-handshake", elsewhere]], "never-dialled"],
    [[["no-certificate", here]], "certificate-invalid"],
    [[["no-certificate", elsewhere]], "never-dialled"],
    [[["refused-our-certificate", here], ["no-certificate", here]], "tls-refused"],
    [[["refused-our-certificate", elsewhere]], "never-dialled"],
    [[["other-device", elsewhere], ["refused-our-certificate", here]], "wrong-device"],
  ];
  for (const [seen, code] of table) {
    const evidence = new DialEvidence("10.0.0.5");
    for (const [stranger, who] of seen) evidence.note(stranger, who);
    assertEquals(evidence.failure(90_000).code, code);
    assertEquals(evidence.strangers, seen.length);
  }
  const anywhere = new DialEvidence(undefined);
  anywhere.note("broke-handshake", elsewhere);
  assertEquals(anywhere.failure(1).code, "never-dialled");
  anywhere.note("refused-our-certificate", elsewhere);
  assertEquals(anywhere.failure(1).code, "tls-refused");
  anywhere.noteServedInVain(new OtaAgentError("attestation-refused", "m"));
  assertEquals(anywhere.failure(1).code, "attestation-refused");
});
