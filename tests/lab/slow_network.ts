/**
 * A network of its own for one job, which can be taken away in an instant, as the network of a pod is. Linux, root and
 * iproute2 are needed.
 *
 * @module
 */

/** One namespace, joined to ours by a pair of virtual interfaces. */
export interface JobNetwork extends AsyncDisposable {
  /** Our end, where the lab's servers are. */
  readonly labAddress: string;
  /** The job's end. */
  readonly jobAddress: string;
  /** Words before a command that run it in the namespace. */
  readonly prefix: readonly string[];
  /** Takes the network away from the job: what its kernel still holds is lost. The lab keeps its address. */
  cut(): Promise<void>;
}

/** `undefined` where the system does not permit it, as in many containers; where CI says so, that is a failure. */
export async function startJobNetwork(): Promise<JobNetwork | undefined> {
  const network = await tryJobNetwork();
  if (network !== undefined) return network;
  const message = "this system permits no network namespaces (root and iproute2 are needed)";
  if (Deno.env.get("CI") === "true") throw new Error(`Cannot run this test: ${message}`);
  console.log(`skipped, ${message}`);
  return undefined;
}

async function tryJobNetwork(): Promise<JobNetwork | undefined> {
  const id = crypto.getRandomValues(new Uint8Array(2));
  const name = `flashjob-${id.toHex()}`;
  const [ours, theirs] = [`fj${id.toHex()}a`, `fj${id.toHex()}b`];
  // Of the range for private use (RFC 1918): four addresses, on a link that leaves this machine nowhere.
  const subnet = `10.${200 + (id[0] ?? 0) % 50}.${id[1]}`;
  const [labAddress, jobAddress] = [`${subnet}.1`, `${subnet}.2`];
  if (!await ip("netns", "add", name)) return undefined;
  const remove = async (): Promise<void> => {
    await ip("link", "delete", ours);
    await ip("netns", "delete", name);
  };
  const isJoined = await ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name) &&
    await ip("address", "add", `${labAddress}/30`, "dev", ours) &&
    await ip("link", "set", ours, "up") &&
    await ip("-netns", name, "address", "add", `${jobAddress}/30`, "dev", theirs) &&
    await ip("-netns", name, "link", "set", theirs, "up") &&
    await ip("-netns", name, "link", "set", "lo", "up");
  if (!isJoined) {
    await remove();
    return undefined;
  }
  return {
    labAddress,
    jobAddress,
    prefix: ["ip", "netns", "exec", name],
    async cut() {
      if (await ip("-netns", name, "link", "set", theirs, "down")) return;
      throw new Error(`Cannot cut the network of '${name}': ip refuses`);
    },
    [Symbol.asyncDispose]: remove,
  };
}

async function ip(...args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("ip", { args, stdout: "null", stderr: "null" }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Carries connections to `hostname:port` on to the same port of 127.0.0.1, where the lab's servers listen. */
export function relay(hostname: string, port: number): AsyncDisposable {
  const listener = Deno.listen({ hostname, port });
  const open = new Set<Deno.Conn>();
  const carried: Promise<unknown>[] = [];
  const carry = async (from: Deno.Conn): Promise<void> => {
    const to = await Deno.connect({ hostname: "127.0.0.1", port });
    open.add(from).add(to);
    // Either end may be gone at any time; the other then sees the end of the stream.
    await Promise.allSettled([from.readable.pipeTo(to.writable), to.readable.pipeTo(from.writable)]);
    open.delete(from);
    open.delete(to);
  };
  const accepting = (async () => {
    for await (const connection of listener) carried.push(carry(connection));
  })();
  return {
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const connection of open) closeOnce(connection);
      await Promise.all(carried);
    },
  };
}

function closeOnce(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    // Its stream closed it already.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
