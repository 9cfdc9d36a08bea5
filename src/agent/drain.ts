import { LOOKS_TO_BE_GONE, socketsOnPort, type TcpSocket } from "../tcp_table.ts";
import type { World } from "../world.ts";

/** What is known of the connection that is to be drained. */
export interface DrainOptions {
  /** The agent's port. */
  readonly port: number;
  /** The device's IPv4 address, where it is known. */
  readonly deviceAddress?: string;
  /** Connections that stood on the port before the device was asked: {@linkcode peersOf}. */
  readonly earlier: ReadonlySet<string>;
  /** Milliseconds without a byte taken after which the device takes no more. */
  readonly idleTimeout: number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/**
 * How the wait for the rest ended. `drained`: nothing is left, and `inOrder` says whether the kernel shows that the
 * device's own connection was closed in order after its last byte; `stuck`: the device takes nothing any more;
 * `untold`: the system does not tell.
 */
export type Drain =
  | { readonly kind: "drained"; readonly inOrder: boolean }
  | { readonly kind: "stuck"; readonly bytes: number }
  | { readonly kind: "untold" };

/** What the kernel still has to deliver after a process has closed, or even ended. */
const DELIVERING: ReadonlySet<TcpSocket["state"]> = new Set([
  "established",
  "close-wait",
  "fin-wait-1",
  "closing",
  "last-ack",
]);

/** States in which the peer has acknowledged every byte and our close: a reset leaves none of them. */
const CLOSED_IN_ORDER: ReadonlySet<TcpSocket["state"]> = new Set(["fin-wait-2", "time-wait"]);

/** Between two looks: an orderly close stands in the table only until the device says goodbye. */
const DRAIN_INTERVAL = 20;

/**
 * Waits until the kernel has delivered what a classic agent left to it: the agent ends long before the device has
 * everything, and what is not delivered is lost when the pod ends.
 */
export async function drain(world: Pick<World, "clock" | "files">, options: DrainOptions): Promise<Drain> {
  const { clock } = world;
  const seen = new Set<string>();
  let emptyInARow = 0;
  let least = Infinity;
  let movedAt = clock.now();
  for (;;) {
    const sockets = await ownSockets(world, options);
    if (sockets === undefined) return { kind: "untold" };
    for (const socket of sockets) seen.add(peerOf(socket));
    const bytes = sockets.filter(({ state }) => DELIVERING.has(state))
      .reduce((sum, socket) => sum + socket.unacknowledgedBytes, 0);
    emptyInARow = bytes === 0 ? emptyInARow + 1 : 0;
    const inOrder = isInOrder(sockets, seen, options);
    if (bytes === 0 && (inOrder || emptyInARow >= LOOKS_TO_BE_GONE)) return { kind: "drained", inOrder };
    if (bytes > 0 && bytes < least) [least, movedAt] = [bytes, clock.now()];
    if (clock.now() - movedAt > options.idleTimeout) return { kind: "stuck", bytes };
    await clock.sleep(DRAIN_INTERVAL, options.signal);
  }
}

/** Every connection on a port, as `address:port` of its peer. A closed one stays for a minute (TIME-WAIT). */
export async function peersOf(port: number, world: Pick<World, "files">): Promise<ReadonlySet<string>> {
  const sockets = await socketsOnPort(port, world.files) ?? [];
  return new Set(sockets.map(peerOf));
}

/** This job's connections: the device's where one of them is, else all, as a NAT may hide it. */
async function ownSockets(
  world: Pick<World, "files">,
  { port, earlier, deviceAddress }: DrainOptions,
): Promise<TcpSocket[] | undefined> {
  const sockets = (await socketsOnPort(port, world.files))?.filter((socket) =>
    socket.state !== "listen" && !earlier.has(peerOf(socket))
  );
  const devices = sockets?.filter((socket) => isFrom(socket, deviceAddress)) ?? [];
  return devices.length > 0 ? devices : sockets;
}

/**
 * Only where no other connection can be meant, of all that were `seen`: a stranger that closed in order proves nothing
 * of the device, and neither does an earlier attempt of its own.
 */
function isInOrder(
  [socket]: readonly TcpSocket[],
  seen: ReadonlySet<string>,
  { deviceAddress }: DrainOptions,
): boolean {
  return socket !== undefined && seen.size === 1 && CLOSED_IN_ORDER.has(socket.state) &&
    isFrom(socket, deviceAddress);
}

/** Neither address is always known: an IPv6 peer has none here. */
function isFrom({ remoteAddress }: TcpSocket, deviceAddress: string | undefined): boolean {
  return deviceAddress !== undefined && remoteAddress === deviceAddress;
}

function peerOf({ remoteAddress, remotePort }: TcpSocket): string {
  return `${remoteAddress}:${remotePort}`;
}
