import { denoWorld } from "../../src/deno_world.ts";
import type {
  Child,
  ChildCommand,
  Clock,
  FileHandle,
  HttpClient,
  Log,
  LogFields,
  TlsListener,
  World,
} from "../../src/world.ts";
import { labClock } from "./lab_clock.ts";
import { openSocketTable } from "./socket_table.ts";

/** How the world of a job in a test differs from the real one. */
export interface OutcomeWorldOptions {
  /** How many times as fast as the lab's the program's clock runs; 1 by default. */
  readonly speed?: number;
  /** Told of every line of the log. */
  readonly onLog?: (line: LogLine) => void;
  /** Starts a program in place of the system; `undefined`: let the system do it. */
  readonly spawn?: (command: ChildCommand, world: World) => Child | undefined;
  /** Waited for before a request leaves. */
  readonly beforeRequest?: (url: URL, signal: AbortSignal) => void | Promise<void>;
  /** The only port of which the kernel's table of sockets is looked at, where many jobs run at once. */
  readonly onlyPort?: number;
  /** Told of every file that is about to be opened for reading. */
  readonly onOpen?: (path: string) => void;
  /** Waited for before a temporary directory is made. */
  readonly beforeTempDirectory?: () => Promise<void>;
  /** Parts that are not the real ones at all. */
  readonly instead?: Partial<World>;
}

/** One line of the program's log. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly room: string;
  readonly message: string;
}

/**
 * The real world with a clerk at its door: everything that the program opens is on a list until the program closes it.
 */
export class OutcomeWorld {
  /** What the program is given. */
  readonly world: World;
  /** Every line of the log, oldest first. */
  readonly log: LogLine[] = [];
  /** Processes that were started, oldest first. */
  readonly children: Child[] = [];
  readonly #open = new Set<string>();
  readonly #temporary: string[] = [];
  #count = 0;

  /** Nothing is open yet. */
  constructor(options: OutcomeWorldOptions = {}) {
    const real = denoWorld(this.#logOf("", options.onLog));
    const { files } = real;
    const world: World = {
      ...real,
      clock: options.speed === undefined || options.speed === 1 ? labClock : fastClock(options.speed),
      openHttp: (http) => this.#watchHttp(real.openHttp(http), options.beforeRequest),
      connect: async (host, port, signal) => {
        const connection = await real.connect(host, port, signal);
        return withClose(connection, this.#enter(`connection to ${host}:${port}`));
      },
      listenTls: (listen) => this.#watchListener(real.listenTls(listen)),
      spawn: (command) => this.#watchChild(options.spawn?.(command, world) ?? real.spawn(command), command),
      files: {
        ...files,
        open: async (path) => {
          options.onOpen?.(path);
          const sockets = options.onlyPort === undefined
            ? undefined
            : await openSocketTable(path, options.onlyPort);
          return sockets ?? this.#watchFile(await files.open(path), path);
        },
        createPrivate: async (path) => this.#watchFile(await files.createPrivate(path), path),
        makeTempDirectory: async (parent) => {
          await options.beforeTempDirectory?.();
          const path = await files.makeTempDirectory(parent);
          this.#temporary.push(path);
          return path;
        },
      },
      ...options.instead,
    };
    this.world = world;
  }

  /** What the program has opened and not closed, started and not ended, made and not removed. */
  async leftovers(): Promise<string[]> {
    const files = await Promise.all(
      this.#temporary.map((path) => Deno.stat(path).then(() => [`temporary ${path}`], () => [])),
    );
    return [...this.#open, ...files.flat()];
  }

  /** The log as lines for people. */
  get story(): string {
    return this.log.map(({ level, room, message }) => `${level} ${room}: ${message}`).join("\n");
  }

  #enter(what: string): () => void {
    const entry = `${what} #${++this.#count}`;
    this.#open.add(entry);
    return () => void this.#open.delete(entry);
  }

  #logOf(room: string, onLog: OutcomeWorldOptions["onLog"]): Log {
    const say = (level: LogLine["level"]) => (message: string, _fields?: LogFields): void => {
      const line = { level, room, message };
      this.log.push(line);
      onLog?.(line);
    };
    return {
      debug: say("debug"),
      info: say("info"),
      warn: say("warn"),
      error: say("error"),
      room: (name) => this.#logOf(name, onLog),
    };
  }

  #watchHttp(client: HttpClient, beforeRequest: OutcomeWorldOptions["beforeRequest"]): HttpClient {
    const leave = this.#enter("HTTP client");
    return {
      fetch: async (url, init) => {
        await beforeRequest?.(url, init.signal);
        return await client.fetch(url, init);
      },
      [Symbol.dispose]() {
        client[Symbol.dispose]();
        leave();
      },
    };
  }

  #watchListener(listener: TlsListener): TlsListener {
    const leave = this.#enter(`listener on port ${listener.port}`);
    const close = (): void => {
      listener.close();
      leave();
    };
    return {
      port: listener.port,
      accept: async () => {
        const connection = await listener.accept();
        const gone = this.#enter("TLS connection");
        return withClose(connection, gone);
      },
      close,
      [Symbol.dispose]: close,
    };
  }

  #watchChild(child: Child, command: ChildCommand): Child {
    const leave = this.#enter(`process ${command.path}`);
    this.children.push(child);
    return {
      pid: child.pid,
      stdout: child.stdout,
      stderr: child.stderr,
      status: child.status.finally(leave),
      kill: (signal) => child.kill(signal),
    };
  }

  #watchFile(file: FileHandle, path: string): FileHandle {
    const leave = this.#enter(`file ${path}`);
    const close = (): void => {
      file.close();
      leave();
    };
    return {
      read: (into) => file.read(into),
      readAt: (offset, into) => file.readAt(offset, into),
      write: (bytes) => file.write(bytes),
      size: () => file.size(),
      sync: () => file.sync(),
      close,
      [Symbol.dispose]: close,
    };
  }
}

/** The same object, but that `closed` is told when it is closed. */
function withClose<Closable extends { close(): void }>(target: Closable, closed: () => void): Closable {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        if (name === "close") closed();
        return Reflect.apply(value, target, args);
      };
    },
  });
}

/** The lab's clock, `speed` times as fast, from now on. */
export function fastClock(speed: number): Clock {
  const begun = labClock.now();
  return {
    now: () => begun + (labClock.now() - begun) * speed,
    sleep: (milliseconds, signal) => labClock.sleep(milliseconds / speed, signal),
  };
}
