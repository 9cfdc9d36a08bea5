import { assert, assertEquals } from "@std/assert";
import { transferProgress } from "../../src/ota_agent/transfer_watch.ts";
import { runAgentCase, smallImage } from "./agent_case.ts";

const RECORD = 4096;

Deno.test("transferProgress: acknowledged is never more than what is, whatever TLS adds to a record", () => {
  const image = 1_000_000;
  for (const overhead of [21, 22, 29]) {
    for (const acknowledged of [0, 1, RECORD, 500_000, image]) {
      const sent = Math.ceil(image / RECORD) * overhead + image;
      const ofTls = Math.ceil(acknowledged / RECORD) * overhead + acknowledged;
      const look = { handedOver: image, sent, unacknowledged: sent - ofTls };
      const { acknowledgedBytes } = transferProgress(look, RECORD);
      assert(acknowledgedBytes !== undefined && acknowledgedBytes <= acknowledged, `${acknowledged}`);
      assert(acknowledgedBytes >= acknowledged * 0.99 - RECORD, `${acknowledged}: ${acknowledgedBytes}`);
    }
  }
  assertEquals(transferProgress({ handedOver: 5, sent: 0, unacknowledged: 9 }, RECORD).acknowledgedBytes, 0);
  assertEquals(
    transferProgress({ handedOver: 5, sent: 9000, unacknowledged: 0 }, RECORD).acknowledgedBytes,
    5,
  );
  assertEquals(transferProgress({ handedOver: 5, sent: 9, unacknowledged: undefined }, RECORD), {
    handedOverBytes: 5,
  });
});

Deno.test("runOtaAgent: tells what the device has, not what lies in buffers on the way", async () => {
  const { events, flash } = await runAgentCase({
    behaviour: { bytesPerSecond: 8_000, receiveWindow: 8192 },
  });
  assertEquals(flash, smallImage);
  const told = events.flatMap((event) => event.event === "sending" ? [event] : []);
  const whole = told.findIndex(({ handedOverBytes }) => handedOverBytes === smallImage.length);
  const { acknowledgedBytes } = told[whole] ?? {};
  assert(
    acknowledgedBytes !== undefined && acknowledgedBytes < smallImage.length / 2,
    `${acknowledgedBytes}`,
  );
  const acknowledged = told.map((event) => event.acknowledgedBytes ?? -1);
  assertEquals(acknowledged, acknowledged.toSorted((a, b) => a - b));
  assert(new Set(acknowledged.slice(whole)).size > 2, "it moves on while the buffers empty");
});
