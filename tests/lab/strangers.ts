import { diceCertificate } from "../builders/certificates.ts";
import { DeviceLink } from "./device_link.ts";
import { closeQuietly, isConnectionEnd, sendAll } from "./device_sockets.ts";
import { labClock } from "./lab_clock.ts";

/**
 * Those who come to the agent's port and are not the device: port scanners, browsers, broken and hostile clients,
 * other devices. None of them may get a byte of the firmware, or keep the device from getting it.
 *
 * @module
 */

/** Who comes by. */
export type StrangerKind =
  | "plain TCP"
  | "HTTP GET"
  | "silent"
  | "TLS without data"
  | "699 bytes"
  | "garbage"
  | "endless certificate"
  | "huge"
  | "another device";

/** Every {@linkcode StrangerKind}. */
export const strangerKinds: readonly StrangerKind[] = [
  "plain TCP",
  "HTTP GET",
  "silent",
  "TLS without data",
  "699 bytes",
  "garbage",
  "endless certificate",
  "huge",
  "another device",
];

/** Where a stranger goes, and for how long. */
export interface VisitOptions {
  /** The agent's port on loopback. */
  readonly port: number;
  /** PEM of what the agent serves or of its issuer: strangers know it too. */
  readonly pinned: string;
  /** Milliseconds it stays when nobody closes its connection, from when it is in; 500 by default. */
  readonly patience?: number;
  /** Told when it is in: connected, and with those that speak TLS after the handshake. */
  readonly onArrival?: () => void;
}

/** Milliseconds that it waits to get in. */
const AT_THE_DOOR = 10_000;

/** What a visit came to. */
export interface Visit {
  readonly kind: StrangerKind;
  /** What it was sent: over TLS the content, otherwise everything but a TLS alert. It should be nothing. */
  readonly received: Uint8Array;
  /** `left`: it went by itself; `closed`: the agent turned it away; `refused`: it never got in. */
  readonly end: "left" | "closed" | "refused";
}

/** A whole visit. Never rejects: whatever the agent does to a stranger is an outcome. */
export async function visit(kind: StrangerKind, options: VisitOptions): Promise<Visit> {
  const leaving = new AbortController();
  const over = new AbortController();
  const leaveIn = (milliseconds: number): void =>
    void labClock.sleep(milliseconds, over.signal).then(() => leaving.abort(), () => undefined);
  leaveIn(AT_THE_DOOR);
  const gone = leaving.signal;
  const arrive = (): void => {
    leaveIn(options.patience ?? 500);
    options.onArrival?.();
  };
  const received: Uint8Array[] = [];
  try {
    const words = await tlsWordsOf(kind);
    const closed = words === undefined
      ? await visitPlain(kind, options, { gone, received, arrive })
      : await visitTls(words, options, { gone, received, arrive });
    return { kind, received: joined(received), end: closed ? "closed" : "left" };
  } catch (error) {
    if (gone.aborted) return { kind, received: joined(received), end: "left" };
    const refused = error instanceof Deno.errors.ConnectionRefused ||
      (error instanceof Error && error.message.includes("ECONNREFUSED"));
    return { kind, received: joined(received), end: refused ? "refused" : "closed" };
  } finally {
    over.abort();
  }
}

/** `count` visits at once, of every kind in turn. */
export function crowd(count: number, options: VisitOptions): Promise<Visit[]> {
  const kinds = Array.from({ length: count }, (_, number) => strangerKinds[number % strangerKinds.length]);
  return Promise.all(kinds.filter((kind) => kind !== undefined).map((kind) => visit(kind, options)));
}

interface Stay {
  readonly gone: AbortSignal;
  readonly arrive: () => void;
  readonly received: Uint8Array[];
}

/** Far more than any certificate, in pieces so that it can be turned away on the way: 16 MiB. */
const HUGE = { pieces: 1024, bytes: 16_384 } as const;

/** What it says inside TLS, piece by piece; `undefined` when it does not speak TLS. */
async function tlsWordsOf(kind: StrangerKind): Promise<Iterable<Uint8Array> | undefined> {
  switch (kind) {
    case "plain TCP":
    case "HTTP GET":
    case "silent":
      return undefined;
    case "TLS without data":
      return [];
    case "699 bytes":
      return [garbage(699)];
    case "garbage":
      return [garbage(1000)];
    case "endless certificate":
      // SEQUENCE of 65535 bytes, of which few ever come.
      return [Uint8Array.of(0x30, 0x82, 0xff, 0xff, 0x30, 0x82, 0xff, 0xf0)];
    case "huge":
      return hugeWords();
    case "another device":
      return [(await diceCertificate("another device")).der];
  }
}

function* hugeWords(): Iterable<Uint8Array> {
  // SEQUENCE of almost 2 GiB.
  yield Uint8Array.of(0x30, 0x84, 0x7f, 0xff, 0xff, 0xf0);
  for (let piece = 0; piece < HUGE.pieces; piece++) yield new Uint8Array(HUGE.bytes);
}

/** Returns whether the agent closed. */
async function visitTls(words: Iterable<Uint8Array>, options: VisitOptions, stay: Stay): Promise<boolean> {
  const { port, pinned } = options;
  const link = await DeviceLink.dial({ hostname: "127.0.0.1", port, pinned, signal: stay.gone });
  stay.arrive();
  try {
    const listening = (async () => {
      for (;;) {
        const bytes = await link.read();
        if (bytes === null) return true;
        stay.received.push(bytes);
      }
    })();
    // A rejection is heard at the end; until then it must not count as unheard.
    listening.catch(() => undefined);
    for (const word of words) {
      if (stay.gone.aborted) break;
      await link.write(word);
    }
    return await listening;
  } finally {
    link.close();
  }
}

/** Returns whether the agent closed. */
async function visitPlain(kind: StrangerKind, { port }: VisitOptions, stay: Stay): Promise<boolean> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port, signal: stay.gone });
  stay.arrive();
  const leave = (): void => closeQuietly(connection);
  stay.gone.addEventListener("abort", leave, { once: true });
  try {
    if (kind === "plain TCP") return false;
    if (kind === "HTTP GET") {
      await sendAll(connection, new TextEncoder().encode("GET / HTTP/1.1\r\nHost: agent\r\n\r\n"));
    }
    const buffer = new Uint8Array(4096);
    for (;;) {
      const read = await connection.read(buffer);
      if (read === null) return true;
      const bytes = buffer.slice(0, read);
      if (!isAlert(bytes)) stay.received.push(bytes);
    }
  } catch (error) {
    if (!isConnectionEnd(error)) throw error;
    return !stay.gone.aborted;
  } finally {
    stay.gone.removeEventListener("abort", leave);
    leave();
  }
}

/** A record that says nothing but that there will be no TLS. */
function isAlert(bytes: Uint8Array): boolean {
  return bytes[0] === 0x15 && bytes.length <= 7;
}

/** Bytes that are no DER: the first says so. */
function garbage(length: number): Uint8Array {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  bytes[0] = 0x47;
  return bytes;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}
