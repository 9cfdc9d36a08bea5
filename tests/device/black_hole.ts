/** An address that answers nobody, as that of a device that is switched off: not even its kernel says a word. */
export interface BlackHole extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly endpoint: string;
}

/** More than the kernel lets wait at one port. */
const MOST_WAITING = 10_000;

/** A port whose queue is full: the kernel drops what else would connect. */
export async function startBlackHole(): Promise<BlackHole> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const waiting: Deno.Conn[] = [];
  let last: Promise<Deno.Conn | undefined> = Promise.resolve(undefined);
  for (let isFull = false; !isFull;) {
    if (waiting.length > MOST_WAITING) throw new Error(`Cannot fill the queue of port ${port}`);
    const knock = Deno.connect({ hostname: "127.0.0.1", port });
    last = knock.catch(() => undefined);
    const answer = await firstOf(knock);
    if (answer === undefined) isFull = true;
    else waiting.push(answer);
  }
  return {
    endpoint: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of waiting) connection.close();
      (await last)?.close();
    },
  };
}

/** How long loopback may take to let somebody in. */
const PATIENCE = 300;

async function firstOf(knock: Promise<Deno.Conn>): Promise<Deno.Conn | undefined> {
  const patience = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => patience.resolve(undefined), PATIENCE);
  try {
    return await Promise.race([knock, patience.promise]);
  } finally {
    clearTimeout(timer);
  }
}
