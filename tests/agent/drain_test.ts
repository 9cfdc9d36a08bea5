import { assertEquals } from "@std/assert";
import { drain, peersOf } from "../../src/agent/drain.ts";
import { denoWorld, systemClock } from "../../src/deno_world.ts";
import type { Files } from "../../src/world.ts";

const PORT = 4433;
const DEVICE = "192.168.1.20";
const NEVER = new AbortController().signal;

/** One row of the kernel's table. */
interface Row {
  readonly state: "01" | "04" | "05" | "06" | "0A";
  readonly peer: string;
  readonly left?: number;
}

const listening: Row = { state: "0A", peer: "0.0.0.0:0" };

/** What `/proc/net/tcp` shows at one look. */
function table(rows: readonly Row[]): string {
  const hex = (value: number, digits: number): string =>
    value.toString(16).toUpperCase().padStart(digits, "0");
  return rows.map(({ state, peer, left = 0 }, index) => {
    const [address = "", port = ""] = peer.split(":");
    const word = address === "v6"
      ? "000080FE00000000AABBCCDDEEFF0011"
      : address.split(".").toReversed().map((byte) => hex(Number(byte), 2)).join("");
    return `  ${index}: 0100007F:${hex(PORT, 4)} ${word}:${hex(Number(port), 4)} ${state} ${
      hex(left, 8)
    }:00000000 00:00000000 00000000 0 0 0\n`;
  }).join("");
}

/** A kernel that shows one table after the other, the last one for ever. */
function kernel(...tables: readonly (readonly Row[])[]): Pick<Files, "open"> {
  let look = 0;
  return {
    async open(path) {
      const shown = tables[
        path === "/proc/net/tcp"
          ? Math.min(look++, tables.length - 1)
          : Math.min(Math.max(0, look - 1), tables.length - 1)
      ];
      const rows = (shown ?? []).filter(({ peer }) => peer.startsWith("v6") === path.endsWith("tcp6"));
      const bytes = new TextEncoder().encode(table(rows));
      let at = 0;
      return await Promise.resolve({
        read: (into: Uint8Array) => {
          const piece = bytes.subarray(at, at + into.length);
          into.set(piece);
          at += piece.length;
          return Promise.resolve(piece.length === 0 ? null : piece.length);
        },
        readAt: () => Promise.resolve(0),
        write: () => Promise.resolve(),
        size: () => Promise.resolve(bytes.length),
        sync: () => Promise.resolve(),
        close: () => undefined,
        [Symbol.dispose]: () => undefined,
      });
    },
  };
}

async function drained(
  tables: readonly (readonly Row[])[],
  earlier: readonly string[] = [],
  idle = 60_000,
  device: { readonly deviceAddress?: string } = { deviceAddress: DEVICE },
) {
  const log = { debug() {}, info() {}, warn() {}, error() {}, room: () => log };
  const files = { ...denoWorld(log).files, ...kernel(...tables) };
  return await drain({ clock: systemClock, files }, {
    port: PORT,
    ...device,
    earlier: new Set(earlier),
    idleTimeout: idle,
    signal: NEVER,
  });
}

Deno.test("drain: waits for the last byte, and the device's orderly close is a receipt", async () => {
  const peer = `${DEVICE}:50000`;
  assertEquals(
    await drained([
      [listening, { state: "04", peer, left: 5000 }],
      [{ state: "04", peer, left: 10 }],
      [{ state: "06", peer }],
    ]),
    { kind: "drained", inOrder: true },
  );
});

Deno.test("drain: a connection that was reset leaves no row, and no receipt", async () => {
  assertEquals(await drained([[{ state: "04", peer: `${DEVICE}:50000`, left: 9 }], []]), {
    kind: "drained",
    inOrder: false,
  });
});

Deno.test("drain: a row that is missed once is not gone", async () => {
  const peer = `${DEVICE}:50000`;
  assertEquals(
    await drained([
      [{ state: "04", peer, left: 5000 }],
      [],
      [],
      [{ state: "04", peer, left: 10 }],
      [],
      [{ state: "06", peer }],
    ]),
    { kind: "drained", inOrder: true },
  );
});

Deno.test("drain: the orderly end of an earlier attempt is no receipt for the one that was reset", async () => {
  const attempt: Row = { state: "06", peer: `${DEVICE}:50000` };
  const served: Row = { state: "04", peer: `${DEVICE}:50001`, left: 9 };
  assertEquals(await drained([[attempt, served], [attempt]]), { kind: "drained", inOrder: false });
});

Deno.test("drain: what an earlier job left behind is no receipt", async () => {
  const peer = `${DEVICE}:50000`;
  assertEquals(await drained([[{ state: "06", peer }]], [peer]), { kind: "drained", inOrder: false });
});

Deno.test("drain: a stranger's close is no receipt, and its bytes are not waited for", async () => {
  const stranger = "192.168.1.66:40000";
  assertEquals(await drained([[{ state: "06", peer: stranger }]]), { kind: "drained", inOrder: false });
  assertEquals(
    await drained([[{ state: "04", peer: stranger, left: 700 }, { state: "06", peer: `${DEVICE}:50000` }]]),
    { kind: "drained", inOrder: true },
  );
});

Deno.test("drain: where nobody knows the device's address, nobody's close is a receipt", async () => {
  for (const peer of [`${DEVICE}:50000`, "v6:50000"]) {
    assertEquals(await drained([[{ state: "06", peer }]], [], 60_000, {}), {
      kind: "drained",
      inOrder: false,
    });
  }
});

Deno.test("drain: a device that takes nothing any more is told with what is left", async () => {
  const stuck: Row = { state: "04", peer: `${DEVICE}:50000`, left: 1234 };
  assertEquals(await drained([[stuck]], [], 50), { kind: "stuck", bytes: 1234 });
});

Deno.test("peersOf: everyone on the port, also who has closed", async () => {
  const files = {
    ...kernel([listening, { state: "06", peer: `${DEVICE}:50000` }, { state: "01", peer: "10.0.0.1:2" }]),
  };
  const log = { debug() {}, info() {}, warn() {}, error() {}, room: () => log };
  assertEquals(
    await peersOf(PORT, { files: { ...denoWorld(log).files, ...files } }),
    new Set(["0.0.0.0:0", `${DEVICE}:50000`, "10.0.0.1:2"]),
  );
});
