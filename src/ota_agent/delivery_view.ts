import { type TcpSocket, tcpSockets } from "../tcp_table.ts";
import type { Clock, Files } from "../world.ts";

/**
 * What the operating system knows of one connection: `unknown` where it does not tell, `gone` when it has no such
 * connection any more, which after our half-close means that it was reset.
 */
export type KernelView = TcpSocket | "unknown" | "gone";

/** Looks up one connection in the kernel's table. */
export class DeliveryView {
  readonly #files: Files;
  readonly #ends: { readonly localPort: number; readonly address: string; readonly port: number };
  #wasSeen = false;

  /** `ends`: our port, and the peer's address and port. */
  constructor(
    files: Files,
    ends: { readonly localPort: number; readonly address: string; readonly port: number },
  ) {
    this.#files = files;
    this.#ends = ends;
  }

  /** Makes sure, while the connection certainly is there, that the table shows it. */
  async calibrate(): Promise<void> {
    for (let look = 0; look < LOOKS_TO_BE_GONE && !this.#wasSeen; look++) await this.look();
  }

  /** Absence proves something only for a connection that the table has shown before. */
  async look(): Promise<KernelView> {
    const sockets = await tcpSockets(this.#files);
    if (sockets === undefined) return "unknown";
    const { localPort, address, port } = this.#ends;
    const ours = sockets.find((socket) =>
      socket.localPort === localPort && socket.remotePort === port &&
      (socket.remoteAddress ?? address) === address && socket.state !== "listen"
    );
    if (ours) this.#wasSeen = true;
    return ours ?? (this.#wasSeen ? "gone" : "unknown");
  }
}

/** What the peer's close is worth: see {@linkcode judgeClose}. */
export type CloseVerdict = "acknowledged" | "closed" | "lost" | "wait";

/** The table is not read atomically, so a row may be missed once. */
const LOOKS_TO_BE_GONE = 3;

/** A device that said goodbye but leaves its socket open sends no FIN; it has acknowledged everything by then. */
const FIN_PATIENCE = 2_000;

/** Between two looks. */
const LOOK_INTERVAL = 20;

/**
 * Whether a peer that closed after our half-close had taken everything. A close alone does not say so: a device that
 * gives up in the middle closes as well, while megabytes may still lie in the socket buffers. But its system answers
 * those with a reset, and then the connection is gone; after an orderly end it is in TIME-WAIT (RFC 9293, 3.6).
 */
export function judgeClose(
  view: KernelView,
  seen: { readonly goneInARow: number; readonly waited: number; readonly patience: number },
): CloseVerdict {
  if (view === "unknown") return "closed";
  if (view === "gone") return seen.goneInARow >= LOOKS_TO_BE_GONE ? "lost" : "wait";
  if (view.state === "time-wait") return "acknowledged";
  if (view.state === "fin-wait-2" && seen.waited >= FIN_PATIENCE) return "acknowledged";
  return seen.waited >= Math.max(seen.patience, FIN_PATIENCE) ? "lost" : "wait";
}

/** Looks until the peer's close can be judged; `patience` bounds the wait for bytes still on their way. */
export async function closeVerdict(
  view: DeliveryView,
  bounds: { readonly clock: Clock; readonly patience: number; readonly signal: AbortSignal },
): Promise<Exclude<CloseVerdict, "wait">> {
  const start = bounds.clock.now();
  for (let goneInARow = 0;;) {
    const seen = await view.look();
    goneInARow = seen === "gone" ? goneInARow + 1 : 0;
    const waited = bounds.clock.now() - start;
    const verdict = judgeClose(seen, { goneInARow, waited, patience: bounds.patience });
    if (verdict !== "wait") return verdict;
    await bounds.clock.sleep(LOOK_INTERVAL, bounds.signal);
  }
}
