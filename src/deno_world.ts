import { DirectHttp } from "./direct_http.ts";
import { listenTls } from "./deno_tls.ts";
import { untilAborted } from "./until_aborted.ts";
import type {
  Child,
  ChildCommand,
  Clock,
  FileFacts,
  FileHandle,
  Files,
  HttpClient,
  HttpInit,
  HttpOptions,
  Log,
  World,
} from "./world.ts";

/** The real outside: everything the program does to it passes through the returned object. */
export function denoWorld(log: Log): World {
  return {
    clock: systemClock,
    log,
    files: systemFiles,
    random: Math.random,
    openHttp: (options) => options.proxy === "direct" ? new DirectHttp() : new EnvironmentHttp(options),
    localAddressTowards,
    resolveHost,
    connect: (hostname, port, signal) => Deno.connect({ hostname, port, signal }),
    listenTls,
    spawn,
  };
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep(milliseconds, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, Math.max(0, milliseconds)); // a deadline may be over before it is waited for
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};

/** fetch with the proxies of the environment, which the runtime reads by itself. */
class EnvironmentHttp implements HttpClient {
  readonly #client: Deno.HttpClient;

  constructor(options: HttpOptions) {
    this.#client = Deno.createHttpClient({
      ...(options.caCertificates ? { caCerts: [...options.caCertificates] } : {}),
      ...(options.clientIdentity
        ? { cert: options.clientIdentity.certificate, key: options.clientIdentity.key }
        : {}),
    });
  }

  fetch(url: URL, init: HttpInit): Promise<Response> {
    return fetch(url, { ...init, redirect: "manual", client: this.#client });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

async function localAddressTowards(host: string, port: number, signal: AbortSignal): Promise<string> {
  const connection = await Deno.connect({ hostname: host, port, signal });
  try {
    return connection.localAddr.hostname;
  } finally {
    connection.close();
  }
}

/** Asks the system, as connections do: for Deno.resolveDns the program would need to be allowed its name servers. */
async function resolveHost(host: string, signal: AbortSignal): Promise<readonly string[]> {
  const { lookup } = await import("node:dns/promises");
  const answers = await untilAborted(lookup(host, { all: true }), signal);
  return answers.map(({ address }) => address);
}

function spawn(command: ChildCommand): Child {
  const child = new Deno.Command(command.path, {
    args: [...command.args],
    env: { ...command.env },
    clearEnv: true,
    stdin: command.input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    // It leads a group of its own: what it starts can be signalled with it, and a terminal's Ctrl-C reaches us alone.
    detached: true,
  }).spawn();
  if (command.input !== undefined) void feed(child.stdin, command.input);
  return {
    pid: child.pid,
    stdout: child.stdout,
    stderr: child.stderr,
    status: child.status.then(({ code, signal }) => ({ code, signal })),
    kill(signal) {
      try {
        signalGroup(child, signal);
      } catch (error) {
        // It ended by itself between the decision and the signal: there is nothing left to stop.
        if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
      }
    },
  };
}

/** A program that may start certain programs only may signal its own child and nobody else: then it alone is signalled. */
function signalGroup(child: Deno.ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    Deno.kill(-child.pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    child.kill(signal);
  }
}

/** A child may end without reading its input: its status tells, the broken pipe does not matter. */
async function feed(stdin: WritableStream<Uint8Array>, input: Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  await writer.write(input).then(() => writer.close()).catch(() => writer.abort().catch(() => undefined));
}

const systemFiles: Files = {
  async facts(path): Promise<FileFacts | undefined> {
    try {
      const { isFile, isDirectory, size, mode, mtime } = await Deno.stat(path);
      const modified = mtime?.getTime() ?? null;
      return { isFile, isDirectory, size, mode: mode === null ? null : mode & 0o777, modified };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
        return undefined;
      }
      throw error;
    }
  },
  async readText(path, limit) {
    using file = await Deno.open(path);
    const bytes = new Uint8Array(limit + 1);
    let length = 0;
    for (let read: number | null = 0; read !== null && length < bytes.length; length += read ?? 0) {
      read = await file.read(bytes.subarray(length));
    }
    if (length > limit) throw new RangeError(`it holds more than ${limit} bytes`);
    return new TextDecoder().decode(bytes.subarray(0, length));
  },
  async list(path) {
    return (await Array.fromAsync(Deno.readDir(path))).map((entry) => entry.name);
  },
  async open(path) {
    return fileHandle(await Deno.open(path));
  },
  async createPrivate(path) {
    return fileHandle(await Deno.open(path, { read: true, write: true, createNew: true, mode: 0o600 }));
  },
  async create(path) {
    return fileHandle(await Deno.open(path, { read: true, write: true, createNew: true, mode: 0o666 }));
  },
  setMode: (path, mode) => Deno.chmod(path, mode),
  async makeDirectory(path) {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  },
  overwrite: (path, text) => Deno.writeTextFile(path, text, { create: false }),
  makeTempDirectory: (parent) =>
    Deno.makeTempDir({ prefix: "flashjob-", ...(parent === undefined ? {} : { dir: parent }) }),
  rename: (from, to) => Deno.rename(from, to),
  async remove(path) {
    try {
      await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  },
};

function fileHandle(file: Deno.FsFile): FileHandle {
  let open = true;
  const close = (): void => {
    if (open) file.close();
    open = false;
  };
  return {
    read: (into) => file.read(into),
    async readAt(offset, into) {
      await file.seek(offset, Deno.SeekMode.Start);
      let length = 0;
      while (length < into.length) {
        const read = await file.read(into.subarray(length));
        if (read === null) break;
        length += read;
      }
      return length;
    },
    async write(bytes) {
      for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
    },
    size: async () => (await file.stat()).size,
    sync: () => file.syncData(),
    close,
    [Symbol.dispose]: close,
  };
}
