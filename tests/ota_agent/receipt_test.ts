import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  closeReceipt,
  type ConnectionEnd,
  DeliveryView,
  judgeClose,
  type KernelView,
} from "../../src/ota_agent/delivery_view.ts";
import type { TcpState } from "../../src/tcp_table.ts";
import { denoWorld } from "../../src/deno_world.ts";
import type { World } from "../../src/world.ts";
import { diceCertificate, serverPair } from "../builders/certificates.ts";
import { startAttestation } from "../lab/attestation.ts";
import { fastClock } from "../lab/outcome_world.ts";
import { codeOf, smallImage } from "./agent_case.ts";
import { type AgentRun, quietLog, startOtaAgent } from "./agent_run.ts";
import { RawDevice } from "./raw_device.ts";

/** The world of a program that may not read the kernel's table. */
function blindWorld(): World {
  const world = denoWorld(quietLog);
  const open = (path: string) =>
    path.startsWith("/proc/") ? Promise.reject(new Error("may not be read")) : world.files.open(path);
  return { ...world, files: { ...world.files, open } };
}

async function withAgent(world: World, action: (agent: AgentRun) => Promise<void>): Promise<void> {
  await using attestation = startAttestation();
  await using agent = await startOtaAgent({
    image: smallImage,
    attestationUrl: new URL(attestation.url),
    redialTimeout: 100,
    world,
    expectedDevice: { address: "127.0.0.1", require: true },
  });
  await action(agent);
}

function has(agent: AgentRun, name: string): boolean {
  return agent.events.some(({ event }) => event === name);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

for (const [view, world] of [["table", denoWorld(quietLog)], ["no table", blindWorld()]] as const) {
  for (const goodbye of ["close_notify", "no close_notify"]) {
    for (const fraction of [0.01, 0.5, 0.75]) {
      Deno.test(`runOtaAgent: closed after ${fraction} with ${goodbye}, ${view}: no delivery`, async () => {
        await withAgent(world, async (agent) => {
          {
            using device = await RawDevice.present(await agent.port);
            await until(() => has(agent, "half-closed"));
            await device.readUpTo(smallImage.length * fraction);
            if (goodbye === "close_notify") await device.finish();
          }
          const end = await agent.end;
          assertEquals(codeOf(end), "transfer-broken");
          assert(end.kind === "failed");
          assertMatch(
            end.message,
            /500000 of 500000 bytes were handed over and the device's receipt is missing$/,
          );
        });
      });
    }
  }

  Deno.test(`runOtaAgent: delivered is said after a slow reader's last byte, not before, ${view}`, async () => {
    await withAgent(world, async (agent) => {
      let isOver = false;
      agent.end.then(() => isOver = true);
      {
        using device = await RawDevice.present(await agent.port);
        await device.readUpTo(smallImage.length - 65_536, 5);
        assert(has(agent, "half-closed"));
        assertEquals(isOver, false);
        await device.readUpTo(Infinity);
        await device.finish();
        assertEquals(device.received, smallImage.length);
      }
      const end = await agent.end;
      assert(end.kind === "delivered", JSON.stringify(end));
      assertEquals(end.receipt, view === "table" ? "acknowledged" : "closed");
    });
  });
}

Deno.test("runOtaAgent: a device that reads everything and never closes gives no receipt", async () => {
  await using attestation = startAttestation();
  const pair = await serverPair({ issued: true, alternativeNames: ["ota-agent"] });
  await using agent = await startOtaAgent({
    image: smallImage,
    attestationUrl: new URL(attestation.url),
    pair,
    redialTimeout: 100,
    transferIdleTimeout: 300,
  });
  const tcp = await Deno.connect({ hostname: "127.0.0.1", port: await agent.port });
  using device = await Deno.startTls(tcp, { hostname: "ota-agent", caCerts: [pair.pinned] });
  await device.write((await diceCertificate()).der);
  const buffer = new Uint8Array(16_384);
  let received = 0;
  for (let read = await device.read(buffer); read !== null; read = await device.read(buffer)) {
    received += read;
  }
  assertEquals(received, smallImage.length);
  assertEquals(codeOf(await agent.end), "transfer-broken");
});

Deno.test("judgeClose: every view of the kernel has its verdict", () => {
  const socket = (state: TcpState): KernelView => ({
    state,
    localPort: 1,
    remoteAddress: "127.0.0.1",
    remotePort: 2,
    unacknowledgedBytes: 0,
  });
  const early = { goneInARow: 1, waited: 0, patience: 5_000 };
  const late = { goneInARow: 3, waited: 5_000, patience: 5_000 };
  assertEquals(judgeClose("unknown", early), "unknown");
  assertEquals([judgeClose("gone", early), judgeClose("gone", late)], ["wait", "gone"]);
  assertEquals(judgeClose(socket("time-wait"), early), "acknowledged");
  const fin = socket("fin-wait-2");
  assertEquals([judgeClose(fin, early), judgeClose(fin, late)], ["wait", "acknowledged"]);
  for (const state of ["fin-wait-1", "closing", "last-ack", "established", "close-wait"] as const) {
    assertEquals(
      [judgeClose(socket(state), early), judgeClose(socket(state), late)],
      ["wait", "undelivered"],
      state,
    );
  }
});

/** A kernel's table of one connection, in the states given one after the other; the last one stays. */
function tableOf(states: readonly (string | undefined)[]): World["files"] {
  let looks = 0;
  const open = (path: string) => {
    if (path !== "/proc/net/tcp") return Promise.reject(new Deno.errors.NotFound());
    const code = states[Math.min(looks++, states.length - 1)];
    const row = code === undefined
      ? ""
      : `0: 0100007F:1151 0100007F:C001 ${code} 00000000:00000000 x x x x 0`;
    let rest: Uint8Array | null = new TextEncoder().encode(`${row}\n`);
    const read = (into: Uint8Array) => {
      const bytes = rest;
      rest = null;
      if (bytes !== null) into.set(bytes);
      return Promise.resolve(bytes?.length ?? null);
    };
    return Promise.resolve({ read, [Symbol.dispose]: () => undefined } as unknown as Deno.FsFile);
  };
  return { ...denoWorld(quietLog).files, open: open as unknown as World["files"]["open"] };
}

Deno.test("closeReceipt: a connection that is gone was acknowledged unless it broke, which is asked when it is gone", async () => {
  const [established, lastAck] = ["01", "09"];
  for (const [broken, expected] of [[true, "lost"], [false, "acknowledged"], [undefined, "lost"]] as const) {
    const files = tableOf([established, lastAck, lastAck, lastAck, undefined]);
    const view = new DeliveryView(files, { localPort: 4433, address: "127.0.0.1", port: 0xc001 });
    await view.calibrate();
    const looked: KernelView[] = [];
    const look = view.look.bind(view);
    view.look = async () => {
      const seen = await look();
      looked.push(seen);
      return seen;
    };
    const connection: ConnectionEnd = {
      transportEnd: Promise.resolve("closed"),
      isBroken: () => {
        assertEquals(looked.slice(-3), ["gone", "gone", "gone"]);
        return broken === undefined ? new Promise(() => undefined) : Promise.resolve(broken);
      },
    };
    const signal = new AbortController().signal;
    assertEquals(
      await closeReceipt(view, connection, { clock: fastClock(100), patience: 5_000, signal }),
      expected,
    );
  }
});
