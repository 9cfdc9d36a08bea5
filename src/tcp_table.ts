/**
 * The kernel's table of TCP sockets, as Linux shows it in `/proc/net/tcp` and `/proc/net/tcp6`. It tells two things
 * that no socket call of the runtime does: who listens, without disturbing it, and what the peer has acknowledged.
 *
 * @module
 */
import type { Files } from "./world.ts";

/** States of a connection (`include/net/tcp_states.h`). */
export type TcpState =
  | "established"
  | "syn-sent"
  | "syn-received"
  | "fin-wait-1"
  | "fin-wait-2"
  | "time-wait"
  | "closed"
  | "close-wait"
  | "last-ack"
  | "listen"
  | "closing";

const STATES: Readonly<Record<string, TcpState>> = {
  "01": "established",
  "02": "syn-sent",
  "03": "syn-received",
  "04": "fin-wait-1",
  "05": "fin-wait-2",
  "06": "time-wait",
  "07": "closed",
  "08": "close-wait",
  "09": "last-ack",
  "0A": "listen",
  "0B": "closing",
};

/** One socket of this network namespace. */
export interface TcpSocket {
  /** Of the connection. */
  readonly state: TcpState;
  /** Our port. */
  readonly localPort: number;
  /** Dotted IPv4, also of a mapped address; `undefined` for a true IPv6 address. */
  readonly remoteAddress: string | undefined;
  /** The peer's port; 0 of a listening socket. */
  readonly remotePort: number;
  /** Bytes sent that the peer has not acknowledged; of a listening socket nothing. */
  readonly unacknowledgedBytes: number;
}

/** A row is some 150 characters, so this is room for 100,000 sockets. */
const MAX_TABLE_BYTES = 16 * 1024 * 1024;

/** The table is read often and may be long, so it is read in pieces of this size, of which few rows are kept. */
const PIECE_BYTES = 64 * 1024;

/**
 * Looks in a row that must miss a socket before it is gone: the kernel does not show its table at one moment, so a row
 * that is still there may be skipped.
 */
export const LOOKS_TO_BE_GONE = 3;

/** The sockets of the namespace that have this local port, or `undefined` where the system does not tell. */
export async function socketsOnPort(port: number, files: Files): Promise<TcpSocket[] | undefined> {
  const [ipv4, ipv6] = await Promise.all(
    ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readRows(path, port, files)),
  );
  if (ipv4 === undefined) return undefined;
  return parseTcpTable(ipv4 + (ipv6 ?? "")).filter(({ localPort }) => localPort === port);
}

/**
 * The rows that name the port, at either end. `undefined` when there is no such table, or when it is too long to be
 * read whole.
 */
async function readRows(path: string, port: number, files: Files): Promise<string | undefined> {
  const mark = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  try {
    using file = await files.open(path);
    const decoder = new TextDecoder();
    const piece = new Uint8Array(PIECE_BYTES);
    let rows = "";
    let rest = "";
    let bytes = 0;
    for (let read = await file.read(piece); read !== null && read > 0; read = await file.read(piece)) {
      bytes += read;
      if (bytes > MAX_TABLE_BYTES) return undefined;
      const text = rest + decoder.decode(piece.subarray(0, read), { stream: true });
      const end = text.lastIndexOf("\n") + 1;
      rows += linesWith(mark, text.slice(0, end));
      rest = text.slice(end);
    }
    return rows + linesWith(mark, rest);
  } catch {
    // No such file, or one that may not be read: this system does not tell.
    return undefined;
  }
}

/** The lines of `text` that hold `mark`, each with a line break. */
function linesWith(mark: string, text: string): string {
  let lines = "";
  for (let at = text.indexOf(mark); at >= 0;) {
    const end = text.indexOf("\n", at);
    lines += `${text.slice(text.lastIndexOf("\n", at) + 1, end < 0 ? text.length : end)}\n`;
    at = end < 0 ? -1 : text.indexOf(mark, end);
  }
  return lines;
}

/** `/proc/net/tcp` or `/proc/net/tcp6` -> its sockets. Lines that are no rows are skipped. */
export function parseTcpTable(text: string): TcpSocket[] {
  return text.split("\n").flatMap((line) => {
    const [, local, remote, code, queues] = line.trim().split(/\s+/);
    const state = STATES[code ?? ""];
    const localEnd = endpoint(local);
    const remoteEnd = endpoint(remote);
    const queue = /^([0-9A-F]{8}):[0-9A-F]{8}$/.exec(queues ?? "")?.[1];
    if (!state || !localEnd || !remoteEnd || queue === undefined) return [];
    return [{
      state,
      localPort: localEnd.port,
      remoteAddress: remoteEnd.address,
      remotePort: remoteEnd.port,
      unacknowledgedBytes: state === "listen" ? 0 : parseInt(queue, 16),
    }];
  });
}

/** `0100007F:1151` -> 127.0.0.1 and 4433: each four bytes in the machine's order, which is little-endian here. */
function endpoint(
  text: string | undefined,
): { readonly address: string | undefined; readonly port: number } | undefined {
  const match = /^([0-9A-F]{24})?([0-9A-F]{8}):([0-9A-F]{4})$/.exec(text ?? "");
  if (!match) return undefined;
  const [, prefix, word = "", port = ""] = match;
  const isIpv4 = prefix === undefined || prefix === "0000000000000000FFFF0000";
  const bytes = [6, 4, 2, 0].map((at) => parseInt(word.slice(at, at + 2), 16));
  return { address: isIpv4 ? bytes.join(".") : undefined, port: parseInt(port, 16) };
}
