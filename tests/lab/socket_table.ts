import { systemClock } from "../../src/deno_world.ts";
import type { FileHandle } from "../../src/world.ts";

/** From one reading to the next, in milliseconds: who asks meanwhile waits for the next one, and is shown nothing old. */
const INTERVAL = 50;

/** What the kernel shows of its sockets, read for many jobs at once: row by row, under the port on our side. */
class SocketTable {
  readonly #path: string;
  #readAt = -Infinity;
  #next: Promise<Map<string, string[]>> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The rows of one port. */
  async of(port: number): Promise<string> {
    const rows = await (this.#next ??= this.#readSoon());
    return rows.get(port.toString(16).toUpperCase().padStart(4, "0"))?.join("\n") ?? "";
  }

  async #readSoon(): Promise<Map<string, string[]>> {
    await systemClock.sleep(this.#readAt + INTERVAL - performance.now());
    this.#readAt = performance.now();
    this.#next = undefined;
    return await this.#read();
  }

  async #read(): Promise<Map<string, string[]>> {
    const rows = new Map<string, string[]>();
    for (const row of (await Deno.readTextFile(this.#path)).split("\n")) {
      const port = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) /.exec(row)?.[1];
      if (port === undefined) continue;
      const others = rows.get(port);
      if (others === undefined) rows.set(port, [row]);
      else others.push(row);
    }
    return rows;
  }
}

const TABLES: ReadonlyMap<string, SocketTable> = new Map(
  ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => [path, new SocketTable(path)]),
);

/**
 * What of the kernel's table a job needs that uses `port` alone, as a file; `undefined` for any other path. Hundreds of
 * jobs leave thousands of rows, which all of them would read again and again.
 */
export async function openSocketTable(path: string, port: number): Promise<FileHandle | undefined> {
  const table = TABLES.get(path);
  if (table === undefined) return undefined;
  const rest = new TextEncoder().encode(await table.of(port));
  let at = 0;
  const unused = (): Promise<never> => Promise.reject(new TypeError(`Cannot do that with '${path}'`));
  const close = (): void => undefined;
  return {
    read(into) {
      const piece = rest.subarray(at, at + into.length);
      into.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length === 0 ? null : piece.length);
    },
    readAt: unused,
    write: unused,
    size: unused,
    sync: unused,
    close,
    [Symbol.dispose]: close,
  };
}
