import { Socket } from "node:net";

/** Linux: AF_INET, SOCK_STREAM, SOL_SOCKET, SO_RCVBUF. */
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;

/**
 * Connects with a receive buffer of about `window` bytes, as a device with little memory has. The runtime knows no
 * such option and the window must be small before the connection is, so the system is asked directly (Linux only).
 */
export async function connectWithSmallWindow(address: Deno.NetAddr, window: number): Promise<Socket> {
  const libc = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32", nonblocking: true },
    close: { parameters: ["i32"], result: "i32" },
  });
  try {
    const { socket, setsockopt, connect, close } = libc.symbols;
    const descriptor = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, Int32Array.of(window), 4);
    const target = socketAddress(address);
    if (await connect(descriptor, target, target.length) !== 0) {
      close(descriptor);
      throw new Deno.errors.ConnectionRefused(`Cannot connect to ${address.hostname}:${address.port}`);
    }
    return new Socket({ fd: descriptor, allowHalfOpen: true });
  } finally {
    libc.close();
  }
}

/** struct sockaddr_in: family in the machine's order, port and address in the network's. */
function socketAddress({ hostname, port }: Deno.NetAddr): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  bytes.set(hostname.split(".").map(Number), 4);
  return bytes;
}
