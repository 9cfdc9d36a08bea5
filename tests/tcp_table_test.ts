import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { denoWorld, systemClock } from "../src/deno_world.ts";
import { parseTcpTable, socketsOnPort } from "../src/tcp_table.ts";
import type { FileHandle, Files } from "../src/world.ts";
import { quietLog } from "./ota_agent/agent_run.ts";

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1151 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 36402 1 0000000000000000 100 0 0 10 0
   3: 0100007F:1151 0201A8C0:E934 04 0000012C:00000000 03:00001770 00000000     0        0 0 3 0000000000000000
`;
const TCP6 =
  `  sl  local_address                         remote_address                        st tx_queue rx_queue tr
   0: 00000000000000000000000000000000:1151 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 17 1
   1: 0000000000000000FFFF00000100007F:1151 0000000000000000FFFF00000201A8C0:C001 01 00000010:00000000 00:00000000 00000000  0 0 18 1
   2: B80D0120000000000000000001000000:1151 B80D0120000000000000000002000000:C002 06 00000000:00000000 00:00000000 00000000  0 0 0 1
`;

Deno.test("parseTcpTable: reads state, ends and unacknowledged bytes of IPv4, mapped and IPv6 sockets", () => {
  assertEquals(parseTcpTable(TCP), [
    {
      state: "listen",
      localPort: 4433,
      remoteAddress: "0.0.0.0",
      remotePort: 0,
      unacknowledgedBytes: 0,
    },
    {
      state: "fin-wait-1",
      localPort: 4433,
      remoteAddress: "192.168.1.2",
      remotePort: 0xe934,
      unacknowledgedBytes: 300,
    },
  ]);
  assertEquals(
    parseTcpTable(TCP6).map(({ state, remoteAddress, remotePort }) => [state, remoteAddress, remotePort]),
    [
      ["listen", undefined, 0],
      ["established", "192.168.1.2", 0xc001],
      ["time-wait", undefined, 0xc002],
    ],
  );
});

Deno.test("parseTcpTable: lines that are no rows are skipped, whatever they are", () => {
  assertEquals(parseTcpTable(""), []);
  assertEquals(
    parseTcpTable("x\n 1: 0:1 2:3 01 4:5\n 1: 0100007F:1151 0100007F:1151 FF 00000000:00000000"),
    [],
  );
  fc.assert(fc.property(fc.string({ maxLength: 400 }), (text) => Array.isArray(parseTcpTable(text))), {
    seed: 1,
    numRuns: 1_000,
  });
});

/** Files of which `path` is `text`, read in pieces of `step` bytes. */
function tableFiles(text: string, step: number): Files {
  const bytes = new TextEncoder().encode(text);
  return {
    ...denoWorld(quietLog).files,
    open(path) {
      if (path !== "/proc/net/tcp") return Promise.reject(new Deno.errors.NotFound(path));
      let at = 0;
      const read = (into: Uint8Array): Promise<number | null> => {
        const piece = bytes.subarray(at, at + Math.min(step, into.length));
        into.set(piece);
        at += piece.length;
        return Promise.resolve(piece.length === 0 ? null : piece.length);
      };
      return Promise.resolve({ read, [Symbol.dispose]: () => undefined } as unknown as FileHandle);
    },
  };
}

Deno.test("socketsOnPort: the rows of one local port, wherever the pieces of a long table end", async () => {
  const lines: string[] = ["  sl  local_address rem_address   st tx_queue rx_queue"];
  for (let row = 0; row < 3000; row++) {
    const peer = row.toString(16).toUpperCase().padStart(4, "0");
    const [local, remote] = row % 3 === 0 ? ["1151", peer] : row % 3 === 1 ? [peer, "1151"] : ["1152", peer];
    lines.push(`${row}: 0100007F:${local} 0100007F:${remote} 01 00000000:00000000 00:00000000 00000000 0`);
  }
  for (const ending of ["", "\n"]) {
    for (const step of [7, 1000, 64 * 1024]) {
      const sockets = await socketsOnPort(0x1151, tableFiles(lines.join("\n") + ending, step));
      assertEquals(
        sockets?.map(({ remotePort }) => remotePort),
        Array.from({ length: 1000 }, (_, n) => 3 * n),
      );
    }
  }
  const endless = tableFiles("x".repeat(17 * 1024 * 1024), 64 * 1024);
  assertEquals(await socketsOnPort(0x1151, endless), undefined);
  assertEquals(
    await socketsOnPort(0x1151, { ...endless, open: () => Promise.reject(new Error("no")) }),
    undefined,
  );
});

Deno.test("socketsOnPort: shows a true listener and a true connection", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const server = await listener.accept();
  try {
    if (Deno.build.os !== "linux") return;
    await systemClock.sleep(1);
    const ours = await socketsOnPort(listener.addr.port, denoWorld(quietLog).files);
    assertEquals(ours?.map(({ state }) => state).sort(), ["established", "listen"]);
    assertEquals(ours?.find(({ state }) => state === "established")?.remotePort, client.localAddr.port);
  } finally {
    for (const end of [client, server, listener]) end.close();
  }
});
