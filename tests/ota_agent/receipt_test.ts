import { assert, assertEquals, assertMatch } from "@std/assert";
import { judgeClose, type KernelView } from "../../src/ota_agent/delivery_view.ts";
import type { TcpState } from "../../src/tcp_table.ts";
import { startAttestation } from "../lab/attestation.ts";
import { codeOf, smallImage } from "./agent_case.ts";
import { type AgentRun, startOtaAgent } from "./agent_run.ts";
import { RawDevice, rawPair } from "./raw_device.ts";

async function withAgent(action: (agent: AgentRun) => Promise<void>): Promise<void> {
  await using attestation = startAttestation();
  await using agent = await startOtaAgent({
    image: smallImage,
    attestationUrl: new URL(attestation.url),
    pair: await rawPair(),
    redialTimeout: 100,
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

for (const goodbye of ["close_notify", "no close_notify"]) {
  for (const fraction of [0.01, 0.5, 0.9]) {
    Deno.test(`runOtaAgent: a device that closes after ${fraction} with ${goodbye} took no delivery`, async () => {
      await withAgent(async (agent) => {
        {
          using device = await RawDevice.present(await agent.port);
          await until(() => has(agent, "half-closed"));
          await device.readUpTo(smallImage.length * fraction);
          if (goodbye === "close_notify") await device.closeWrite();
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

Deno.test("runOtaAgent: delivered is said after a slow reader's last byte, not before", async () => {
  await withAgent(async (agent) => {
    let isOver = false;
    agent.end.then(() => isOver = true);
    using device = await RawDevice.present(await agent.port);
    await device.readUpTo(smallImage.length - 1, { chunk: 16_384, pause: 10 });
    assert(has(agent, "half-closed"));
    assertEquals(isOver, false);
    await device.readUpTo(Infinity);
    await device.closeWrite();
    assertEquals(device.received, smallImage.length);
    const end = await agent.end;
    assert(end.kind === "delivered", JSON.stringify(end));
    assertEquals(end.receipt, "acknowledged");
  });
});

Deno.test("runOtaAgent: a device that reads everything and never closes gives no receipt", async () => {
  await using attestation = startAttestation();
  await using agent = await startOtaAgent({
    image: smallImage,
    attestationUrl: new URL(attestation.url),
    pair: await rawPair(),
    redialTimeout: 100,
    transferIdleTimeout: 300,
  });
  using device = await RawDevice.present(await agent.port);
  await device.readUpTo(Infinity);
  assertEquals(device.received, smallImage.length);
  assertEquals(codeOf(await agent.end), "transfer-broken");
});

Deno.test("judgeClose: every view of the kernel has its verdict", () => {
  const socket = (state: TcpState): KernelView => ({
    state,
    localPort: 1,
    remoteAddress: "127.0.0.1",
    remotePort: 2,
    unacknowledgedBytes: 0,
    inode: 0,
  });
  const early = { goneInARow: 1, waited: 0, patience: 5_000 };
  const late = { goneInARow: 3, waited: 5_000, patience: 5_000 };
  assertEquals(judgeClose("unknown", early), "closed");
  assertEquals([judgeClose("gone", early), judgeClose("gone", late)], ["wait", "lost"]);
  assertEquals(judgeClose(socket("time-wait"), early), "acknowledged");
  const fin = socket("fin-wait-2");
  assertEquals([judgeClose(fin, early), judgeClose(fin, late)], ["wait", "acknowledged"]);
  for (const state of ["fin-wait-1", "closing", "last-ack", "established", "close-wait"] as const) {
    assertEquals(
      [judgeClose(socket(state), early), judgeClose(socket(state), late)],
      ["wait", "lost"],
      state,
    );
  }
});
